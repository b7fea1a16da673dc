"""A picture of a recording's outline, with what was cut from it marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.media.time_pictures import WIDTH, draw_times

if TYPE_CHECKING:
    from PIL import ImageDraw

Cut = tuple[float, float]
"""Start and end, in parts of the recording's length, 0 to 1."""
_HEIGHT, _EDGE = 360, 28
_COLOURS = ("#ffe3b0", "#cdebd6")


def draw_outline(
    path: Path,
    peaks: NDArray[np.float32],
    rows: Mapping[str, Sequence[Cut]],
    title: str,
    seconds: float,
) -> None:
    """A PNG of an outline with cuts marked, each row of them in a strip of its own.

    The strips are named where there is more than one.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, _HEIGHT), "#ffffff")
    draw = ImageDraw.Draw(image)
    strips = _strips(len(rows))
    for cuts, strip in zip(rows.values(), strips, strict=True):
        _fill_cuts(draw, cuts, strip)
    _draw_columns(draw, peaks)
    for (name, cuts), (top, bottom) in zip(rows.items(), strips, strict=True):
        for start, _ in cuts:
            draw.line((start * WIDTH, top, start * WIDTH, bottom), fill="#c8401e")
        if len(rows) > 1:
            corner = (8.0, top + 4)
            draw.rectangle(draw.textbbox(corner, name, font_size=13), fill="#ffffff")
            draw.text(corner, name, fill="#222222", font_size=13)
    draw.text((8, 6), title, fill="#222222", font_size=15)
    draw_times(draw, _HEIGHT - 20, [seconds * part / 8 for part in range(9)])
    image.save(path, format="PNG")


def _strips(count: int) -> list[tuple[float, float]]:
    """Top and bottom of each row's strip."""
    height = (_HEIGHT - 2 * _EDGE) / max(count, 1)
    return [(_EDGE + row * height, _EDGE + (row + 1) * height) for row in range(count)]


def _fill_cuts(draw: ImageDraw.ImageDraw, cuts: Sequence[Cut], strip: tuple[float, float]) -> None:
    for index, (start, stop) in enumerate(cuts):
        left, right = start * WIDTH, max(stop * WIDTH, start * WIDTH + 1)
        draw.rectangle((left, strip[0], right, strip[1]), fill=_COLOURS[index % 2])


def _draw_columns(draw: ImageDraw.ImageDraw, peaks: NDArray[np.float32]) -> None:
    """The outline, scaled to the loudest column."""
    if peaks.size == 0:
        return
    edges = np.linspace(0, peaks.size, WIDTH + 1)
    top = max(float(peaks.max()), 1e-9)
    middle, half = _HEIGHT / 2, _HEIGHT / 2 - _EDGE - 6
    for column in range(WIDTH):
        low = int(edges[column])
        reach = half * float(peaks[low : max(int(edges[column + 1]), low + 1)].max()) / top
        draw.line((column, middle - reach, column, middle + reach), fill="#3b5b8c")
