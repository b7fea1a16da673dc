"""Detections of single pictures become tracks: one thing, followed through one shot.

Each sample's boxes are matched with where the tracks should be by now, the sure ones first; what
the detector is less sure of may go on with a track, or lead up to one, but starts none (the order
of Yifu Zhang and others, ByteTrack: Multi-Object Tracking by Associating Every Detection Box,
2022). A track should be where its last two detections point to; what things look like is never
compared. No track goes on across a cut: whoever is there then may be somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""``(boxes, 5)``: left, top, width, height in pixels, confidence."""

_FAR = 1.2
"""Farther from where it should be than this many of its own sides, it is another thing."""
_OTHER_SIZE = 2.2
"""Sides (roots of areas) that differ by a larger factor are those of two things."""
_WEAK_OVERLAP = 0.25
"""Intersection over union with where it should be, from which a weak box goes on with a track."""
_NO_MATCH = 1e6
"""The cost of what doesn't fit: more than any that does."""


@dataclass(frozen=True)
class Sample:
    """What the detector found in one frame."""

    frame: int
    time_ms: float
    boxes: Boxes
    """In any order; pixels of one picture throughout a recording."""
    cut: bool = False
    """The picture changed at once since the sample before."""


@dataclass(eq=False)
class Track:
    """One thing: its detections in order, each with the number of its sample.

    ``samples``, ``times_ms`` and ``boxes``, ``(5,)`` each, are as long as one another.
    """

    samples: list[int] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, index: int, time_ms: float, box: NDArray[np.float64]) -> None:
        """Go on with this detection."""
        self.samples.append(index)
        self.times_ms.append(time_ms)
        self.boxes.append(box)

    def expected(self, time_ms: float) -> NDArray[np.float64]:
        """Where it should be, if it moves on as it did; also before its first detection.

        Its size stays. With one detection it stands still.
        """
        forward = time_ms >= self.times_ms[-1]
        near, far = (-1, -2) if forward else (0, 1)
        box = self.boxes[near].copy()
        if len(self.boxes) > 1:
            span_ms = self.times_ms[near] - self.times_ms[far]
            # Beyond the span that its speed was measured over, that says nothing more.
            part = min(1.0, (time_ms - self.times_ms[near]) / span_ms)
            moved = _centre(self.boxes[near]) - _centre(self.boxes[far])
            box[:2] += part * moved
        return box


class Tracker:
    """Takes samples in order; ``finish`` gives the tracks in order of appearance."""

    def __init__(self, min_confidence: float, max_gap_ms: float) -> None:
        """``min_confidence``, 0 to 1, starts a track; after ``max_gap_ms`` unseen it ends."""
        self.min_confidence = min_confidence
        self.max_gap_ms = max_gap_ms
        self.samples: list[Sample] = []
        self._active: list[Track] = []
        self._ended: list[Track] = []
        self._left_over: dict[int, Boxes] = {}
        """Sample -> boxes that belong to no track, all of them weak."""

    def add(self, sample: Sample) -> None:
        """Match its boxes with the tracks. Samples come in order of time."""
        index = len(self.samples)
        self.samples.append(sample)
        self._end_old(sample)
        boxes = sample.boxes[np.lexsort((sample.boxes[:, 1], sample.boxes[:, 0]))]
        sure = boxes[:, 4] >= self.min_confidence
        free = self._go_on(list(self._active), boxes[sure], index, weak=False)
        waiting = [track for track in self._active if track.samples[-1] != index]
        self._left_over[index] = self._go_on(waiting, boxes[~sure], index, weak=True)
        for box in free:
            track = Track()
            track.add(index, sample.time_ms, box)
            self._active.append(track)

    def going_on(self, index: int) -> list[Track]:
        """The tracks that have a detection in the newest sample, number ``index``."""
        return [track for track in self._active if track.samples[-1] == index]

    def accounted_for(self, boxes: Boxes, time_ms: float) -> bool:
        """Would each thing of the newest sample be found again among these boxes?"""
        tracks = self.going_on(len(self.samples) - 1)
        return len(_matched(tracks, boxes, time_ms, weak=False)) == len(tracks)

    def left_over(self) -> list[tuple[Sample, NDArray[np.float64]]]:
        """The boxes that belong to no track, with their samples; complete after ``finish``."""
        return [
            (self.samples[index], box) for index, boxes in self._left_over.items() for box in boxes
        ]

    def finish(self) -> list[Track]:
        """All tracks, each led up to by the weak boxes before it.

        In order of their first sample, then from left to right. Called once: it takes the weak
        boxes.
        """
        tracks = self._ended + self._active
        tracks.sort(key=lambda track: (track.samples[0], *track.boxes[0][:2]))
        for track in tracks:
            self._lead_up(track)
        return tracks

    def _end_old(self, sample: Sample) -> None:
        """Tracks that wait for too long, or stand before a cut, wait no more."""
        going = [
            track
            for track in self._active
            if not sample.cut and sample.time_ms - track.times_ms[-1] <= self.max_gap_ms
        ]
        self._ended += [track for track in self._active if track not in going]
        self._active = going

    def _go_on(self, tracks: list[Track], boxes: Boxes, index: int, *, weak: bool) -> Boxes:
        """Give the boxes to the tracks that they fit best; returns those that fit none."""
        time_ms = self.samples[index].time_ms
        taken = np.zeros(len(boxes), bool)
        for row, column in _matched(tracks, boxes, time_ms, weak=weak):
            tracks[row].add(index, time_ms, boxes[column])
            taken[column] = True
        return boxes[~taken]

    def _lead_up(self, track: Track) -> None:
        """Weak boxes right before its first detection, in the same shot, are its beginning."""
        while track.samples[0] > 0 and not self.samples[track.samples[0]].cut:
            index = track.samples[0] - 1
            boxes = self._left_over[index]
            time_ms = self.samples[index].time_ms
            costs = _costs(track.expected(time_ms), boxes, weak=True)
            best = int(np.argmin(costs)) if len(costs) else -1
            if best < 0 or costs[best] >= _NO_MATCH:
                return
            track.samples.insert(0, index)
            track.times_ms.insert(0, time_ms)
            track.boxes.insert(0, boxes[best])
            self._left_over[index] = np.delete(boxes, best, axis=0)


def _matched(
    tracks: Sequence[Track], boxes: Boxes, time_ms: float, *, weak: bool
) -> list[tuple[int, int]]:
    """Tracks and the boxes that fit them, by their numbers: as many as can be, as well as can be.

    The assignment of least total cost (``linear_sum_assignment``), cubic in the larger of both.
    """
    from scipy.optimize import linear_sum_assignment

    if not tracks or not len(boxes):
        return []
    costs = np.array([_costs(track.expected(time_ms), boxes, weak) for track in tracks])
    pairs = zip(*linear_sum_assignment(costs), strict=True)
    return [(int(row), int(column)) for row, column in pairs if costs[row, column] < _NO_MATCH]


def _centre(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return box[:2] + box[2:4] / 2


def _costs(expected: NDArray[np.float64], boxes: Boxes, weak: bool) -> NDArray[np.float64]:
    """How badly each box fits: distance in sides, and difference in size; ``(boxes,)``.

    A distance is in sides of the larger of both boxes, at most twice the track's own; to it the
    logarithm of the sides' ratio is added. ``_NO_MATCH`` for what lies too far, or is another size.
    """
    side = np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 1e-6))
    own = float(np.sqrt(max(expected[2] * expected[3], 1e-6)))
    centres = boxes[:, :2] + boxes[:, 2:4] / 2
    far = np.hypot(*(centres - _centre(expected)).T) / np.minimum(np.maximum(side, own), 2 * own)
    ratio = np.maximum(side / own, own / side)
    fits = (far <= _FAR) & (ratio <= _OTHER_SIZE)
    if weak:
        fits &= overlaps(expected, boxes) >= _WEAK_OVERLAP
    return np.where(fits, far + np.log(ratio), _NO_MATCH)


def overlaps(box: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """Intersection over union of one box with each of several, ``(boxes,)``, 0 to 1."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:4], box[:2] + box[2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = boxes[:, 2] * boxes[:, 3] + box[2] * box[3] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def interpolated(track: Track, times_ms: Sequence[float]) -> Boxes:
    """Its box at each time between its first and last detection, in straight lines.

    ``(times, 5)``, confidences too; behind the last detection the box stays.
    """
    known = np.array(track.boxes)
    return np.stack([np.interp(times_ms, track.times_ms, column) for column in known.T], axis=1)
