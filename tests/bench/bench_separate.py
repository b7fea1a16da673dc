"""Separation beside ``python -m demucs``: the same song, the same model, on the same device.

    python -m tests.bench separate

The command starts a process and loads the model for each song; so does our first job. The tenth finds
the worker warm. Compute alone is compared, too: demucs' own ``Separator``, loaded beforehand, on the
same samples. Ways are run in turn, so that a busy machine hurts all alike. Set OMP_NUM_THREADS to 1
where other work runs beside: demucs' threads spin while they wait, ours sleep.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile

from functions.separate.host import warm_worker
from functions.separate.stems import ENGINE
from shared.contracts.step_engine import Job
from shared.media.probe import probe
from tests.bench.report import Row
from tests.functions.separate.rig import MODEL, WEIGHTS, song, write

LONG_S, SHORT_S, ROUNDS, JOBS = 20.0, 4.0, 3, 10


class Ways:
    """The ways to separate one song."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.source = write(folder / f"song{seconds:g}.wav", song(seconds)[1])
        self.media = probe(self.source)

    def ours(self) -> None:
        """One job, on whatever worker there is."""
        workdir = Path(tempfile.mkdtemp(dir=self.folder))
        job = Job(self.source, self.media, workdir, lambda fraction: None)
        ENGINE.run(job, ENGINE.params(model=MODEL), ENGINE.backend())
        shutil.rmtree(workdir)

    def ours_cold(self) -> None:
        """Its worker started and its model loaded first."""
        warm_worker().close()
        self.ours()

    def command(self) -> None:
        words = ["--repo", WEIGHTS, "-n", MODEL, "--shifts", "0", "--int24"]
        command = [sys.executable, "-m", "demucs", *words, "-o", self.folder / "cli", self.source]
        subprocess.run(command, check=True, capture_output=True)

    def compute(self) -> Callable[[], None]:
        """Demucs' own code in this process, from samples to samples."""
        import torch
        from demucs.api import Separator

        separator = Separator(MODEL, repo=WEIGHTS, shifts=0)
        heard = torch.from_numpy(soundfile.read(self.source, dtype="float32")[0].T.copy())

        def work() -> None:
            separator.separate_tensor(heard)

        return work


def taken_s(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def in_turn(*works: Callable[[], None]) -> list[float]:
    """Median seconds of each."""
    rounds = [[taken_s(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def compared(ways: Ways) -> list[Row]:
    """The first job, and the tenth."""
    first, command = in_turn(ways.ours_cold, ways.command)
    for _ in range(JOBS - 2):
        ways.ours()
    tenth, compute = in_turn(ways.ours, ways.compute())
    song = f"{ways.source.stem.removeprefix('song')} s"
    return [
        Row(f"{song}, first job: python -m demucs", first, command, "s", "ratio <= 1.05"),
        Row(f"{song}, tenth job: python -m demucs", tenth, command, "s", ""),
        Row(f"{song}, tenth job: demucs' compute alone", tenth, compute, "s", "ratio <= 1.05"),
    ]


def measure() -> Iterator[Row]:
    """A long song and a short one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "models"
        models.mkdir()
        (models / MODEL).symlink_to(WEIGHTS)
        os.environ["RUSHES_MODELS"] = str(models)
        for seconds in (LONG_S, SHORT_S):
            yield from compared(Ways(folder, seconds))
        warm_worker().close()
