"""A picture of a recording for people: its waveform over what sounds when, and the beats.

Time goes from left to right over the whole width, whatever the length; a line below the waveform
marks each beat, longer where a bar begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.contracts.audio_activity import AudioActivity, Waveform
from shared.media.time_pictures import WIDTH, draw_beats, draw_legend, draw_times

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_HEIGHT = 300
_TOP, _BOTTOM = 34, 240
"""From where to where the waveform reaches, in pixels."""
_COLOURS = {"speech": "#bcd7f2", "music": "#f8d9b4", "silence": "#f2f2f2", "other": "#d9e0d3"}


def draw_activity(path: Path, activity: AudioActivity) -> None:
    """A PNG, 1600 by 300, the outline scaled to the highest sample."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, _HEIGHT), "#ffffff")
    draw = ImageDraw.Draw(image)
    per_ms = WIDTH / max(activity.duration_ms, 1)
    for span in activity.spans:
        box = (span.start_ms * per_ms, _TOP, span.end_ms * per_ms, _BOTTOM)
        draw.rectangle(box, fill=_COLOURS[span.kind])
    _draw_waveform(draw, activity.waveform, per_ms)
    draw_beats(draw, _BOTTOM, activity.beats, per_ms)
    draw_legend(draw, _COLOURS)
    draw_times(draw, _HEIGHT - 24, [activity.duration_ms / 8000 * part for part in range(9)])
    image.save(path, format="PNG")


def _draw_waveform(draw: ImageDraw, waveform: Waveform, per_ms: float) -> None:
    """From the lowest to the highest sample of each column; nothing without an outline."""
    lowest, highest = waveform.lowest.values(), waveform.highest.values()
    if not len(lowest):
        return
    top = max(float(highest.max()), -float(lowest.min()), 1e-9)
    columns = max(1, min(WIDTH, round(len(lowest) * waveform.lowest.step_ms * per_ms)))
    starts = np.unique(np.linspace(0, len(lowest), columns, endpoint=False).astype(int))
    low, high = np.minimum.reduceat(lowest, starts), np.maximum.reduceat(highest, starts)
    middle, half = (_TOP + _BOTTOM) / 2, (_BOTTOM - _TOP) / 2 - 4
    for start, below, above in zip(starts.tolist(), low.tolist(), high.tolist(), strict=True):
        x = start * waveform.lowest.step_ms * per_ms
        draw.line((x, middle - half * above / top, x, middle - half * below / top), fill="#3b5b8c")
