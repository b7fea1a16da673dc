"""What `make test-fast` holds: it is a choice, and every step has a real case in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from shared.pipeline import STEPS

TESTS = Path(__file__).parents[1]


def marked(kind: str) -> Iterator[tuple[str, list[ast.expr]]]:
    """What tests are given that bear a mark, and all their decorators."""
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if f"mark.{kind}(" in text else ():
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{kind}":
                    yield ast.literal_eval(mark.args[0]), node.decorator_list


def test_every_step_has_its_real_case() -> None:
    cases = list(marked("real_case"))
    assert sorted(step for step, _ in cases) == sorted(step.name for step in STEPS)
    for step, decorators in cases:
        left_out = {"pytest.mark.heavy", "pytest.mark.emulator", "pytest.mark.real_weights"}
        assert not left_out & {ast.unparse(each) for each in decorators}, step
