"""What the stub gives: a pattern that follows from the duration and the seed alone.

It stands in where a package is missing or a setting asks for it, so that what reads a semantic timeline can
be tried; ``backend_type`` ``stub`` and a confidence of 0 say that nobody listened.
"""

from __future__ import annotations

from typing import Literal

from shared.contracts.semantic_timeline import SemanticBeat, SemanticEvent, SemanticTimeline

_CYCLE: tuple[tuple[Literal["speech", "music", "silence"], int], ...] = (
    ("speech", 2000),
    ("music", 2000),
    ("silence", 1000),
)
_BEAT_MS = 500


def stub_semantic_timeline(duration_ms: int, seed: int, include_beats: bool) -> SemanticTimeline:
    """Speech, music and silence in turns, beats at 120 BPM in bars of four; nothing of it was heard.

    The seed chooses which of the three is first. The last event is cut at ``duration_ms``; 0 ms have none.
    """
    events: list[SemanticEvent] = []
    at = 0
    while at < duration_ms:
        kind, length = _CYCLE[(len(events) + seed) % len(_CYCLE)]
        end = min(at + length, duration_ms)
        events.append(SemanticEvent(kind=kind, start_ms=at, end_ms=end, confidence=0.0))
        at = end
    times = range(0, duration_ms, _BEAT_MS) if include_beats else ()
    beats = [
        SemanticBeat(time_ms=at, beat_index=n, bar_index=n // 4, subdivision=n % 4 + 1)
        for n, at in enumerate(times)
    ]
    return SemanticTimeline(duration_ms=duration_ms, events=tuple(events), beats=tuple(beats))
