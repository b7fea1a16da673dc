"""Where one shot ends and the next begins.

A cut is a frame that differs from the one before far more than frames around it do from theirs,
after the picture's own shift is taken out (so that a whip pan or a shaken camera is none), and
whose difference lasts (so that a flash is none). What counts as much is measured against the
picture's own contrast, so that dark scenes have cuts, too. Where it does not tower over its next
neighbours, it is one only if no part of the picture stays as it was: something large that moves
fast leaves the rest. Gradual transitions are none (see ``dissolves``).

All frames are compared, 64 by 36 pixels in colour; a frame is judged when four more have come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.detect.picture_shift import shared_parts, shift_between
from shared.contracts.asset import MediaInfo
from shared.media.frames import Span, VideoFrames, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

Picture = NDArray[np.uint8]
"""``(height, width, 3)``, blue, green, red."""

SIZE = (64, 36)
"""Width and height at which frames are compared."""
_AROUND = 4
"""Frames before and after that a difference is measured against; the judgement waits for so
many."""
_ABOVE = 2.2
"""A cut's difference is so many times the median of those around it, which counts as 0.3 at
least."""
_CONTRAST_PART = 0.3
"""A cut's difference in parts of the contrast (standard deviation) of the frames on either side."""
_LEAST, _ENOUGH = 2.0, 12.0
"""Mean differences, 0 to 255: less is never a cut, and no more than this is demanded."""
_TOWERS, _NEXT = 2.8, 2
"""A cut's difference over the largest of so many before and after it; true ones stood at least 3.1 times
over them, something moving fast at most 2.6."""
_STAYED, _STAYING_PART = 0.35, 0.05
"""A part of the picture stays where it changes by less of the whole's difference; more parts than that
stay only where no cut is."""
_PART = 6, 8
"""Height and width of such a part, in pixels."""
_REACH = 2
"""So far, in pixels, it may have moved."""
_LASTING = 0.55
"""Frames across a cut differ by this part of its own difference at least; a flash's don't."""
_PEAK = 3
"""No frame so near before or after differs more from the one before it."""
_FLASH_BEFORE, _FLASH_AFTER = 3, 3
"""Frames before and after the cut that are compared across it."""


@dataclass(frozen=True)
class _Small:
    """A frame as it is compared."""

    colour: NDArray[np.float32]
    """``(36, 64, 3)``, 0 to 255, softened by a pixel so that noise and grain count less."""
    grey: NDArray[np.float32]
    contrast: float
    """Standard deviation of all values, 0 to 127.5."""


def find_cuts(
    source: Path, media: MediaInfo, within_ms: Span = (None, None)
) -> tuple[list[int], list[int]]:
    """The first frame of each shot after the first, and the time of every frame in ticks, in one pass.

    ``within_ms``: of a stretch alone, whose frames are counted from its first.
    """
    detector = ShotDetector()
    with VideoFrames(source, media, Wanted(*SIZE, within_ms=within_ms)) as frames:
        for frame in frames:
            detector.process(frame.data.reshape(SIZE[1], SIZE[0], 3))
        return detector.finish(), frames.ticks


class ShotDetector:
    """Takes all frames in order; afterwards ``cuts`` holds the first frame of each new shot.

    Keeps nine small frames, whatever the length.
    """

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self._frames: deque[_Small] = deque(maxlen=2 * _AROUND + 1)
        self._steps: deque[float] = deque(maxlen=2 * _AROUND + 1)
        """How much each of these frames differs from the one before it."""
        self._count = 0

    def process(self, picture: Picture) -> float:
        """Take the next frame; returns how much it differs from the one before, 0 to 255."""
        small = _small(picture)
        step = _difference(self._frames[-1], small) if self._frames else 0.0
        self._frames.append(small)
        self._steps.append(step)
        self._count += 1
        if self._count > _AROUND:
            self._judge(len(self._frames) - 1 - _AROUND)
        return step

    def finish(self) -> list[int]:
        """Judge the last frames, which have fewer after them."""
        for place in range(max(1, len(self._frames) - _AROUND), len(self._frames)):
            self._judge(place)
        return self.cuts

    def _judge(self, place: int) -> None:
        """Is the frame at this place of the window a cut?

        The first frame is none, and what has fewer frames around it than asked is judged by those
        there are.
        """
        index = self._count - len(self._frames) + place
        if index == 0 or place == 0 or not (self._stands_out(place) and self._lasts(place)):
            return
        if self._towers(place) or self._changes_everywhere(place):
            self.cuts.append(index)

    def _stands_out(self, place: int) -> bool:
        """Does it differ enough by itself, far more than is usual, and most of all near it?"""
        steps, frames = list(self._steps), self._frames
        contrast = (frames[place].contrast + frames[place - 1].contrast) / 2
        if steps[place] < min(_ENOUGH, max(_LEAST, _CONTRAST_PART * contrast)):
            return False
        first = 0 if self._count > len(steps) else 1  # the recording's first frame has no step
        near = [steps[at] for at in self._around(place, _AROUND, first) if at != place]
        usual = float(np.median(near)) if near else 0.0
        peak = max(steps[at] for at in self._around(place, _PEAK, first))
        return steps[place] >= _ABOVE * max(usual, 0.3) and steps[place] >= peak

    def _towers(self, place: int) -> bool:
        """Is its difference ``_TOWERS`` times the largest of its next neighbours'?"""
        steps, first = list(self._steps), 0 if self._count > len(self._steps) else 1
        near = [steps[at] for at in self._around(place, _NEXT, first) if at != place]
        return steps[place] >= _TOWERS * max(near, default=0.0)

    def _changes_everywhere(self, place: int) -> bool:
        """Does hardly a part of the picture stay as it was, even if it moved a little?"""
        changes = _changes_of_parts(self._frames[place - 1], self._frames[place])
        return float((changes < _STAYED * self._steps[place]).mean()) <= _STAYING_PART

    def _around(self, place: int, reach: int, first: int) -> range:
        return range(max(first, place - reach), min(len(self._steps), place + reach + 1))

    def _lasts(self, place: int) -> bool:
        """Are the frames after it unlike the last one before it, and those before unlike itself?"""
        limit = _LASTING * self._steps[place]
        return all(_difference(*pair) >= limit for pair in self._across(place))

    def _across(self, place: int) -> Iterator[tuple[_Small, _Small]]:
        frames = self._frames
        for after in range(place + 1, min(len(frames), place + _FLASH_AFTER + 1)):
            yield frames[place - 1], frames[after]
        for before in range(max(0, place - _FLASH_BEFORE - 1), place - 1):
            yield frames[before], frames[place]


def _small(picture: Picture) -> _Small:
    """The frame as it is compared; a larger picture is made small by area."""
    import cv2

    if picture.shape[:2] != SIZE[::-1]:
        picture = np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
    colour = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
    grey = np.asarray(colour.mean(axis=2), np.float32)
    return _Small(colour, grey, float(colour.std()))


def _difference(one: _Small, other: _Small) -> float:
    """Mean difference of two frames, 0 to 255, of the part they share if one is the other shifted.

    The shift is found by phase correlation, to whole pixels; where the shifted frames differ more
    than the unshifted, it is not believed.
    """
    plain = float(np.abs(one.colour - other.colour).mean())
    shift = shift_between(one.grey, other.grey)
    if shift == (0, 0):
        return plain
    first, second = shared_parts(one.colour, other.colour, shift)
    return min(plain, float(np.abs(first - second).mean()))


def _changes_of_parts(one: _Small, other: _Small) -> NDArray[np.float32]:
    """Mean difference of each part, ``(6, 8)``, from where it fits best within its reach."""
    high, wide = one.grey.shape
    edges = ((_REACH, _REACH), (_REACH, _REACH), (0, 0))
    around = np.pad(other.colour, edges, mode="edge")
    least = np.full((high // _PART[0], wide // _PART[1]), np.inf, np.float32)
    for down in range(2 * _REACH + 1):
        for right in range(2 * _REACH + 1):
            moved = around[down : down + high, right : right + wide]
            change = np.abs(one.colour - moved).mean(axis=2)
            parts = change.reshape(high // _PART[0], _PART[0], wide // _PART[1], _PART[1])
            least = np.minimum(least, parts.mean(axis=(1, 3)))
    return least
