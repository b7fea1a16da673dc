"""The one table: everything that is derived from it, or must agree with it, does."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from functions.wiring import engine_of
from shared import pipeline
from shared.contracts.artifact import COMMON_META, Artifact, check_artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import STEP_PATTERN
from shared.contracts.row import Step
from shared.errors import ValidationError
from shared.homes.home import consumed_topics
from shared.pipeline import STEPS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_each_row_has_its_engine(row: Step) -> None:
    import re

    assert re.fullmatch(STEP_PATTERN, row.name)
    engine = engine_of(row)
    assert engine.params.model_config["extra"] == "forbid"
    if row.default:
        engine.params()  # every param has a default, or an upload could not run it


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_what_is_read_is_made_by_an_earlier_step(row: Step) -> None:
    names = [step.name for step in STEPS]
    for need, kinds in row.reads.items():
        assert names.index(need) < names.index(row.name)
        assert set(kinds) <= {kind.name for kind in pipeline.BY_NAME[need].produces}


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


@pytest.mark.parametrize("row", [row for row in STEPS if row.shares], ids=lambda row: row.name)
def test_what_is_shared_is_a_param_of_each_that_reads(row: Step) -> None:
    readers = pipeline.followers(row.name, pipeline.BY_NAME)
    for one in (row, *(other for other in readers if row.name in other.needs)):
        assert set(row.shares) <= set(engine_of(one).params.model_fields), one.name


def test_people_tell_steps_and_kinds_apart() -> None:
    titles = [row.title for row in STEPS]
    assert all(titles) and len(set(titles)) == len(titles)
    assert pipeline.title_of("probe") == "Read"
    assert pipeline.title_of("gone.step") == "gone.step", "runs of an older release are shown, too"
    assert all(kind.title for kind in pipeline.KINDS.values())


def test_a_kind_means_the_same_whichever_step_makes_it() -> None:
    made = {kind for row in STEPS for kind in row.produces}
    assert made == set(pipeline.KINDS.values())
    places = [kind.folder or kind.name for kind in made]
    assert len(set(places)) == len(places), "two kinds in one folder of the bucket"


CTX = RequestContext(tenant_id="t1", env="dev")


def artifact_of(kind: str, meta: dict[str, object]) -> Artifact:
    folder = pipeline.KINDS[kind].folder or kind
    return Artifact(
        artifact_id="art_1",
        kind=kind,
        asset_id="ast_1",
        tenant_id="t1",
        env="dev",
        key=f"tenants/t1/dev/media_v2/ast_1/{folder}/art_1.wav",
        uri="file:///art_1.wav",
        content_type="audio/wav",
        sha256="0" * 64,
        bytes=1,
        meta=meta,
    )


@pytest.mark.parametrize("name", sorted(pipeline.KINDS))
def test_registration_refuses_what_lacks_the_meta_of_its_kind(name: str) -> None:
    kind = pipeline.kind_named(name)
    whole: dict[str, object] = dict.fromkeys((*COMMON_META, *kind.demands), 0)
    check_artifact(artifact_of(name, whole), CTX, kind)
    for missing in whole:
        meta = {key: value for key, value in whole.items() if key != missing}
        with pytest.raises(ValidationError, match=f"demanded of every {name}"):
            check_artifact(artifact_of(name, meta), CTX, kind)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="audio_hits"):
        pipeline.kind_named("audio_hitz")
