"""Which mutants are tried: cosmic-ray's operators, a seeded sample of each module of the core.

Left out: adapters that only the emulators can test, and mutants that mean the same (in annotations and
Protocols; a dataclass that is frozen, which types hold, too; ``is`` for ``==``) or do not compile.
"""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[2]
WINGS = ("steps", "runs", "messages", "homes")
PER_MODULE = 2
_SAME = ("_Is_Eq", "_IsNot_NotEq", "_Eq_Is", "_NotEq_IsNot")
_EMULATED = frozenset(
    (
        "google_bus",
        "google_documents",
        "google_objects",
        "google_errors",
        "google_retry",
        "firestore_client",
    )
)


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    operator: str
    occurrence: int
    line: int


def modules(named: Sequence[str]) -> list[str]:
    """The core's modules, or those of them that were named."""
    found = (path for wing in WINGS for path in sorted((ROOT / "shared" / wing).rglob("*.py")))
    paths = [str(path.relative_to(ROOT)) for path in found if path.stem not in _EMULATED]
    return [path for path in paths if not named or path in named]


def sampled(module: str, seed: int) -> list[Mutant]:
    """``PER_MODULE`` mutants that mean something else, each on a line of its own; the same for a seed."""
    everything = list(_all(module))
    random.Random(f"{seed} {module}").shuffle(everything)
    code = (ROOT / module).read_text()
    telling: dict[int, Mutant] = {}
    for mutant in everything:
        if len(telling) == PER_MODULE:
            break
        changed = mutated(code, mutant) if mutant.line not in telling else None
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


def mutated(code: str, mutant: Mutant) -> str | None:
    """The module's code with the change; ``None`` where the operator can't make it."""
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
        elif isinstance(node, ast.ClassDef):
            if "Protocol" in map(ast.unparse, node.bases):
                node.body = []
            for call in (one for one in node.decorator_list if isinstance(one, ast.Call)):
                call.keywords = [one for one in call.keywords if one.arg != "frozen"]
    return ast.dump(tree)
