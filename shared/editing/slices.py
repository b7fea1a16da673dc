"""A part of a semantic timeline: what a clip's window holds, in the clip's own time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.clip import Clip
from shared.errors import ValidationError

SPEED_CHANGE_LIMIT = 1.05
"""A clip played faster than this, or slower than its inverse, no longer sounds as it was analysed."""


def slice_timeline(summary: Mapping[str, Any], clip: Clip) -> dict[str, Any]:
    """The timeline of ``clip``: events cut at the window, beats and words inside it, from 0 on.

    Times are milliseconds of the recording, counted from the window's start. They are **not**
    divided by the speed: ``meta.speed_change_limited`` says when that matters. What reaches over the
    recording's end is cut there. Raises ``ValidationError`` for a window that begins behind it.
    """
    start_ms, end_ms = clip.start_ms, min(clip.end_ms, summary["duration_ms"])
    if start_ms >= end_ms:
        raise ValidationError("start_ms", f"is not before the recording's end, {end_ms} ms")
    return {
        "asset_id": summary["asset_id"],
        "artifact_id": summary.get("artifact_id"),
        "duration_ms": end_ms - start_ms,
        "language": summary.get("language"),
        "events": [
            _event(event, start_ms, end_ms)
            for event in summary["events"]
            if event["start_ms"] < end_ms and event["end_ms"] > start_ms
        ],
        "beats": [
            {**beat, "time_ms": beat["time_ms"] - start_ms}
            for beat in summary["beats"]
            if start_ms <= beat["time_ms"] < end_ms
        ],
        "meta": {**summary["meta"], **_clip_meta(clip, end_ms)},
    }


def _event(event: Mapping[str, Any], start_ms: int, end_ms: int) -> dict[str, Any]:
    """The event cut at the window; of its text, the words of which something can be heard."""
    cut = _cut(event, start_ms, end_ms)
    if "words" in event:
        kept = [
            _cut(word, start_ms, end_ms)
            for word in event["words"]
            if word["start_ms"] < end_ms and word["end_ms"] > start_ms
        ]
        cut["words"] = kept
        text = "".join(f"{'' if word.get('joined') else ' '}{word['text']}" for word in kept)
        cut["transcription"] = text.strip()
    return cut


def _cut(row: Mapping[str, Any], start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        **row,
        "start_ms": max(row["start_ms"], start_ms) - start_ms,
        "end_ms": min(row["end_ms"], end_ms) - start_ms,
    }


def _clip_meta(clip: Clip, end_ms: int) -> dict[str, Any]:
    return {
        "clip_relative": True,
        "clip_window_ms": {"start_ms": clip.start_ms, "end_ms": end_ms},
        "speed_change_limit": SPEED_CHANGE_LIMIT,
        "speed_change": clip.speed,
        "speed_change_limited": clip.speed != 1,
    }
