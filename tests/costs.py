"""What each test costs: processor seconds of its worker and of every program started from there.

    make test-costs [WHAT="tests/functions/render -m heavy"]

writes ``build/test-costs.tsv``, a row for each test, and ``build/test-costs-files.tsv``, one for each file,
dearest first, and says what the folders come to. Processor seconds hold on a busy machine, where others take
turns with them; what a second run differs by, caches and a processor's other half, is some 10 %.

- ``cpu_s`` is the time of the worker and of its descendants, alive or waited for: also of an emulator or
  browser that serves many tests, in the test in which it worked. What orphans took since the report before
  they ended is lost.
- ``setup_s`` is the part of it before the test: what is made once for many is paid by the first that asks.
- ``waited_s`` is how much longer it took than that. Many threads make it negative; a busy machine adds to it.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_TICKS = os.sysconf("SC_CLK_TCK")
_SHOWN = 25


def _descendants_s(pid: str = "self") -> float:
    """Processor seconds of all that a process has started, to a hundredth each (proc(5): stat, children)."""
    spent = 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent += sum(map(int, fields[13:15] if pid == "self" else fields[11:15])) / _TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            spent += sum(map(_descendants_s, (task / "children").read_text().split()))
    except OSError:  # it has ended meanwhile; what it took is its parent's next time
        pass
    return spent


def _idle_s() -> tuple[float, float]:
    """What this machine's processors have idled, and all they had, since it started."""
    fields = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (fields[3] + fields[4]) / _TICKS, sum(fields) / _TICKS


@dataclass
class _Cost:
    cpu_s: float = 0.0
    setup_s: float = 0.0
    wall_s: float = 0.0
    tests: int = 0

    def add(self, other: _Cost) -> None:
        self.cpu_s += other.cpu_s
        self.setup_s += other.setup_s
        self.wall_s += other.wall_s
        self.tests += other.tests

    @property
    def row(self) -> str:
        waited_s = self.wall_s - self.cpu_s
        return f"{self.cpu_s:.3f}\t{self.setup_s:.3f}\t{waited_s:.3f}\t{self.tests}"


class Worker:
    """Notes with each report what has been spent since the one before it."""

    def __init__(self) -> None:
        self._last = self._now()

    def _now(self) -> tuple[float, float]:
        return time.process_time() + _descendants_s(), time.perf_counter()

    def pytest_runtest_logstart(self) -> None:
        self._last = self._now()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        now = self._now()
        # Less than before: somebody has ended whose time nobody took over (a browser's processes, once it is
        # gone, are nobody's children). The tests in which they worked have it, and keep it.
        report.spent = (max(now[0] - self._last[0], 0.0), now[1] - self._last[1])
        self._last = now
        return report


class Table:
    """Where the reports of all workers come together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.costs: defaultdict[str, _Cost] = defaultdict(_Cost)
        self.started = (time.perf_counter(), _idle_s())

    def pytest_runtest_logreport(self, report: Any) -> None:
        cpu_s, wall_s = report.spent
        before = report.when == "setup"
        self.costs[report.nodeid].add(_Cost(cpu_s, cpu_s if before else 0.0, wall_s, int(before)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        tests = sorted(self.costs, key=lambda test: -self.costs[test].cpu_s)
        _write(self.path, tests, self.costs)
        files = self._by(lambda test: test.partition("::")[0])
        _write(self.path.with_stem(f"{self.path.stem}-files"), list(files), files)
        folders = self._by(lambda test: "/".join(test.partition("::")[0].split("/")[:-1][:3]))
        wall_s = time.perf_counter() - self.started[0]
        idle, had = (now - then for now, then in zip(_idle_s(), self.started[1], strict=True))
        write = terminalreporter.write_line
        terminalreporter.section(f"what tests cost: {self.path}")
        write("   cpu s    setup   waited  tests")
        total = self._by(lambda _: f"all, in {wall_s:.0f} s; processors idle {idle / had:.0%}")
        for name, cost in [*total.items(), *list(folders.items())[:_SHOWN]]:
            waited_s = cost.wall_s - cost.cpu_s
            write(f"{cost.cpu_s:8.1f} {cost.setup_s:8.1f} {waited_s:8.1f} {cost.tests:6} {name}")

    def _by(self, name_of: Any) -> dict[str, _Cost]:
        sums: defaultdict[str, _Cost] = defaultdict(_Cost)
        for test, cost in self.costs.items():
            sums[name_of(test)].add(cost)
        return dict(sorted(sums.items(), key=lambda item: -item[1].cpu_s))


def _write(path: Path, names: list[str], costs: dict[str, _Cost]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{costs[name].row}\t{name}" for name in names]
    path.write_text("\n".join(["cpu_s\tsetup_s\twaited_s\ttests\tname", *rows, ""]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--costs", type=Path, default=Path("build/test-costs.tsv"), help="where to write them"
    )


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Worker())
    if not is_worker:
        config.pluginmanager.register(Table(config.getoption("costs")))
