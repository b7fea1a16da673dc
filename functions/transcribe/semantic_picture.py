"""A picture of the semantic timeline for people: what sounds when, how loud, and the beats.

Whatever the recording's length, it is 1,600 pixels wide: of an hour a pixel is 2.25 s, and what is shorter is
drawn over by its neighbour. The same timeline gives the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.semantic_timeline import SemanticTimeline, WindowLoudness
from shared.media.time_pictures import WIDTH, draw_beats, draw_legend, draw_times

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_HEIGHT = 300
_TOP, _BOTTOM = 34, 240
_COLOURS = {"speech": "#7fb2e5", "music": "#f2b46d", "silence": "#eeeeee", "other": "#b9c4b0"}
_SOFTEST_LUFS, _LOUDEST_LUFS = -60.0, 0.0
"""From the bottom to the top; what lies beyond, and silence, is drawn at the edge."""


def draw_semantic_timeline(path: Path, semantics: SemanticTimeline) -> None:
    """A PNG, 1600 by 300, of its ``events``, ``beats`` and ``loudness``."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, _HEIGHT), "#ffffff")
    draw = ImageDraw.Draw(image)
    per_ms = WIDTH / max(semantics.duration_ms, 1)
    for event in semantics.events:
        left, right = event.start_ms * per_ms, event.end_ms * per_ms
        draw.rectangle((left, _TOP, right, _BOTTOM), fill=_COLOURS[event.kind])
    _draw_loudness(draw, semantics.loudness, per_ms)
    draw_beats(draw, _BOTTOM, semantics.beats, per_ms)
    at = draw_legend(draw, _COLOURS)
    draw.text((at, 8), "loudness (LUFS, -60 to 0)", fill="#a03020", font_size=15)
    draw_times(draw, _HEIGHT - 24, [semantics.duration_ms / 8000 * part for part in range(9)])
    image.save(path, format="PNG")


def _draw_loudness(draw: ImageDraw, loudness: WindowLoudness | None, per_ms: float) -> None:
    if loudness is None or not loudness.lufs:
        return
    step = loudness.window_ms * per_ms
    draw.line(_steps(loudness.lufs, step), fill="#a03020", width=2)


def _steps(lufs: Sequence[float | None], step: float) -> list[tuple[float, float]]:
    """A line of steps in pixels, two points for each window; ``step``: a window's width."""
    points = []
    for index, value in enumerate(lufs):
        level = _SOFTEST_LUFS if value is None else min(max(value, _SOFTEST_LUFS), _LOUDEST_LUFS)
        share = (level - _SOFTEST_LUFS) / (_LOUDEST_LUFS - _SOFTEST_LUFS)
        y = _BOTTOM - share * (_BOTTOM - _TOP)
        points += [(index * step, y), ((index + 1) * step, y)]
    return points
