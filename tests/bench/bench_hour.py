"""An hour of video in parts, by two workers at home and by two of each function on Google's emulators.

    python -m tests.bench long hour

The recording is loops of the clips of faces in ``../shared/media``, 1280x720, two pictures a second, each
of which is looked at. On the emulators a worker of those that find or cover faces is killed every two
minutes, with all that it does. What comes out must be the same to the byte.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from functions.wiring import engine_of
from infra.local.stack import Stack, local_stack
from shared.contracts.context import RequestContext
from shared.errors import NotFound
from shared.homes.home import open_home
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.bench.bench_parts import MAX_INPUT_BYTES, processed, recording
from tests.bench.report import Row

STEP = "anonymise.faces"
KILLED = ("detect", "anonymise")
FRAME_RATE = 2
KILL_EACH_S = 120.0
WORKERS = 2
_LONGEST_S = 7_200.0
_LOOK_S = 5.0


def measure() -> Iterator[Row]:
    """Three minutes, to try the way."""
    yield from at_home_and_on_the_emulators(3)


def measure_long() -> Iterator[Row]:
    """An hour."""
    yield from at_home_and_on_the_emulators(60)


def at_home_and_on_the_emulators(minutes: float) -> Iterator[Row]:
    """Wall, processor and memory at home; then wall on the emulators, and how many workers were killed."""
    what = f"faces and covers of {minutes:g} min of 720p, {FRAME_RATE} pictures a second, {WORKERS} workers"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = recording(folder / "faces.mp4", minutes, FRAME_RATE)
        cost, at_home = processed(source, folder, STEP, workers=WORKERS)
        yield Row(f"{what}: wall", cost.wall_s, None, "s")
        yield Row(f"{what}: processor", cost.cpu_s, None, "s")
        yield Row(
            f"{what}: memory of the largest process", cost.peak_mib, None, "MiB", "ours <= 600"
        )
        wall_s, there, killed = on_the_emulators(source, folder / "stack")
        if there != at_home:
            raise AssertionError("the emulators' workers made other bytes than those at home")
        yield Row(
            f"{what} of each function on the emulators, {killed} killed: wall", wall_s, None, "s"
        )


def on_the_emulators(source: Path, folder: Path) -> tuple[float, dict[str, str], int]:
    """How long it took, artifact -> digest of its bytes, and how many workers were killed meanwhile."""
    os.environ["WORKERS"] = f"{WORKERS}"  # functions-framework's, for each function
    ctx = RequestContext(tenant_id="local", env="dev")
    with local_stack(Settings(data=folder, max_input_bytes=MAX_INPUT_BYTES)) as stack:
        home = open_home(stack.settings, engine_of)
        begun = time.monotonic()
        run_id = upload_run_id(upload(home, ctx, source, Wishes(steps=(STEP,))))
        with killing(stack) as killed:
            while time.monotonic() < begun + _LONGEST_S:
                with suppress(NotFound):  # nobody has taken it in yet
                    run = run_object(home, ctx, run_id)
                    if run["state"] not in ("queued", "running"):
                        break
                time.sleep(_LOOK_S)
            wall_s = time.monotonic() - begun
        (row,) = (one for one in run["steps"] if one["step"] == STEP)
        if row["state"] not in ("done", "degraded"):
            raise AssertionError(f"{STEP} is {row['state']}: {row['reason'] or row['error']}")
        made = {one["artifact_id"]: one["sha256"] for one in row["artifacts"]}
        return wall_s, made, len(killed)


@contextmanager
def killing(stack: Stack) -> Iterator[list[int]]:
    """Kill a worker now and then, for as long as the block lasts; gives the list of those killed."""
    dice, over = random.Random(1), threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not over.wait(KILL_EACH_S):
            with suppress(psutil.Error, IndexError):
                process = stack.processes[dice.choice(KILLED)]
                worker = dice.choice(psutil.Process(process.pid).children())
                worker.send_signal(signal.SIGKILL)
                killed.append(worker.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
