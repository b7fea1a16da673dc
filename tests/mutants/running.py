"""Which tests run a line of the core: coverage.py's record of them, by test.

Asked are the fast tests, and the heavy ones of the rooms that mirror the core. What fails in a copy of the
tree without any mutation is left out of what can notice one.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

from tests.mutants.sampling import ROOT, WINGS, Mutant

_MIRRORS = (
    *(f"tests/shared/{wing}" for wing in WINGS),
    *("tests/contract", "tests/functions/api", "tests/functions/webhooks"),
)
QUIET = ("-q", "-p", "no:randomly", "--hypothesis-profile", "quick", "--timeout", "120")
_CONFIG = "\n  ".join(
    ("[run]\nrelative_files = true\nsource =", *(f"shared/{wing}" for wing in WINGS))
)


@dataclass(frozen=True)
class Runs:
    """What the tests of the unchanged tree came by: module -> line -> the tests, and how long each took."""

    tests: dict[str, dict[int, frozenset[str]]]
    took_s: dict[str, float]

    def noticing(self, mutant: Mutant) -> list[str]:
        """The tests to ask, those first that come by most of the module, and of them the quick ones.

        A line that runs when its module is imported may matter to whoever comes by any of the module; one
        of a module in which nothing else runs, to whoever comes by its room.
        """
        lines = self.tests.get(mutant.module, {})
        here = [lines.get(at, frozenset[str]()) for at in _statement(mutant)]
        room = [
            self.tests[name]
            for name in self.tests
            if Path(name).parent == Path(mutant.module).parent
        ]
        around = (here, lines.values(), [tests for one in room for tests in one.values()])
        come_by = next((tests for tests in around if any(tests)), ())
        of_module = Counter(_file(test) for tests in lines.values() for test in tests)
        asked = frozenset[str]().union(*come_by)
        own = f"{Path(mutant.module).parent}/test_{Path(mutant.module).stem}.py"
        return sorted(
            asked,
            key=lambda test: (
                *(not _file(test).endswith(own), -of_module[_file(test)], _file(test)),
                *(self.took_s[test], test),
            ),
        )


def copied(copy: Path) -> None:
    """The tree as it would be committed."""
    told = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(told, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    compiled = ("-m", "compileall", "-q", "shared", "functions", "infra", "tests")
    subprocess.run([sys.executable, *compiled], cwd=copy, check=False)


def watched(copy: Path) -> Runs:
    """Run all tests that may notice a mutant once, in a copy, and see where each comes by."""
    (copy / "coveragerc").write_text(_CONFIG)
    took_s: dict[str, float] = {}
    for marks, places in (("not heavy", ("tests",)), ("heavy", _MIRRORS)):
        report = copy / "build" / "watched.xml"
        chosen = ("-m", f"{marks} and not emulator and not real_weights")
        seen = ("--cov", "--cov-config=coveragerc", "--cov-context=test", "--cov-report=")
        added = ("--cov-append",) if took_s else ()
        told = (*QUIET, *chosen, *seen, *added, "-n", "2", "--dist", "loadfile", *places)
        subprocess.run(
            (sys.executable, "-m", "pytest", *told, f"--junitxml={report}"),
            cwd=copy,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        took_s |= _passed(report)
    return _by_line(copy / ".coverage", took_s)


def _passed(report: Path) -> dict[str, float]:
    """Tests that passed, as JUnit names them -> how long each took, in seconds."""
    return {
        f"{case.get('classname')}.{case.get('name')}": float(case.get("time", 0))
        for case in ElementTree.parse(report).iter("testcase")
        if not any(case.find(what) is not None for what in ("failure", "error", "skipped"))
    }


def _by_line(data: Path, passed: Mapping[str, float]) -> Runs:
    read = CoverageData(str(data))
    read.read()
    named = {context.rpartition("|")[0] for context in read.measured_contexts()}
    took_s = {test: passed[_as_junit(test)] for test in named if _as_junit(test) in passed}
    by_line = {
        module: {
            line: frozenset(context.rpartition("|")[0] for context in contexts) & took_s.keys()
            for line, contexts in read.contexts_by_lineno(module).items()
        }
        for module in read.measured_files()
    }
    return Runs(by_line, took_s)


def _as_junit(test: str) -> str:
    file, _, rest = test.partition("::")
    where, bracket, case = rest.partition("[")
    return (
        ".".join((file.removesuffix(".py").replace("/", "."), *where.split("::"))) + bracket + case
    )


def _file(test: str) -> str:
    return test.partition("::")[0]


def _statement(mutant: Mutant) -> range:
    """The lines of the smallest statement that the mutant is in; of a compound one its head."""
    tree = ast.parse((ROOT / mutant.module).read_text())
    around = (
        (node.lineno, node.body[0].lineno - 1 if hasattr(node, "body") else node.end_lineno or 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
    )
    spans = [range(first, last + 1) for first, last in around if first <= mutant.line <= last]
    return min(spans, key=len, default=range(mutant.line, mutant.line + 1))
