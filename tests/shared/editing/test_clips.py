from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError as PydanticError

from functions.wiring import engine_of
from shared.contracts.clip import Clip
from shared.contracts.context import RequestContext
from shared.editing.clips import load_clip, register_clip, semantic_timeline_by_clip
from shared.errors import NotFound, ValidationError
from shared.homes.home import Home, open_home
from shared.settings import Settings
from tests.shared.editing.test_slices import SUMMARY

CTX = RequestContext(tenant_id="t1", env="dev")
OTHER = RequestContext(tenant_id="t2", env="dev")
CLIP = Clip(asset_id="ast_1", start_ms=1500, end_ms=3500)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = open_home(Settings(data=tmp_path / "data"), engine_of)
    made.documents.create("tenants/t1/envs/dev/assets/ast_1", {"asset_id": "ast_1"})
    return made


def store_semantic_timeline(home: Home, identifier: str, backend: str) -> None:
    key = f"{CTX.object_prefix}media_v2/ast_1/audio_semantic_timeline/{identifier}.json"
    source = home.settings.data / "timeline.json"
    source.write_text(json.dumps({**SUMMARY, "meta": {"backend": backend}}))
    home.objects.put(key, source, content_type="application/json")
    artifact = {
        **{"artifact_id": identifier, "kind": "audio_semantic_timeline", "asset_id": "ast_1"},
        **{"tenant_id": "t1", "env": "dev", "key": key, "uri": home.objects.uri(key), "bytes": 1},
        **{"content_type": "application/json", "sha256": "", "meta": {}},
    }
    home.documents.put(f"tenants/t1/envs/dev/artifacts/{identifier}", artifact)


def test_the_same_clip_is_one_document(home: Home) -> None:
    assert register_clip(home.documents, CTX, CLIP) == register_clip(home.documents, CTX, CLIP)


def test_a_slice_of_the_newest_semantic_timeline(home: Home) -> None:
    store_semantic_timeline(home, "art_b", "old")
    store_semantic_timeline(home, "art_a", "new")
    answer = semantic_timeline_by_clip(
        home.documents, home.objects, CTX, register_clip(home.documents, CTX, CLIP)
    )
    assert answer["audio_semantic_artifact_id"] == "art_a"
    assert answer["summary"]["meta"]["backend"] == "new"
    assert answer["summary"]["meta"]["clip_relative"] is True


def test_what_is_not_there_is_not_found(home: Home) -> None:
    with pytest.raises(NotFound, match="asset"):
        register_clip(home.documents, CTX, CLIP.model_copy(update={"asset_id": "ast_2"}))
    clip_id = register_clip(home.documents, CTX, CLIP)
    with pytest.raises(NotFound, match="semantic timeline"):
        semantic_timeline_by_clip(home.documents, home.objects, CTX, clip_id)
    with pytest.raises(NotFound, match="clip"):
        load_clip(home.documents, OTHER, clip_id)
    with pytest.raises(ValidationError, match="clip_id"):
        load_clip(home.documents, CTX, "../x")


def test_a_clip_has_a_window() -> None:
    for window in ({"start_ms": 5, "end_ms": 5}, {"start_ms": -1, "end_ms": 5}):
        with pytest.raises(PydanticError):
            Clip(asset_id="ast_1", **window)
