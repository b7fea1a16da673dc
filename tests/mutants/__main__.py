"""Mutates the core, a seeded sample of each module, and counts what its own tests notice.

``python -m tests.mutants [--seed N] [MODULE ...]``: cosmic-ray's operators, each mutant in a copy of the
tree, two at a time, tried by the tests that mirror its module and no others. Writes build/mutants.json with
a diff of each survivor, and exits with 1 where fewer than ``LEAST_KILLED`` were killed.

Left out: adapters that only the emulators can test, and mutants that mean the same (in annotations and
Protocols; ``is`` for ``==``) or do not compile.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import TestOutcome

ROOT = Path(__file__).parents[2]
WINGS = ("steps", "runs", "messages", "homes")
SEED, PER_MODULE, AT_ONCE = 16, 2, 2
LEAST_KILLED = 0.85
_TIMEOUT_S = 240.0
_SAME = ("_Is_Eq", "_IsNot_NotEq", "_Eq_Is", "_NotEq_IsNot")
_EMULATED = frozenset(("google_bus", "google_documents", "google_objects", "google_errors"))

STEPS = ("shared/steps/test_attempt.py", "shared/steps/test_coming_again.py")
MACHINE = ("shared/runs/test_machine.py",)
CONTRACTS = {
    "bus": ("contract/test_bus.py",),
    "documents": (
        *("contract/test_documents.py", "contract/test_document_lists.py"),
        "contract/test_document_content.py",
    ),
    "objects": ("contract/test_objects.py", "shared/homes/objects/test_embedded_objects.py"),
}
MIRRORS: dict[str, tuple[str, ...]] = {
    "shared/steps": (*STEPS, *MACHINE),
    "shared/runs": (*STEPS, "shared/runs/test_opening.py", "shared/runs/test_intake.py", *MACHINE),
    "shared/runs/views.py": ("functions/api/test_reading.py",),
    "shared/runs/uploading.py": ("functions/api/test_uploads.py",),
    "shared/messages": (
        *("shared/messages/test_delivery.py", "shared/messages/test_push.py"),
        *("shared/messages/test_pushes.py", *STEPS),
    ),
    "shared/messages/dead_letters.py": (
        "shared/runs/test_intake.py",
        "functions/api/test_keeping.py",
    ),
    "shared/messages/webhooks.py": (
        *("functions/webhooks/test_sending.py", "functions/webhooks/test_telling.py"),
    ),
    "shared/homes": (*STEPS, "shared/watch/test_health.py"),
    "shared/homes/sqlite.py": (*CONTRACTS["bus"], *CONTRACTS["documents"]),
    "shared/homes/objects/s3.py": ("shared/homes/objects/test_fetch.py",),
    **{f"shared/homes/{room}": tests for room, tests in CONTRACTS.items()},
}
"""A module, or the room that it is in -> the tests that its own file among the tests leaves to them."""


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    operator: str
    occurrence: int
    line: int


@dataclass(frozen=True)
class Tried:
    """What its tests said of it."""

    mutant: Mutant
    killed: bool
    diff: str


def modules(named: Sequence[str]) -> list[str]:
    """The core's modules, or those of them that were named."""
    found = (path for wing in WINGS for path in sorted((ROOT / "shared" / wing).rglob("*.py")))
    paths = [str(path.relative_to(ROOT)) for path in found if path.stem not in _EMULATED]
    return [path for path in paths if not named or path in named]


def tests_of(module: str) -> list[str]:
    """Its own file first, then what its row or its room's row names; paths in the repository."""
    path = Path(module)
    own = f"{path.parent}/test_{path.stem}.py"
    rows = (MIRRORS.get(str(place)) for place in (path, *path.parents))
    named = next(row for row in rows if row)
    known = [own, *named] if (ROOT / "tests" / own).exists() else named
    return list(dict.fromkeys(f"tests/{name}" for name in known))


def sampled(module: str, seed: int) -> list[Mutant]:
    """``PER_MODULE`` mutants that mean something else, each on a line of its own; the same for a seed."""
    everything = list(_all(module))
    random.Random(f"{seed} {module}").shuffle(everything)
    code = (ROOT / module).read_text()
    telling: dict[int, Mutant] = {}
    for mutant in everything:
        if len(telling) == PER_MODULE:
            break
        changed = _mutated(code, mutant) if mutant.line not in telling else None
        if changed is not None and _meaning(changed) not in (None, _meaning(code)):
            telling[mutant.line] = mutant
    return list(telling.values())


def _all(module: str) -> Iterator[Mutant]:
    tree = get_ast((ROOT / module).read_text())
    for name in operator_names():
        operator = get_operator(name)
        if name.endswith(_SAME) or operator.arguments():
            continue
        places = (
            start for node in ast_nodes(tree) for start, _ in operator().mutation_positions(node)
        )
        for occurrence, (line, _) in enumerate(places):
            yield Mutant(module, name, occurrence, line)


def _mutated(code: str, mutant: Mutant) -> str | None:
    operator = get_operator(mutant.operator)()
    try:
        changed: str | None = mutate_code(code, operator, mutant.occurrence)
    except AttributeError:  # e.g. an exception that is named by a dotted path
        return None
    return changed


def _meaning(code: str) -> str | None:
    """What the code does when it runs; ``None`` if it does not compile."""
    with warnings.catch_warnings(action="ignore"):
        try:
            compile(code, "mutant", "exec")
        except SyntaxError:
            return None
        tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arguments):  # `/` and `*` in a signature say how it may be called
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.defaults += [default for default in node.kw_defaults if default]
            node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases):
            node.body = []
    return ast.dump(tree)


def _command(tests: Sequence[str]) -> str:
    told = "-m pytest -x -q -p no:randomly -p no:xdist --timeout 120"
    return f"{sys.executable} {told} -m 'not emulator and not heavy' {' '.join(tests)}"


def _in_a_copy(folder: str) -> None:
    """Give this worker a tree of its own, and stand in it."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    for name in ("shared", "functions", "infra", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    subprocess.run([sys.executable, "-m", "compileall", "-q", *(copy.iterdir())], check=False)
    os.chdir(copy)


def _passes(test: str) -> bool:
    return run_tests(_command([test]), _TIMEOUT_S)[0] is TestOutcome.SURVIVED


def _try(mutant: Mutant) -> Tried:
    path = Path(mutant.module)
    code = path.read_text()
    changed = _mutated(code, mutant)
    assert changed is not None
    path.write_text(changed)
    try:
        outcome, _ = run_tests(_command(tests_of(mutant.module)), _TIMEOUT_S)
    finally:
        path.write_text(code)
    pairs = zip(code.splitlines(), changed.splitlines(), strict=False)
    diff = "\n".join(f"-{old}\n+{new}" for old, new in pairs if old != new)
    return Tried(mutant, outcome is not TestOutcome.SURVIVED, diff)


def main(words: Sequence[str]) -> int:
    """Try the sample; the exit code."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all of the core unless named")
    parser.add_argument("--seed", type=int, default=SEED, help=f"another sample than {SEED}'s")
    asked = parser.parse_args(words)
    chosen = modules(asked.modules)
    mutants = [mutant for module in chosen for mutant in sampled(module, asked.seed)]
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(AT_ONCE, initializer=_in_a_copy, initargs=(folder,)) as pool,
    ):
        tests = sorted({test for module in chosen for test in tests_of(module)})
        passed = pool.map(_passes, tests)
        broken = [test for test, fine in zip(tests, passed, strict=True) if not fine]
        if broken:
            print(f"fail without any mutation: {', '.join(broken)}")
            return 2
        tried = []
        for result in pool.map(_try, mutants):
            tried.append(result)
            print(f"{len(tried)} of {len(mutants)}", end="\r", flush=True)
            if not result.killed:
                print(
                    f"survived: {result.mutant.module}:{result.mutant.line}\n{result.diff}",
                    flush=True,
                )
    killed = sum(result.killed for result in tried)
    share = killed / len(tried)
    report = ROOT / "build" / "mutants.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(
        json.dumps([asdict(result) for result in tried if not result.killed], indent=2)
    )
    took_s = time.monotonic() - started
    print(
        f"{killed} of {len(tried)} mutants killed ({share:.0%}) in {took_s:.0f} s; seed {asked.seed}"
    )
    return 0 if share >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
