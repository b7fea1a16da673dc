"""A box of a picture made unrecognisable, in place, plane by plane; the rest stays as it is.

What is covered is first averaged over a few cells, and the cells are what is drawn: nothing finer
than a cell is left to be sharpened back. The presets are the number of cells across a face. From
many cells a network can still tell whose face it is (Richard McPherson, Reza Shokri and Vitaly
Shmatikov, Defeating Image Obfuscation with Deep Learning, 2016): only ``solid`` leaves nothing.

Planes keep their own sizes: of 4:2:0 the chroma is covered at half the width and height, so its
cells are as coarse. Samples have 8 or 10 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.media.encode import PLANAR, Planes

Shape = Literal["ellipse", "box"]


@dataclass(frozen=True)
class Preset:
    """How a covered part is drawn."""

    cells: int
    """Across the longer side; 0: nothing of it is left."""
    smooth: bool = True
    """The cells run into one another; otherwise they are squares."""


PRESETS: Mapping[str, Preset] = {
    "light": Preset(12),
    "medium": Preset(8),
    "strong": Preset(4),
    "pixelate": Preset(7, smooth=False),
    "solid": Preset(0),
}
"""Cells across a covered part's longer side; fewer hide more.

Light hides who it is from strangers, not from friends; strong leaves a patch of skin colours."""
_LEAST_CELL = 4
"""Pixels of a plane: a small face gets fewer cells."""


class Blurrer:
    """Covers boxes of the pictures of one recording; holds no state from picture to picture."""

    def __init__(
        self,
        planes: Planes,
        preset: Preset,
        shape: Shape,
        *,
        soft_edge: float = 0.0,
        full_range: bool = False,
        rgb: bool = False,
    ) -> None:
        """How a recording's pictures are laid out and covered.

        ``soft_edge`` is how far beyond its edge a cover fades, as a part of its half width and
        height. ``full_range`` and ``rgb`` say what black is in the planes: 16 and 128 for luma and
        chroma of ordinary video, 0 and 128 in full range, 0 in all three of RGB; fourfold in 10
        bits.
        """
        self.planes = planes
        self.preset = preset
        self.shape = shape
        self.soft_edge = soft_edge
        one = 4 if PLANAR[planes.pixel_format][1] == 2 else 1
        grey = 0 if rgb else 128 * one
        self._black = (0 if full_range or rgb else 16 * one, grey, grey)

    def cover(self, data: NDArray[np.uint8], boxes: Sequence[NDArray[np.float64]]) -> None:
        """Cover each box (left, top, right, bottom in luma pixels) of a picture, in place.

        ``data`` is one picture's bytes as ``planes`` lays them out, ``(size_bytes,)``. Boxes may
        leave the picture; what lies outside is ignored. Covers that overlap are drawn one over the
        other.
        """
        for index, plane in enumerate(self.planes.split(data)):
            high, wide = plane.shape
            scale = np.tile((wide / self.planes.width, high / self.planes.height), 2)
            for box in boxes:
                self._cover_plane(plane, box * scale, self._black[index])

    def _cover_plane(
        self, plane: NDArray[np.generic], box: NDArray[np.float64], black: int
    ) -> None:
        """One box of one plane ``(height, width)``, uint8 or uint16, in that plane's pixels.

        Outside the cover the share of what is drawn falls from 1 to 0 over ``soft_edge``, level at
        both ends (3 s^2 - 2 s^3); what lies beyond is not written.
        """
        high, wide = plane.shape
        fade = (box[2:] - box[:2]) / 2 * self.soft_edge
        left, top = np.floor(np.clip(box[:2] - fade, 0, (wide, high))).astype(int)
        right, bottom = np.ceil(np.clip(box[2:] + fade, 0, (wide, high))).astype(int)
        if right <= left or bottom <= top:
            return
        part = plane[top:bottom, left:right]
        drawn = np.full_like(part, black) if self.preset.cells == 0 else self._celled(part)
        away = _away_squared(self.shape, box, (left, top, right, bottom))
        if self.soft_edge:
            np.sqrt(away, out=away)
            band = (away > 1) & (away < 1 + self.soft_edge)
            share = (1 + self.soft_edge - away[band]) / self.soft_edge
            share *= share * (3 - 2 * share)  # level where it begins and where it ends
            part[band] = np.rint(part[band] + share * (drawn[band] - part[band].astype(float)))
        np.copyto(part, drawn, where=away <= 1)

    def _celled(self, part: NDArray[np.generic]) -> NDArray[np.generic]:
        """``part`` averaged over cells and drawn at its size again, in its own dtype.

        Cells are as square as whole numbers of them allow; averages are by area.
        """
        import cv2

        high, wide = part.shape
        cell = max(_LEAST_CELL, max(high, wide) / self.preset.cells)
        cells = (max(1, round(wide / cell)), max(1, round(high / cell)))
        small = cv2.resize(np.ascontiguousarray(part), cells, interpolation=cv2.INTER_AREA)
        how = cv2.INTER_LINEAR if self.preset.smooth else cv2.INTER_NEAREST
        return np.asarray(cv2.resize(small, (wide, high), interpolation=how))


def _away_squared(
    shape: Shape, box: NDArray[np.float64], within: tuple[int, int, int, int]
) -> NDArray[np.float64]:
    """How far the pixels of ``within`` are from the box's middle; up to 1 they touch the shape in it.

    Squared: the roots take five times as long, and a hard edge needs none.
    """
    left, top, right, bottom = within
    x, y = (box[:2] + box[2:]) / 2
    # Half a pixel's diagonal more, so that each pixel is in that the shape only touches.
    a, b = np.maximum((box[2:] - box[:2]) / 2, 0.5) + 0.71
    across = np.square((np.arange(left, right) + 0.5 - x) / a)[None, :]
    down = np.square((np.arange(top, bottom) + 0.5 - y) / b)[:, None]
    return np.asarray(np.maximum(across, down) if shape == "box" else across + down)
