"""What a function's code imports, read off the sources, and which packages its image brings."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("shared", "functions")


def third_party(function: str) -> dict[str, set[str]]:
    """Top-level package -> the files that import it, of all that the function's files lead to."""
    todo, seen = set((ROOT / "functions" / function).rglob("*.py")), set()
    found: dict[str, set[str]] = {}
    while todo:
        path = todo.pop()
        seen.add(path)
        for name in _imported(path):
            top = name.split(".")[0]
            if top in OURS:
                todo |= set(_files_of(name)) - seen
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(str(path.relative_to(ROOT)))
    return found


def _imported(path: Path) -> Iterator[str]:
    """Also inside functions; not for type checkers alone."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(name: str) -> Iterator[Path]:
    """The module and the packages around it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:count])
        yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


def installed(requirements: Iterable[str]) -> set[str]:
    """Normalised names of the requirements' packages and of all that these need."""
    todo, found = [_name(line) for line in requirements], set()
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        todo += [_name(line) for line in needs if "extra ==" not in line]
    return found


def packages_of(top: str) -> set[str]:
    """Which packages bring this import."""
    return {_name(each) for each in importlib.metadata.packages_distributions().get(top, [top])}


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!;() ]", requirement)[0]).lower()
