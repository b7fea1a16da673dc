"""Where one shot turns into the next little by little: dissolves and fades.

While two pictures are blended, each frame differs from the one before by the same picture: the way from
the one shot to the other is straight, and what lies half-way is their mean. Motion, zooms and pans wind
about. (The linear model of production is that of J. S. Boreczky and L. A. Rowe, Comparison of video shot
boundary detection techniques, 1996, section 2; that steps keep their direction is ours.) A change of light
is straight as well, but leaves the scene as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.contracts.visual import TransitionKind

Picture = NDArray[np.uint8]
"""``(height, width, 3)``, small."""
_Small = NDArray[np.float32]

_SIZE = (16, 9)
"""Width and height at which steps are compared: what moves a little hardly shows."""
_APART = 4
"""Frames between two that are compared: in fewer a slow dissolve's step drowns in noise."""
_SAME_WAY = 0.6
"""Cosine of two steps that follow each other, from which on they go the same way."""
_LEAST_STEP = 1.0
"""Mean difference of frames so far apart, 0 to 255, below which nothing changes."""
_LEAST_FRAMES, _MOST_FRAMES = 6, 400
"""Frames of a run: with no more than the first it is no transition, beyond the second it is
given up."""
LEAD_FRAMES = _MOST_FRAMES + 4 * _APART
"""Frames after which it is all one where the detector began.

Unless one change went on through them all."""
_LEAST_CHANGE = 11.0
"""Mean difference of the shots on either side, 0 to 255."""
_STRAIGHT = 0.7
"""The way from one shot to the other, over the sum of the steps that lead there."""
_OFF_THE_WAY = 0.25
"""How far frames between may be from a blend of both shots, in parts of those shots' difference."""
_SAME_SCENE = 0.6
"""Correlation of the shots on either side, from which on they show the same in another light."""
_FLAT = 4.0
"""Standard deviation of a picture that shows nothing: a fade comes from one, or goes to one."""


@dataclass(frozen=True)
class Gradual:
    """A transition, from the last frame of the one shot alone to the first of the other alone."""

    kind: TransitionKind
    first_frame: int
    """The last that shows the earlier shot alone; ``last_frame`` is the first of the later
    alone."""
    last_frame: int


class DissolveDetector:
    """Takes all frames in order; ``found`` holds the transitions. Keeps no more than one of them.

    That is some 400 small frames at most.
    """

    def __init__(self) -> None:
        self.found: list[Gradual] = []
        self._small: deque[_Small] = deque(maxlen=_APART + 1)
        self._steps: deque[_Small] = deque(maxlen=_APART)
        self._frames: deque[Picture] = deque(maxlen=2 * _APART + 1)
        self._run: list[Picture] = []
        """The frames of what may be a transition, from its first on."""
        self._count = 0

    def process(self, picture: Picture) -> None:
        """Take the next frame; all are of one size.

        A frame leads on where its step, the difference from the frame ``_APART`` before, goes the
        way of the step that led to that one; frames that do so one after the other are a run.
        """
        import cv2

        resized = cv2.resize(picture, _SIZE, interpolation=cv2.INTER_AREA)
        self._small.append(np.asarray(resized, np.float32).ravel())
        self._frames.append(picture)
        self._count += 1
        goes_on = self._goes_on()
        if goes_on and not self._run:
            self._run = list(self._frames)
        elif goes_on:
            self._run.append(picture)
        elif self._run:
            self._judge()
        if len(self._run) > _MOST_FRAMES:
            self._run = []

    def finish(self) -> list[Gradual]:
        """All of them, once the last frame was taken."""
        self._count += 1
        if self._run:
            self._judge()
        return self.found

    def _goes_on(self) -> bool:
        """Does this frame lead on from the last ones, the way that they led?"""
        if len(self._small) <= _APART:
            return False
        step = self._small[-1] - self._small[0]
        before = self._steps[0] if len(self._steps) == _APART else None
        self._steps.append(step)
        if before is None or min(np.abs(step).mean(), np.abs(before).mean()) < _LEAST_STEP:
            return False
        lengths = float(np.linalg.norm(step) * np.linalg.norm(before))
        return float(step @ before) >= _SAME_WAY * lengths

    def _judge(self) -> None:
        """The run has ended with the frame before this one."""
        run, self._run = self._run, []
        last = self._count - 2
        if kind := _kind(run):
            self.found.append(Gradual(kind, last - len(run) + 1, last))


def _kind(run: Sequence[Picture]) -> TransitionKind | None:
    """What these frames are, if they are a transition; ``None`` for a change of light and all else.

    A run whose beginning shows nothing (one colour) is a fade in, one whose end does a fade out.
    """
    import cv2

    stations = [*range(0, len(run) - 1, _APART), len(run) - 1]
    small = [
        np.asarray(cv2.resize(run[at], _SIZE, interpolation=cv2.INTER_AREA)) for at in stations
    ]
    if not _leads_over(run, small):
        return None
    if float(small[0].std()) < _FLAT:
        return "fade_in"
    if float(small[-1].std()) < _FLAT:
        return "fade_out"
    alike = float(np.corrcoef(small[0].ravel(), small[-1].ravel())[0, 1])
    return "dissolve" if alike < _SAME_SCENE else None


def _leads_over(run: Sequence[Picture], small: Sequence[Picture]) -> bool:
    """Straight from one picture to an unlike one? ``small``: some frames, the ends among them.

    The way's length is the sum of mean differences from station to station, so one that winds is
    longer than the straight one. Then frames at a quarter, half and three quarters must be blends
    of both ends.
    """
    if len(run) <= _LEAST_FRAMES or _apart(small[0], small[-1]) < _LEAST_CHANGE:
        return False
    way = sum(_apart(*pair) for pair in pairwise(small))
    if _apart(small[0], small[-1]) < _STRAIGHT * way:
        return False
    return all(_off_the_way(run, part) <= _OFF_THE_WAY for part in (0.25, 0.5, 0.75))


def _apart(one: Picture, other: Picture) -> float:
    """Mean difference of two pictures, 0 to 255."""
    return float(np.abs(one.astype(np.float32) - other).mean())


def _off_the_way(run: Sequence[Picture], part: float) -> float:
    """How far the frame at ``part`` of the run, 0 to 1, is from the nearest blend of its ends.

    The blend is by least squares, so a transition may be faster in its middle. In parts of the mean
    difference of the ends: 0 on the way.
    """
    import cv2

    ends_and_middle = (run[0], run[-1], run[round(part * (len(run) - 1))])
    soft = [
        cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32) for picture in ends_and_middle
    ]
    whole, so_far = soft[1] - soft[0], soft[2] - soft[0]
    blend = float((so_far * whole).sum() / max(1e-6, float((whole * whole).sum())))
    return float(np.abs(so_far - blend * whole).mean() / max(1e-6, float(np.abs(whole).mean())))
