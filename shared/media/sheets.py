"""Contact sheets: small pictures out of a recording, in rows, each with a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import ImageDraw

Picture = NDArray[np.uint8]
"""``(height, width, 3)``, blue, green, red."""

COLOURS = ("#e6553c", "#2f6fde", "#1f9d63", "#c08a00", "#8a4fd0", "#0c9aa8")
_WIDTH, _EDGE, _TITLE, _LINE = 1280, 10, 34, 20


@dataclass(frozen=True)
class Mark:
    """A box in a tile, in parts of its width and height, with its name."""

    left: float
    top: float
    width: float
    height: float
    text: str
    colour: int = 0


@dataclass(frozen=True)
class Tile:
    """One small picture."""

    picture: Picture
    caption: str
    marks: Sequence[Mark] = ()


def draw_sheet(path: Path, title: str, tiles: Sequence[Tile], *, columns: int = 4) -> None:
    """A PNG of the tiles, ``columns`` in a row, all in cells of one size."""
    from PIL import Image, ImageDraw

    cell_w = (_WIDTH - _EDGE) // columns - _EDGE
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heights = [max(_fitted(tile.picture, cell_w)[1] for tile in row) for row in rows]
    image = Image.new(
        "RGB", (_WIDTH, _TITLE + sum(heights) + len(rows) * (_LINE + _EDGE) + _EDGE), "#ffffff"
    )
    draw = ImageDraw.Draw(image)
    draw.text((_EDGE, 8), title, fill="#222222", font_size=16)
    y = _TITLE
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            x = _EDGE + column * (cell_w + _EDGE)
            size = _fitted(tile.picture, cell_w)
            shown = Image.fromarray(np.ascontiguousarray(tile.picture[:, :, ::-1])).resize(size)
            image.paste(shown, (x, y))
            _draw_marks(draw, tile, (x, y), size)
            draw.text((x, y + height + 2), tile.caption, fill="#333333", font_size=13)
        y += height + _LINE + _EDGE
    # A third larger than at the usual level 6, in a third of the time.
    image.save(path, format="PNG", compress_level=3)


def thumbnail(picture: Picture, longest: int = 320) -> Picture:
    """A small copy; one that is small already is copied as it is."""
    import cv2

    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture.copy()
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _fitted(picture: Picture, width: int) -> tuple[int, int]:
    """Width and height in a cell of this width; nothing is higher than it is wide."""
    tall, wide = picture.shape[:2]
    scale = min(width / wide, width / tall)
    return max(1, round(wide * scale)), max(1, round(tall * scale))


def _draw_marks(
    draw: ImageDraw.ImageDraw, tile: Tile, at: tuple[int, int], size: tuple[int, int]
) -> None:
    for mark in tile.marks:
        left, top = at[0] + mark.left * size[0], at[1] + mark.top * size[1]
        right, bottom = left + mark.width * size[0], top + mark.height * size[1]
        colour = COLOURS[mark.colour % len(COLOURS)]
        draw.rectangle((left, top, max(right, left), max(bottom, top)), outline=colour, width=2)
        if mark.text:
            above = max(top - 15, at[1])
            draw.text((left + 1, above), mark.text, fill=colour, font_size=12)
