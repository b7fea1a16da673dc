"""What a function's code imports, read off the sources, and which packages its image brings."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("shared", "functions")


def third_party(start: Iterable[Path], *, lazily: bool = True) -> dict[str, set[str]]:
    """Top-level package -> the files that import it, of all that ``start`` leads to.

    ``lazily``: also what is imported inside functions, once they are called.
    """
    waiting, seen = set(start), set()
    found: dict[str, set[str]] = {}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name in _imported(ast.parse(path.read_text()).body, lazily=lazily):
            top = name.split(".")[0]
            if top in OURS:
                waiting |= set(files_of(name)) - seen
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(str(path.relative_to(ROOT)))
    return found


def _imported(body: Iterable[ast.AST], *, lazily: bool) -> Iterator[str]:
    """Not what is for type checkers alone."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lazily:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imported(ast.iter_child_nodes(node), lazily=lazily)


def files_of(name: str) -> Iterator[Path]:
    """The module and the packages around it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:count])
        yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


def installed(requirements: Iterable[str]) -> set[str]:
    """Normalised names of the requirements' packages and of all that these need."""
    waiting, found = [normalised(line) for line in requirements], set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting += [normalised(line) for line in needs if "extra ==" not in line]
    return found


def packages_of(top: str) -> set[str]:
    """Which packages bring this import."""
    return {normalised(each) for each in _distributions().get(top, [top])}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def normalised(requirement: str) -> str:
    """The package that a requirement names, as indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!;() ]", requirement)[0]).lower()
