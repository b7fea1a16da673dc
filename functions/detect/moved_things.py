"""Where single things have gone from one small picture to the next, over what stays or moves otherwise.

    what the picture's own shift leaves unexplained -> parts of it are sought in the other picture -> the
    shifts that most of them agree on -> each pixel takes the one that explains it best

By block matching (Jaswant and Anil Jain, Displacement Measurement and Its Application in Interframe
Image Coding, 1981), to whole pixels. It is where an optical flow begins that reaches a few pixels only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from functions.detect.picture_shift import Shift, shared_parts

Grey = NDArray[np.uint8]
"""``(height, width)``, 0 to 255."""
Floats = NDArray[np.float32]

_PART, _MARGIN = 6, 2
"""Pixels of a part's sides, and by how many more around it it is known again."""
_MOST_PARTS, _MOST_THINGS = 24, 3
"""Those that differ most are sought, and so many shifts are believed."""
_REACH = 0.375
"""Of the width and height: no part is sought farther off."""
_PLAIN = 4.0
"""Standard deviation, of 255: a part with less looks the same in many places."""
_EXPLAINED = 0.5
"""A shift is believed where it leaves less of what differs; of squares, its square."""
_BESIDE = 5
"""Pixels of the square over which differences are held against each other."""


def left_over(before: Grey, after: Grey, shift: Shift, *, outside: float) -> Floats:
    """How much each pixel of ``before`` differs from where it would be in ``after``, ``(height, width)``.

    The mean of 5 x 5 pixels, 0 to 255; each counts ``outside`` where the shift leads out of the picture.
    """
    import cv2

    (dx, dy), (high, wide) = shift, before.shape
    left = np.full((high, wide), outside, np.float32)
    one, other = shared_parts(before, after, shift)
    left[max(0, -dy) : high - max(0, dy), max(0, -dx) : wide - max(0, dx)] = cv2.absdiff(one, other)
    return np.asarray(cv2.blur(left, (_BESIDE, _BESIDE)))


def start_of_flow(before: Grey, after: Grey, whole: Shift) -> Floats:
    """Where each pixel of ``before`` lies in ``after``, at a guess: ``(height, width, 2)``, right and down.

    ``whole`` is the picture's own shift, which all have that no thing takes along.
    """
    start = np.zeros((*before.shape, 2), np.float32)
    start[..., 0], start[..., 1] = whole
    left = left_over(before, after, whole, outside=0.0)
    least = 2 * float(np.median(left)) + 6
    votes = Counter(_gone(before, after, left, least))
    for _ in range(_MOST_THINGS):
        if not votes:
            break
        thing = max(votes, key=lambda shift: (_agreeing(votes, shift), shift))
        for shift in [one for one in votes if _near(one, thing)]:
            del votes[shift]
        moved = left_over(before, after, thing, outside=255.0)
        taken = (moved < _EXPLAINED * left) & (left > least / 2)
        start[taken] = thing
        left[taken] = moved[taken]
    return start


def _gone(before: Grey, after: Grey, left: Floats, least: float) -> Iterator[Shift]:
    """Where the parts that differ by more than ``least`` have gone, those that are found."""
    import cv2

    high, wide = before.shape
    rows, columns = high // _PART, wide // _PART
    even = left[: rows * _PART, : columns * _PART]
    parts = even.reshape(rows, _PART, columns, _PART).mean(axis=(1, 3))
    order = np.argsort(-parts, axis=None, kind="stable")[:_MOST_PARTS]
    for row, column in zip(*np.unravel_index(order, parts.shape), strict=True):
        if parts[row, column] <= least:
            return
        top, low = max(0, row * _PART - _MARGIN), min(high, (row + 1) * _PART + _MARGIN)
        near, far = max(0, column * _PART - _MARGIN), min(wide, (column + 1) * _PART + _MARGIN)
        part = before[top:low, near:far]
        if part.std() < _PLAIN:
            continue
        down, right = int(high * _REACH), int(wide * _REACH)
        y, x = max(0, top - down), max(0, near - right)
        around = after[y : low + down, x : far + right]
        # To whole numbers: what is equal but for its rounding is equal.
        squares = np.rint(cv2.matchTemplate(around, part, cv2.TM_SQDIFF))
        found_y, found_x = divmod(int(squares.argmin()), squares.shape[1])
        if squares[found_y, found_x] < _EXPLAINED**2 * squares[top - y, near - x]:
            yield found_x + x - int(near), found_y + y - int(top)


def _agreeing(votes: Counter[Shift], shift: Shift) -> int:
    return sum(count for other, count in votes.items() if _near(other, shift))


def _near(one: Shift, other: Shift) -> bool:
    return abs(one[0] - other[0]) <= 1 and abs(one[1] - other[1]) <= 1
