from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.clip import Clip
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.editing.slices import slice_semantic_timeline
from shared.errors import ValidationError


def word(start_ms: int, end_ms: int, text: str) -> dict[str, Any]:
    times = {"start_ms": start_ms, "end_ms": end_ms}
    return {**times, "text": text, "probability": 0.9, "timing": "aligned"}


SUMMARY: dict[str, Any] = {
    "asset_id": "ast_1",
    "artifact_id": None,
    "duration_ms": 5000,
    "language": "en",
    "events": [
        {"kind": "silence", "start_ms": 0, "end_ms": 1000},
        {
            "kind": "speech",
            "start_ms": 1000,
            "end_ms": 3000,
            "transcription": "three music hello",
            "words": [
                word(1000, 1600, "three"),
                word(1600, 2200, "music"),
                word(2200, 3000, "hello"),
            ],
        },
        {"kind": "music", "start_ms": 3000, "end_ms": 5000},
    ],
    "beats": [{"time_ms": at, "beat_index": n} for n, at in enumerate(range(3000, 5000, 500))],
    "meta": {"audio_semantic_cache_key": "the|key", "semantic_version": "audio_semantic_v2"},
}


def cut(start_ms: int, end_ms: int, speed: float = 1.0) -> dict[str, Any]:
    clip = Clip(asset_id="ast_1", start_ms=start_ms, end_ms=end_ms, speed=speed)
    return slice_semantic_timeline(SemanticTimeline.model_validate(SUMMARY), clip).content()


def test_events_words_and_beats_are_cut_at_the_window() -> None:
    sliced = cut(1500, 3500)
    speech, music = sliced["events"]
    assert (speech["start_ms"], speech["end_ms"]) == (0, 1500)
    assert speech["words"] == [
        word(0, 100, "three"),
        word(100, 700, "music"),
        word(700, 1500, "hello"),
    ]
    assert (music["start_ms"], music["end_ms"]) == (1500, 2000)
    assert sliced["beats"] == [{"time_ms": 1500, "beat_index": 0}]


def test_the_text_is_that_of_the_words_inside() -> None:
    assert cut(1600, 2200)["events"][0]["transcription"] == "music"


def test_the_meta_says_what_the_times_are() -> None:
    meta = cut(1000, 9000, speed=2.0)["meta"]
    assert meta == {
        **SUMMARY["meta"],
        "clip_relative": True,
        "clip_window_ms": {"start_ms": 1000, "end_ms": 5000},
        "speed_change_limit": 1.05,
        "speed_change": 2.0,
        "speed_change_limited": True,
    }
    assert cut(0, 10)["meta"]["speed_change_limited"] is False


def test_a_window_behind_the_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="start_ms"):
        cut(5000, 6000)


@given(st.integers(0, 4999), st.integers(1, 9000))
def test_slices_cover_their_window(start_ms: int, length_ms: int) -> None:
    sliced = cut(start_ms, start_ms + length_ms)
    edges = [edge for event in sliced["events"] for edge in (event["start_ms"], event["end_ms"])]
    assert edges[0] == 0 and edges[-1] == sliced["duration_ms"]
    assert edges[1:-1:2] == edges[2::2]
    assert all(0 <= beat["time_ms"] < sliced["duration_ms"] for beat in sliced["beats"])
