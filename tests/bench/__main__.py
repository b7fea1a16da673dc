"""Measure beside the bare tools, and print one table.

python -m tests.bench                  all that stands in the table, in about a quarter of an hour
python -m tests.bench NAME...          ``bench_NAME.py`` alone, whose rows take the place of those before
python -m tests.bench long NAME...     its longest recordings, which the table has no time for
python -m tests.bench keep             what was measured last is what is compared with, and told in the docs

Each bench runs in a process of its own, as long as its bound allows. What it measured stands in
``build/bench/table.json`` from then on, whatever happens to the next; a bench that broke is a row that
says so, and ``build/bench/NAME.log`` has its words.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.bench.report import OUT, ROOT, TABLE, Row, keep, loaded, show

BOUNDS_S: Mapping[str, float] = {
    "backbone": 400,
    "flat": 240,
    "api": 150,
    "media": 90,
    "run": 300,
    "detect": 500,
    "transcribe": 240,
    "transform": 240,
    "video": 600,
    "mix": 240,
}
"""What stands in the table, and how long each may take: three times what it does on a quiet machine."""
_OTHERS_S = 14_400.0
_MOST_WORDS = 200
_LEAVE_S = 20.0
"""So long a bench has to stop what it started."""


def run(name: str, *, at_length: bool = False) -> dict[str, Any]:
    """One bench in a process of its own: its rows, how long it took, how busy the machine was before."""
    OUT.mkdir(parents=True, exist_ok=True)
    told = OUT / f"{name}.jsonl"
    told.unlink(missing_ok=True)
    bound_s = _OTHERS_S if at_length else BOUNDS_S.get(name, _OTHERS_S)
    load, begun = os.getloadavg()[0], time.monotonic()
    how = "long" if at_length else "usual"
    with (OUT / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.alone", name, how, told],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        why = _ended(process, bound_s)
    rows = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    if why:
        words = f"{why}: {_last_line(OUT / f'{name}.log')}"
        rows.append(Row(f"{name}, the rest of it", None, None, "", why=words).content())
    seconds = round(time.monotonic() - begun, 1)
    return {"cores": os.cpu_count(), "load": round(load, 2), "seconds": seconds, "rows": rows}


def _ended(process: subprocess.Popen[bytes], bound_s: float) -> str:
    """Why it did not end well; empty if it did. Nothing of it is left."""
    try:
        code = process.wait(bound_s)
        return f"it broke (exit code {code})" if code else ""
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)
        return f"it took longer than {bound_s:.0f} s"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(log: Path) -> str:
    """What a bench said last, of an error its name and words."""
    lines = log.read_text(errors="replace").split("\n")
    return next(
        (line[-_MOST_WORDS:] for line in reversed(lines) if line.strip()), "it said nothing"
    )


def measure(names: Sequence[str], *, at_length: bool = False) -> None:
    """Run these, and show what came out; all of them begin a new table."""
    table = {} if list(names) == list(BOUNDS_S) or at_length else loaded(TABLE)
    for name in names:
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        table[name] = run(name, at_length=at_length)
        if not at_length:
            table = {one: table[one] for one in sorted(table, key=_place)}
            TABLE.write_text(json.dumps(table, indent=1) + "\n")
    show({name: table[name] for name in names})


def _place(name: str) -> tuple[int, str]:
    order = list(BOUNDS_S)
    return (order.index(name) if name in order else len(order), name)


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("ended from outside")
    )  # and its bench with it
    match sys.argv[1:]:
        case ["keep"]:
            keep()
        case ["long", *names]:
            measure(names, at_length=True)
        case names:
            measure(names or list(BOUNDS_S))
