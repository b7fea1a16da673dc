"""What a pass over samples leaves in doubt, and which frames would settle it.

Four things are doubtful: a track that was seen once, a weak detection, a gap in a track, and a
track that begins or ends in mid-picture. Each names the frames between samples that would tell.
Where too many would be asked for, the least doubtful stay in doubt. Boxes here are (left, top,
width, height, confidence) in pixels of the upright picture; ``size`` is that picture's width and
height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from functions.detect.seen import Seen
from functions.detect.tracking import Sample, Track, Tracker

UNSURE, UNSURE_AT_EDGE = 0.4, 0.3
"""So sure is told of what starts no track; less, where the picture's edge cuts off part of it."""
MOST_UNSURE = 1000
"""So many weak detections are told of, the surest ones."""
_EDGE_PART = 0.02
"""So near to the picture's edge (in parts of its side) a face comes in or goes out."""
_WHILE_MS, _LOOKS = 500.0, 4
"""A weak detection at the edge counts where there are so many within so long before and after."""
_MOST_FRAMES, _MOST_SPANS = 1500, 300
"""So many are looked at between samples, the most doubtful first."""

Span = tuple[int, int]
"""First and last frame, both included."""


def at_edge(box: NDArray[np.float64], size: tuple[int, int]) -> bool:
    """Does the box (left, top, width, height) reach the picture's edge?"""
    wide, high = size[0] * _EDGE_PART, size[1] * _EDGE_PART
    inside = box[0] > wide and box[1] > high
    return not (inside and box[0] + box[2] < size[0] - wide and box[1] + box[3] < size[1] - high)


Weak = tuple[Sample, NDArray[np.float64]]
"""A detection that no track has: its sample and its box, ``(5,)``."""


def weak_boxes(tracker: Tracker, size: tuple[int, int]) -> list[Weak]:
    """The detections that are in no track and may yet be a face, the surest ones first."""
    found = [
        pair
        for pair in tracker.left_over()
        if pair[1][4] >= (UNSURE_AT_EDGE if at_edge(pair[1], size) else UNSURE)
    ]
    found.sort(key=lambda pair: (-pair[1][4], pair[0].frame, *pair[1][:2]))
    return found


def lasting(weak: Sequence[Weak], tracker: Tracker, size: tuple[int, int]) -> list[Weak]:
    """Those to be told of: at the edge, only what was there for a while.

    A mirrored edge makes a face of many a thing for a picture or two: a lamp, a galaxy. Where fewer
    than ``_LOOKS`` looks were taken around it, nothing can be said against it, and it is kept.
    """
    times_ms = [sample.time_ms for sample in tracker.samples]
    kept = []
    for sample, box in weak:
        looks = sum(abs(time_ms - sample.time_ms) <= _WHILE_MS for time_ms in times_ms)
        if at_edge(box, size) and looks >= _LOOKS:
            again = sum(
                abs(other.time_ms - sample.time_ms) <= _WHILE_MS and _near(box, seen)
                for other, seen in weak
            )
            if again < _LOOKS:
                continue
        kept.append((sample, box))
    return kept[:MOST_UNSURE]


def _near(box: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Do their middles lie no farther apart than the larger of both is wide and high?"""
    apart = np.abs(box[:2] + box[2:4] / 2 - other[:2] - other[2:4] / 2)
    return bool((apart <= np.maximum(box[2:4], other[2:4])).all())


def doubtful_spans(seen: Seen, tracks: Sequence[Track], size: tuple[int, int]) -> list[Span]:
    """Frames that would settle what is in doubt, first and last of each span, in order.

    In the order of doubt: tracks seen once, weak detections, gaps, ends in mid-picture. What is too
    much is left out, and stays in doubt. A span is tried with all before it joined, so its cost is
    what it adds; spans whose frames are all known are left out.
    """
    frames = [sample.frame for sample in seen.tracker.samples]
    taken: list[Span] = []
    for first, last in _wanted(seen, tracks, frames, size):
        if last > first + 1:
            tried = _joined([*taken, (first, last)])
            if len(tried) <= _MOST_SPANS and sum(b - a + 1 for a, b in tried) <= _MOST_FRAMES:
                taken = tried
    known = set(frames)
    return [(a, b) for a, b in taken if any(frame not in known for frame in range(a, b + 1))]


def _wanted(
    seen: Seen, tracks: Sequence[Track], frames: Sequence[int], size: tuple[int, int]
) -> Iterator[Span]:
    """The spans that each doubt asks for, the most doubtful first.

    From the sample before to the one after; a gap's from the detection before it to the one behind.
    """

    def around(before: int, after: int) -> Span:
        """From one sample to another, by their numbers."""
        return frames[max(0, before)], frames[min(len(frames) - 1, after)]

    for track in tracks:
        if len(track.samples) == 1:
            yield around(track.samples[0] - 1, track.samples[0] + 1)
    place = {frame: number for number, frame in enumerate(frames)}
    for sample, _ in weak_boxes(seen.tracker, size):
        yield around(place[sample.frame] - 1, place[sample.frame] + 1)
    for track in tracks:
        for one, other in zip(track.samples, track.samples[1:], strict=False):
            if other > one + 1:
                yield around(one, other)
        if not at_edge(track.boxes[0], size):
            yield around(track.samples[0] - 1, track.samples[0])
        if not at_edge(track.boxes[-1], size):
            yield around(track.samples[-1], track.samples[-1] + 1)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """In order, those that overlap or touch made one."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
