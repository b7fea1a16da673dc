"""The one table: everything that is derived from it, or must agree with it, does."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from functions.wiring import engine_of
from shared import pipeline
from shared.contracts.artifact import KIND_META
from shared.contracts.ids import STEP_PATTERN
from shared.homes.home import consumed_topics
from shared.pipeline import STEPS, Step

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_each_row_has_its_engine_and_known_kinds(row: Step) -> None:
    import re

    assert re.fullmatch(STEP_PATTERN, row.name)
    assert set(row.produces) <= set(KIND_META)
    engine = engine_of(row)
    assert engine.params.model_config["extra"] == "forbid"
    if row.default:
        engine.params()  # every param has a default, or an upload could not run it


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_what_is_read_is_made_by_an_earlier_step(row: Step) -> None:
    names = [step.name for step in STEPS]
    for need, kinds in row.reads.items():
        assert names.index(need) < names.index(row.name)
        assert set(kinds) <= set(pipeline.BY_NAME[need].produces)


@pytest.mark.parametrize("function", sorted(set(consumed_topics().values())))
def test_each_function_has_a_trigger_under_sixty_lines(function: str) -> None:
    module = importlib.import_module(f"functions.{function}.main")
    assert callable(module.handle) and callable(module.main)
    text = (ROOT / "functions" / function / "main.py").read_text()
    assert len(text.splitlines()) < 60


def test_engines_never_import_an_adapter_or_a_cloud() -> None:
    forbidden = (
        "google",
        "boto3",
        "flask",
        "functions_framework",
        "shared.homes.home",
        "shared.steps.attempt",
    )
    for path in (ROOT / "functions").rglob("*.py"):
        if path.name in ("main.py", "wiring.py") or path.parts[-2] in ("sweep", "webhooks", "api"):
            continue
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert not words[1].startswith(forbidden), f"{path}: {line}"


def test_with_needs_closes_over_what_is_needed() -> None:
    for row in STEPS:
        closed = pipeline.with_needs([row.name])
        assert all(set(pipeline.BY_NAME[name].needs) <= set(closed) for name in closed)
