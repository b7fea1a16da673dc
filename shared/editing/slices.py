"""A part of a semantic timeline: what a clip's window holds, in the clip's own time."""

from __future__ import annotations

from typing import TypeVar

from shared.contracts.clip import Clip
from shared.contracts.semantic_timeline import (
    SPEED_CHANGE_LIMIT,
    ClipWindow,
    SemanticEvent,
    SemanticMeta,
    SemanticTimeline,
)
from shared.contracts.spoken_word import SpokenWord, text_of
from shared.errors import ValidationError

_Row = TypeVar("_Row", SemanticEvent, SpokenWord)


def slice_semantic_timeline(whole: SemanticTimeline, clip: Clip) -> SemanticTimeline:
    """The part of ``clip``: events cut at the window, beats and words inside it, from 0 on.

    Times are milliseconds of the recording, counted from the window's start. They are **not**
    divided by the speed: ``meta.speed_change_limited`` says when that matters. What reaches over the
    recording's end is cut there. Raises ``ValidationError`` for a window that begins behind it.
    """
    start_ms, end_ms = clip.start_ms, min(clip.end_ms, whole.duration_ms)
    if start_ms >= end_ms:
        raise ValidationError("start_ms", f"is not before the recording's end, {end_ms} ms")
    return SemanticTimeline(
        asset_id=whole.asset_id,
        artifact_id=whole.artifact_id,
        duration_ms=end_ms - start_ms,
        language=whole.language,
        events=tuple(
            _cut_event(event, start_ms, end_ms)
            for event in whole.events
            if event.start_ms < end_ms and event.end_ms > start_ms
        ),
        beats=tuple(
            beat.model_copy(update={"time_ms": beat.time_ms - start_ms})
            for beat in whole.beats
            if start_ms <= beat.time_ms < end_ms
        ),
        meta=_clip_meta(whole.meta, clip, end_ms),
    )


def _cut_event(event: SemanticEvent, start_ms: int, end_ms: int) -> SemanticEvent:
    """The event cut at the window; of its text, the words of which something can be heard."""
    cut = _cut(event, start_ms, end_ms)
    if "words" not in event.model_fields_set:
        return cut
    words = [
        _cut(word, start_ms, end_ms)
        for word in event.words
        if word.start_ms < end_ms and word.end_ms > start_ms
    ]
    return cut.model_copy(update={"words": tuple(words), "transcription": text_of(words)})


def _cut(row: _Row, start_ms: int, end_ms: int) -> _Row:
    return row.model_copy(
        update={
            "start_ms": max(row.start_ms, start_ms) - start_ms,
            "end_ms": min(row.end_ms, end_ms) - start_ms,
        }
    )


def _clip_meta(meta: SemanticMeta, clip: Clip, end_ms: int) -> SemanticMeta:
    return meta.model_copy(
        update={
            "clip_relative": True,
            "clip_window_ms": ClipWindow(start_ms=clip.start_ms, end_ms=end_ms),
            "speed_change_limit": SPEED_CHANGE_LIMIT,
            "speed_change": clip.speed,
            "speed_change_limited": clip.speed != 1,
        }
    )
