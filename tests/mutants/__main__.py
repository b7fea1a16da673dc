"""Mutates the core, a seeded sample of each module, and counts what the tests notice.

``python -m tests.mutants [--seed N] [MODULE ...]``: first all tests that may notice run once, in a copy of
the tree, watched by coverage.py; then each mutant, two at a time, is tried by the tests that come by its
statement, until one fails. One that nobody comes by, or that nobody has noticed after ``LIMIT_S``,
survives. Writes build/mutants.json with a diff of each survivor, and exits with 1 where fewer than
``LEAST_KILLED`` were killed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from difflib import ndiff
from pathlib import Path

from tests.mutants.running import QUIET, copied, watched
from tests.mutants.sampling import ROOT, Mutant, modules, mutated, sampled

SEED, AT_ONCE = 16, 2
LEAST_KILLED = 0.85
LIMIT_S = 240.0


@dataclass(frozen=True)
class Tried:
    """What the tests said of it."""

    mutant: Mutant
    killed: bool
    asked: int
    diff: str


def _in_a_copy(folder: str) -> None:
    """Give this worker a tree of its own, and stand in it."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    copied(copy)
    os.chdir(copy)


def _try(mutant: Mutant, tests: Sequence[str]) -> Tried:
    path = Path(mutant.module)
    code = path.read_text()
    changed = mutated(code, mutant)
    assert changed is not None
    path.write_text(changed)
    try:
        failed = _noticed(tests) if tests else None
    finally:
        path.write_text(code)
    # What fails without the mutation, too, where it is asked alone, has not noticed it.
    killed = failed is not None and (not failed or _noticed(failed) is None)
    diff = [line for line in ndiff(code.splitlines(), changed.splitlines()) if line[0] in "+-"]
    return Tried(mutant, killed, len(tests), "\n".join(diff))


def _noticed(tests: Sequence[str]) -> list[str] | None:
    """The tests that failed, or no name where nothing could be collected; ``None`` if all passed in time."""
    Path("asked").write_text("\n".join(tests))
    told = (*QUIET, "-x", "-rfE", "-p", "no:xdist", "-p", "no:cov", "@asked")
    try:
        asked = subprocess.run(
            (sys.executable, "-m", "pytest", *told),
            check=False,
            timeout=LIMIT_S,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return None
    named = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", asked.stdout, re.MULTILINE)
    return [name for name in tests if name in named] if asked.returncode else None


def main(words: Sequence[str]) -> int:
    """Try the sample; the exit code."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all of the core unless named")
    parser.add_argument("--seed", type=int, default=SEED, help=f"another sample than {SEED}'s")
    asked = parser.parse_args(words)
    mutants = [mutant for name in modules(asked.modules) for mutant in sampled(name, asked.seed)]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        copied(whole)
        runs = watched(whole)
        everything = sorted(runs.took_s)
        (whole / "asked").write_text("\n".join(everything))
        known = (sys.executable, "-m", "pytest", "-q", "--collect-only", "@asked")
        subprocess.run(known, cwd=whole, check=True, stdout=subprocess.DEVNULL)
        print(f"{len(everything)} tests passed, {time.monotonic() - started:.0f} s", flush=True)
        tried: list[Tried] = []
        with ProcessPoolExecutor(AT_ONCE, initializer=_in_a_copy, initargs=(folder,)) as pool:
            for result in pool.map(_try, mutants, map(runs.noticing, mutants)):
                tried.append(result)
                if not result.killed:
                    where = f"{result.mutant.module}:{result.mutant.line}"
                    print(f"survived {result.asked} tests: {where}\n{result.diff}", flush=True)
    survivors = [asdict(result) for result in tried if not result.killed]
    report = ROOT / "build" / "mutants.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps(survivors, indent=2))
    killed = len(tried) - len(survivors)
    share = killed / len(tried)
    took_s = time.monotonic() - started
    print(
        f"{killed} of {len(tried)} mutants killed ({share:.0%}) in {took_s:.0f} s; seed {asked.seed}"
    )
    return 0 if share >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
