"""Cuts and markers as an EDL (CMX 3600): what nearly every editing program reads.

An EDL holds no gain, no fade and no automation, and its times are whole frames. Each track has its
own channel (``A``, ``A2``...). Crossfades are dissolves, speeds ``M2`` lines, markers ``LOC`` comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, pairwise

from shared.contracts.timeline import Timeline
from shared.contracts.timeline_checks import edges_of
from shared.contracts.timeline_parts import AudioClip, Track
from shared.errors import ValidationError

FRAME_RATES = (24, 25, 30, 50, 60)
_REEL = "AX"


def to_edl(timeline: Timeline, lengths_ms: Mapping[str, float], frame_rate: int = 25) -> str:
    """The whole timeline. ``lengths_ms``: source id -> length, for clips that name no end.

    Raises ``ValidationError`` for another frame rate, and as ``Timeline.with_lengths`` does.
    """
    if frame_rate not in FRAME_RATES:
        known = ", ".join(str(rate) for rate in FRAME_RATES)
        raise ValidationError("frame_rate", f"{frame_rate} is none of {known}")
    whole = timeline.with_lengths(lengths_ms)
    title = _one_line(whole.name) or "Timeline"
    lines = [f"TITLE: {title}", "FCM: NON-DROP FRAME", ""]
    numbers = count(1)
    for channel, track in enumerate(whole.tracks, 1):
        for event in _events(track, f"A{channel}" if channel > 1 else "A", frame_rate):
            number = next(numbers)
            lines += [line.replace("#", f"{number:03d}", 1) for line in event]
    for marker in whole.markers:
        at = timecode(marker.time_ms, frame_rate)
        lines.append(f"* LOC: {at} RED     {_one_line(marker.name)}")
    return "\n".join(lines) + "\n"


def timecode(time_ms: float, frame_rate: int) -> str:
    """``hh:mm:ss:ff``, counting every frame."""
    seconds, frames = divmod(round(time_ms * frame_rate / 1000), frame_rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def _events(track: Track, channel: str, rate: int) -> Iterator[list[str]]:
    """One event a clip, its lines beginning with ``#`` where the event's number goes."""
    edges = list(edges_of(track))
    for before, here in pairwise([None, *edges]):
        assert here is not None
        clip, fade_ms = here.clip, here.into.length_ms if here.into.crossfade else 0.0
        lines = []
        if before and fade_ms:
            lines.append(_cut(before.clip, channel, rate))
        frames = round(fade_ms * rate / 1000)
        kind = f"D    {frames:03d}" if frames else "C       "
        lines.append(_line(clip, channel, kind, rate))
        yield [*lines, *_remarks(before.clip if before and fade_ms else None, clip, rate)]


def _line(clip: AudioClip, channel: str, kind: str, rate: int) -> str:
    assert clip.source_end_ms is not None and clip.duration_ms is not None
    times = (
        clip.source_start_ms,
        clip.source_end_ms,
        clip.start_ms,
        clip.start_ms + clip.duration_ms,
    )
    words = " ".join(timecode(at, rate) for at in times)
    return f"#  {_REEL:<8} {channel:<5} {kind} {words}"


def _cut(before: AudioClip, channel: str, rate: int) -> str:
    """Where a dissolve comes from: no time of the clip before."""
    assert before.source_end_ms is not None and before.duration_ms is not None
    source = timecode(before.source_end_ms, rate)
    record = timecode(before.start_ms + before.duration_ms, rate)
    return f"#  {_REEL:<8} {channel:<5} C        {source} {source} {record} {record}"


def _remarks(before: AudioClip | None, clip: AudioClip, rate: int) -> list[str]:
    remarks = []
    if clip.speed != 1.0:
        start = timecode(clip.source_start_ms, rate)
        remarks.append(f"M2   {_REEL:<8} {rate * clip.speed:05.1f} {start}")
    if before:
        remarks.append(f"* FROM CLIP NAME: {_one_line(before.name or str(before.clip_id))}")
    word = "TO" if before else "FROM"
    remarks.append(f"* {word} CLIP NAME: {_one_line(clip.name or str(clip.clip_id))}")
    return [*remarks, f"* SOURCE FILE: {clip.source.identifier}"]


def _one_line(text: str) -> str:
    return " ".join(text.split())
