"""How benches measure: processor seconds before all, which neighbours on the machine hardly change."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 3
TOOLS = Path(os.environ.get("BENCH_TOOLS", ROOT / "build" / "bench" / "tools"))
"""Tools that nothing of ours leans on: `make bench` installs them there."""

INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment in which our modules are compiled once, as an installation's are and others' are here."""

# A slim interpreter between: what a large caller holds would count as the memory of what it starts.
_MEASURED = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Cost:
    """Of a command and all that it starts."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    """Of the largest of its processes."""


def cost_of(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command. Raises ``CalledProcessError`` for one that fails."""
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, command)],
        env={**INSTALLED, "PYTHONPATH": str(ROOT), **(environment or {})},
        check=True,
        stdout=subprocess.PIPE,
    )
    return Cost(*json.loads(ran.stdout))


def with_tools() -> dict[str, str]:
    """The environment that finds them. Raises ``FileNotFoundError`` where they are not installed."""
    if not TOOLS.is_dir():
        raise FileNotFoundError(f"{TOOLS} lacks: make bench installs it")
    return {"PYTHONPATH": f"{ROOT}:{TOOLS}", "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}"}


def cheapest(*works: Callable[[], Cost], rounds: int = ROUNDS) -> list[Cost]:
    """Each one's round of least processor time, run in turn so that a busy machine hurts all alike."""
    taken = [[work() for work in works] for _ in range(rounds)]
    return [min(costs, key=lambda cost: cost.cpu_s) for costs in zip(*taken, strict=True)]


def cpu_s(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The least processor seconds of each, what it starts and waits for included, run in turn."""
    taken = [[_cpu_s(work) for work in works] for _ in range(rounds)]
    return [min(times) for times in zip(*taken, strict=True)]


def _cpu_s(work: Callable[[], object]) -> float:
    begun = _used_s()
    work()
    return _used_s() - begun


def _used_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def wall_s(work: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    """The least time by the clock."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)
