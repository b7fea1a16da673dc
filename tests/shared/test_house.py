"""The house: rooms stand on floors, arrows point down, a file's name says which file is meant."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOTS = ("shared", "functions", "infra")
FLOORS = (
    ("shared.errors", "shared.lazy_log", "shared.spent"),
    ("shared.settings", "shared.processes", "shared.folders", "shared.contracts", "shared.weights"),
    ("shared.pipeline", "shared.media", "shared.captions"),
    ("shared.sound",),
    ("shared.audio",),
    ("shared.watch",),
    ("shared.homes",),
    ("shared.steps",),
    ("shared.runs", "shared.editing"),
    ("shared.messages", "shared.interchange"),
    ("functions.wiring",),
    tuple(
        f"functions.{path.parent.name}"
        for path in sorted((ROOT / "functions").glob("*/__init__.py"))
        if path.parent.name != "api"
    ),
    ("functions.api",),
    ("infra.local", "infra.generated"),
    ("infra.command", "infra.capacity", "infra.images", "infra.audit"),
    ("infra.demo",),
)
"""From the ground up. A room may lean on those below it, and on none of its own floor."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
LONGEST_LINES = 400
LONGEST_FUNCTION_LINES = 50


def files() -> Iterator[Path]:
    for root in ROOTS:
        yield from sorted((ROOT / root).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in files()}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


@cache
def arrows(path: Path) -> frozenset[str]:
    """The modules that a file imports, and those that it names to have them imported or run."""
    return frozenset(_arrows(path))


def _arrows(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = "." in node.value and node.value in MODULES
            if dotted or node.value in (f"{root}." for root in ROOTS):
                yield node.value


def wrong_arrows(module: str) -> Iterator[str]:
    """What is wrong with what it leans on."""
    own = room_of(module)
    if own in ROOTS:  # the package's own docstring
        return
    for target in sorted(arrows(MODULES[module])):
        if target.split(".")[0] not in ROOTS or room_of(target) == own:
            continue
        if target.endswith("."):  # a name that is put together: any room of that root
            if own.startswith("shared."):
                yield f"{module} loads what stands below {target}"
        elif not FLOOR[room_of(target)] < FLOOR[own]:
            yield f"{module} leans on {target}"


def test_arrows_point_down() -> None:
    assert [wrong for module in sorted(MODULES) for wrong in wrong_arrows(module)] == []


def test_no_file_leans_on_one_that_leans_on_it() -> None:
    refuse_circles(
        {
            module: {name for name in arrows(path) if name in MODULES and name != module}
            for module, path in MODULES.items()
        }
    )


def test_no_script_of_the_console_leans_on_one_that_leans_on_it() -> None:
    scripts = {path.name: path.read_text() for path in (ROOT / "functions/console/js").glob("*.js")}
    graph = {
        name: {found for found in re.findall(r'from "\./([\w-]+\.js)"', text) if found != name}
        for name, text in scripts.items()
    }
    assert any(graph.values())
    refuse_circles(graph)


def refuse_circles(graph: dict[str, set[str]]) -> None:
    seen: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above[above.index(name) :], name])
        if name not in seen:
            for lower in sorted(graph[name]):
                visit(lower, (*above, name))
            seen.add(name)

    for name in graph:
        visit(name, ())


def test_a_file_is_told_by_its_name() -> None:
    names = Counter(path.name for path in files() if path.name not in ("__init__.py", "main.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_a_file_is_read_in_one_sitting() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in files()}
    assert [path.name for path, lines in lengths.items() if lines > LONGEST_LINES] == []


def test_a_function_fits_on_a_screen() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [name for name, lines in lengths.items() if lines > LONGEST_FUNCTION_LINES] == []


def test_a_newcomer_sees_the_wings_of_shared_at_a_glance() -> None:
    top = [path.name for path in (ROOT / "shared").glob("*.py") if path.name != "__init__.py"]
    assert len(top) <= 8
    wings = [path.parent for path in (ROOT / "shared").glob("*/__init__.py")]
    assert all((wing / "__init__.py").read_text().startswith('"""') for wing in wings)
