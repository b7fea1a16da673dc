"""The hostile corpus through the whole pipeline, with worker processes, as it runs at home.

    python -m tests.hostile [--every N] [--steps a,b]

Prints what became of it as JSON; exits with an error if a worker crashed or hung, anything outside
was opened, memory was not bounded, or anything was left over.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from functions.wiring import engine_of
from infra.local.worker import WorkerPool
from shared.contracts.context import RequestContext
from shared.errors import NotFound, RushesError
from shared.folders import PREFIX
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from shared.watch.log import configure
from tests.hostile.corpus import Hostile, corpus
from tests.shared.media.recordings import write_noise

CTX = RequestContext(tenant_id="t1", env="dev")
MAX_RSS_BYTES = 2 << 30
"""Of any one process: libraries, models and the fixed budgets of decoding."""
LONGEST_S = 300.0
"""No step may take longer."""
KNOWN = ("unsupported_media", "validation_error", "backend_failed", "timeout", "input_too_large")


def main() -> None:
    """Run, judge, tell."""
    words = argparse.ArgumentParser(prog="python -m tests.hostile")
    words.add_argument("--every", type=int, default=1, help="only each Nth file")
    words.add_argument("--steps", help="only these; the defaults otherwise")
    wanted = words.parse_args()
    configure("CRITICAL")
    steps = tuple(wanted.steps.split(",")) if wanted.steps else None
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        told = _through_the_pipeline(Path(folder), wanted.every, steps)
    print(json.dumps(told, indent=2))
    if told["wrong"]:
        sys.exit(1)


def _through_the_pipeline(
    folder: Path, every: int, steps: tuple[str, ...] | None
) -> dict[str, Any]:
    began = time.monotonic()
    scratch = folder / "tmp"
    scratch.mkdir()
    os.environ["TMPDIR"] = str(scratch)  # of the workers
    planted = write_noise(folder / "secret.wav")
    os.utime(planted, (time.time() - 10 * 86400, time.time()))
    opened_before = planted.stat().st_atime_ns
    config = Settings(data=folder / "data", lease_s=10.0)
    home = open_home(config, engine_of)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        files = folder / "files"
        files.mkdir()
        port = listener.getsockname()[1]
        whole = list(corpus(files, outside=str(planted), port=port))
        all_files = whole[::every]
        died = 0
        with WorkerPool(config) as pool:
            runs, refused = _upload(home, all_files, steps)
            died, hung = _await_all(home, pool, runs)
        reached = _reached(listener)
    outcomes, wrong = _judge(home, runs, hung)
    log = (config.data / "worker.log").read_text(errors="replace")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    raised = [line for line in log.splitlines() if '.raised"' in line]
    problems = {
        "workers died": died,
        "a planted file was opened": planted.stat().st_atime_ns != opened_before,
        "an address was reached": reached,
        f"memory of one process: {peak:,} bytes": peak > MAX_RSS_BYTES,
        "temporary folders left": len(list(scratch.glob(f"{PREFIX}*"))),
        "processes left": len(psutil.Process().children(recursive=True)),
    }
    return {
        "corpus": dict(Counter(each.kind for each in whole)),
        "different": len({each.path.read_bytes() for each in whole}),
        "files": len(all_files),
        "refused before upload": refused,
        "outcomes": dict(outcomes.most_common()),
        "largest process, MiB": peak >> 20,
        "engines that raised what they did not foresee": len(raised),
        "seconds": round(time.monotonic() - began),
        "wrong": wrong + [what for what, bad in problems.items() if bad],
        "raised": sorted({_where(line) for line in raised}),
    }


def _upload(
    home: Home, files: list[Hostile], steps: tuple[str, ...] | None
) -> tuple[dict[str, str], int]:
    """Run id -> the file; and how many were refused at the door."""
    runs, refused = {}, 0
    for hostile in files:
        try:
            landed = upload(home, CTX, hostile.path, Wishes(steps=steps))
        except RushesError:
            refused += 1
            continue
        runs[upload_run_id(landed)] = f"{hostile.path.parent.name}/{hostile.path.name[:40]!r}"
    return runs, refused


def _await_all(home: Home, pool: WorkerPool, runs: dict[str, str]) -> tuple[int, set[str]]:
    """How many workers died, and which runs did not end although no step settled any more."""
    settled = dict.fromkeys(runs, 0)
    waiting, died = set(runs), 0
    moved = time.monotonic()
    while waiting and time.monotonic() - moved < LONGEST_S:
        for run_id in sorted(waiting):
            count, ended = _settled(home, run_id)
            if ended:
                waiting.remove(run_id)
            if ended or count > settled[run_id]:
                settled[run_id], moved = count, time.monotonic()
        died += pool.replace_dead()
        time.sleep(0.5)
    return died, waiting


def _settled(home: Home, run_id: str) -> tuple[int, bool]:
    """How many of its steps have, and whether that is all."""
    try:
        run = run_object(home, CTX, run_id)
    except NotFound:
        return 0, False
    open_steps = [step for step in run["steps"] if step["state"] in ("queued", "running")]
    return len(run["steps"]) - len(open_steps), run["state"] not in ("queued", "running")


def _judge(home: Home, runs: dict[str, str], hung: set[str]) -> tuple[Counter[str], list[str]]:
    outcomes: Counter[str] = Counter()
    wrong = [f"{runs[run_id]} did not end" for run_id in sorted(hung)]
    for run_id in set(runs) - hung:
        for step in run_object(home, CTX, run_id)["steps"]:
            code = step["error"]["code"] if step["error"] else None
            if step["step"] == "probe" or code:
                outcomes[f"{step['step']}: {code or step['state']}"] += 1
            if code and code not in KNOWN:
                wrong.append(f"{runs[run_id]} {step['step']}: {step['error']['message'][:200]}")
    return outcomes, wrong


def _reached(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _where(line: str) -> str:
    """Of a logged exception: its step, and the last line of ours that it passed."""
    told = json.loads(line)
    ours = [
        x
        for x in str(told.get("exception", "")).splitlines()
        if "functions/" in x or "shared/" in x
    ]
    return f"{told.get('step')}: {told.get('error_type')} {ours[-1].strip() if ours else ''}"


if __name__ == "__main__":
    main()
