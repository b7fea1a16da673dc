from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.render.origin import ENGINE, OriginParams, map_origins
from shared.contracts.asset import MediaInfo
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.shot_list import ShotList
from shared.contracts.step_engine import InputFile, Job
from shared.errors import NotFound, ValidationError

SEMANTICS: dict[str, Any] = {
    "duration_ms": 10_000,
    "events": [
        {"kind": "silence", "start_ms": 0, "end_ms": 700},
        {"kind": "speech", "start_ms": 700, "end_ms": 3000},
        {"kind": "silence", "start_ms": 3000, "end_ms": 3600},
        {"kind": "speech", "start_ms": 3600, "end_ms": 5000},
        {"kind": "music", "start_ms": 5000, "end_ms": 9500},
        {"kind": "silence", "start_ms": 9500, "end_ms": 10_000},
    ],
    "beats": [{"time_ms": at} for at in (500, 1000, 1500, 5000)],
    "meta": {"semantic_version": "audio_semantic_v2", "audio_semantic_cache_key": "the|key"},
}


def shots(*clips: dict[str, Any], **params: Any) -> ShotList:
    return map_origins(
        OriginParams.model_validate({"clips": clips, **params}),
        {"ast_1": SemanticTimeline.model_validate(SEMANTICS)},
        "ast_1",
    )


def clip(start_ms: int, end_ms: int, **more: Any) -> dict[str, Any]:
    return {"start_ms": start_ms, "end_ms": end_ms, **more}


def test_a_shot_begins_with_the_first_speech() -> None:
    found = shots(clip(0, 2000), clip(1000, 2000), clip(3000, 5000))
    assert [(shot.source_start_ms, shot.source_end_ms) for shot in found.shots] == [
        (700, 2700),
        (1000, 2000),
        (3600, 5600),
    ]
    assert [shot.meta.semantic_offset_ms for shot in found.shots] == [700, 0, 600]
    assert [shot.target_start_ms for shot in found.shots] == [0, 2000, 3000]


def test_meta_says_which_semantics_moved_it() -> None:
    found = shots(clip(0, 2000, clip_id="clp_1"))
    for meta in (found.shots[0].meta, found.meta):
        assert meta.semantic_version == "audio_semantic_v2"
        assert meta.semantic_cache_key == "the|key"
    assert found.shots[0].clip_id == "clp_1" and found.meta.notices == ()


@pytest.mark.parametrize(
    ("snap", "start_ms", "moved_to"),
    [("beat", 0, 500), ("beat", 1100, 1000), ("pause", 2800, 3000), ("pause", 100, 700)],
)
def test_shots_snap(snap: str, start_ms: int, moved_to: int) -> None:
    shot = shots(clip(start_ms, start_ms + 1500), snap=snap).shots[0]
    assert shot.source_start_ms == moved_to
    assert shot.source_end_ms - shot.source_start_ms == 1500


def test_what_is_too_far_to_snap_stays_and_says_so() -> None:
    found = shots(clip(2000, 3000), snap="beat", snap_within_ms=100)
    assert found.shots[0].source_start_ms == 2000
    assert found.shots[0].meta.snapped_to is None
    assert found.meta.notices == ("no beat is near enough to a clip's start",)


def test_a_clip_without_speech_is_not_moved_to_it() -> None:
    found = shots(clip(5200, 6000))
    assert (found.shots[0].source_start_ms, found.shots[0].meta.semantic_offset_ms) == (5200, 0)
    assert found.meta.notices == ("nobody speaks in a clip: it is not moved to speech",)


def test_overrides_of_upstream_artifacts_are_kept_and_counted() -> None:
    shot = shots(clip(0, 1000, source_asset_id="ast_video", source_start_ms=20_000)).shots[0]
    assert (shot.source_asset_id, shot.source_start_ms) == ("ast_video", 20_700)
    assert (shot.meta.source_asset_id, shot.meta.source_start_ms) == ("ast_video", 20_000)


def test_speed_shortens_the_target_alone() -> None:
    shot = shots(clip(1000, 3000, speed=2.0)).shots[0]
    assert (shot.target_duration_ms, shot.source_end_ms - shot.source_start_ms) == (1000, 2000)


def test_a_shot_ends_with_its_source() -> None:
    found = shots(clip(0, 10_000))
    assert found.shots[0].source_end_ms == 10_000
    assert found.shots[0].target_duration_ms == 9300
    assert found.meta.notices == ("a shot is cut short at its source's end",)
    with pytest.raises(ValidationError, match=r"clips\.0\.start_ms"):
        shots(clip(10_000, 11_000))


def test_missing_semantics_are_an_error_or_a_notice_as_asked() -> None:
    elsewhere = clip(0, 1000, asset_id="ast_2")
    with pytest.raises(NotFound, match="ast_2"):
        shots(elsewhere)
    found = shots(elsewhere, clip(0, 1000), missing_semantics="notice")
    assert [shot.source_start_ms for shot in found.shots] == [0, 700]
    assert found.shots[0].meta.semantic_version is None
    assert "ast_2 has no semantic timeline" in found.meta.notices[0]


def job(folder: Path, semantics: str) -> Job:
    path = folder / "timeline.json"
    path.write_text(semantics)
    given = InputFile("art_1", "audio_semantic_timeline", path, {})
    media = MediaInfo(container="wav", duration_ms=10_000)
    inputs = {"transcribe.semantics": [given]}
    return Job(path, media, folder, lambda _: None, inputs, asset_id="ast_1")


@pytest.mark.real_case("render.origin")
def test_the_step_writes_a_shot_list(tmp_path: Path) -> None:
    params = OriginParams.model_validate({"clips": [clip(0, 2000)]})
    output = ENGINE.run(job(tmp_path, json.dumps(SEMANTICS)), params, ENGINE.backend()).outputs[0]
    assert json.loads(output.path.read_text())["shots"][0]["source_start_ms"] == 700
    assert (output.kind, output.parents) == ("video_shot_list", ("art_1",))
    assert output.meta["shot_count"] == 1


def test_the_step_refuses_other_assets_and_broken_semantic_timelines(tmp_path: Path) -> None:
    other = OriginParams.model_validate({"clips": [clip(0, 2000, asset_id="ast_2")]})
    with pytest.raises(ValidationError, match="clips"):
        ENGINE.run(job(tmp_path, json.dumps(SEMANTICS)), other, ENGINE.backend())
    own = OriginParams.model_validate({"clips": [clip(0, 2000)]})
    with pytest.raises(ValidationError, match="no semantic timeline"):
        ENGINE.run(job(tmp_path, "{}"), own, ENGINE.backend())
