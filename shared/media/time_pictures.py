"""What pictures of a recording over time share: their width, times below, beats, a legend of colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.contracts.audio_activity import ActivityBeat
from shared.contracts.semantic_timeline import SemanticBeat

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH = 1600
"""Pixels, whatever the recording's length."""


def draw_times(draw: ImageDraw, y: float, times_s: Sequence[float]) -> None:
    """Evenly spaced over the whole width, the first at its left end and the last at its right."""
    for index, time_s in enumerate(times_s):
        place = min(max(index * WIDTH / (len(times_s) - 1), 24), WIDTH - 30)
        draw.text((place, y), f"{time_s:.2f} s", fill="#555555", font_size=13, anchor="ma")


def draw_beats(
    draw: ImageDraw, y: float, beats: Iterable[ActivityBeat | SemanticBeat], per_ms: float
) -> None:
    """A line from ``y`` down at each beat, longer where a bar begins; ``per_ms``: pixels."""
    for beat in beats:
        height = 14 if beat.subdivision == 1 else 7
        at = beat.time_ms * per_ms
        draw.line((at, y, at, y + height), fill="#222222")


def draw_legend(draw: ImageDraw, colours: Mapping[str, str]) -> int:
    """What each colour means, along the upper edge; returns where there is room for more."""
    at = 8
    for kind, colour in colours.items():
        draw.rectangle((at, 10, at + 14, 24), fill=colour, outline="#666666")
        draw.text((at + 20, 8), kind, fill="#222222", font_size=15)
        at += 110
    return at
