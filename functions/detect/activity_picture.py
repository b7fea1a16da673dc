"""A picture of a recording for people: its waveform over what sounds when, and the beats.

Time goes from left to right over the whole width, whatever the length; a line below the waveform
marks each beat, longer where a bar begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.contracts.audio_activity import AudioActivity, Waveform

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_WIDTH, _HEIGHT = 1600, 300
"""Pixels, and from where to where the waveform reaches."""
_TOP, _BOTTOM = 34, 240
_COLOURS = {"speech": "#bcd7f2", "music": "#f8d9b4", "silence": "#f2f2f2", "other": "#d9e0d3"}


def draw_activity(path: Path, activity: AudioActivity) -> None:
    """A PNG, 1600 by 300, the outline scaled to the highest sample."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "#ffffff")
    draw = ImageDraw.Draw(image)
    per_ms = _WIDTH / max(activity.duration_ms, 1)
    for span in activity.spans:
        box = (span.start_ms * per_ms, _TOP, span.end_ms * per_ms, _BOTTOM)
        draw.rectangle(box, fill=_COLOURS[span.kind])
    _draw_waveform(draw, activity.waveform, per_ms)
    for beat in activity.beats:
        height = 14 if beat.subdivision == 1 else 7
        at = beat.time_ms * per_ms
        draw.line((at, _BOTTOM, at, _BOTTOM + height), fill="#222222")
    _draw_legend(draw, activity.duration_ms)
    image.save(path, format="PNG")


def _draw_waveform(draw: ImageDraw, waveform: Waveform, per_ms: float) -> None:
    """From the lowest to the highest sample of each column; nothing without an outline."""
    lowest, highest = waveform.lowest.values(), waveform.highest.values()
    if not len(lowest):
        return
    top = max(float(highest.max()), -float(lowest.min()), 1e-9)
    columns = max(1, min(_WIDTH, round(len(lowest) * waveform.lowest.step_ms * per_ms)))
    starts = np.unique(np.linspace(0, len(lowest), columns, endpoint=False).astype(int))
    low, high = np.minimum.reduceat(lowest, starts), np.maximum.reduceat(highest, starts)
    middle, half = (_TOP + _BOTTOM) / 2, (_BOTTOM - _TOP) / 2 - 4
    for start, below, above in zip(starts.tolist(), low.tolist(), high.tolist(), strict=True):
        x = start * waveform.lowest.step_ms * per_ms
        draw.line((x, middle - half * above / top, x, middle - half * below / top), fill="#3b5b8c")


def _draw_legend(draw: ImageDraw, duration_ms: int) -> None:
    """What each colour means above, and nine times below, evenly spaced, in seconds."""
    at = 8
    for kind, colour in _COLOURS.items():
        draw.rectangle((at, 10, at + 14, 24), fill=colour, outline="#666666")
        draw.text((at + 20, 8), kind, fill="#222222", font_size=15)
        at += 110
    for part in range(9):
        place = min(max(part * _WIDTH / 8, 24), _WIDTH - 30)
        text = f"{duration_ms / 8000 * part:.2f} s"
        draw.text((place, _HEIGHT - 24), text, fill="#555555", font_size=13, anchor="ma")
