"""How far one small picture is shifted against another as a whole, and what both of them show.

By phase correlation (Charles Kuglin and David Hines, The Phase Correlation Image Alignment Method,
1975), to whole pixels, so that no processor's rounding is seen in what follows from it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shift = tuple[int, int]
"""Pixels to the right and down by which what is in the first picture lies elsewhere in the other."""

_MOST_PART = 0.375
"""Of the width or height: a shift that is found so large is chance."""


def shift_between(one: NDArray[np.float32], other: NDArray[np.float32]) -> Shift:
    """The shift from one grey picture, ``(height, width)``, to the other.

    No shift where the one that is found is too large. It is the best there is, not surely a true
    one: whether it makes the pictures more alike is for the asker to see, by ``shared_parts``.
    """
    import cv2

    high, wide = one.shape
    (x, y), _ = cv2.phaseCorrelate(one, other, _window(wide, high))
    dx, dy = round(x), round(y)
    return (0, 0) if abs(dx) >= _MOST_PART * wide or abs(dy) >= _MOST_PART * high else (dx, dy)


def shared_parts(
    one: NDArray[Any], other: NDArray[Any], shift: Shift
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Views of that part of each which the other shows, too; ``(height, width, ...)``."""
    (dx, dy), (high, wide) = shift, one.shape[:2]
    return (
        one[max(0, -dy) : high - max(0, dy), max(0, -dx) : wide - max(0, dx)],
        other[max(0, dy) : high - max(0, -dy), max(0, dx) : wide - max(0, -dx)],
    )


@cache
def _window(wide: int, high: int) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.createHanningWindow((wide, high), cv2.CV_32F), np.float32)
