"""Looking for faces: at an interval and at each cut, and in between where that left a doubt.

    every interval, at cuts and changes -> tracks -> what is doubtful: every frame there -> tracks again

A face that crosses fast is seen once or twice and far apart; a weak detection may be the one bad
picture of somebody, or nothing. Both are settled by the frames around them. The recording is
decoded once for cuts, once to look, and once more in part where something was doubtful; no pictures
are kept but a few small ones.
"""

from __future__ import annotations

import math
from bisect import bisect, bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.detect.centerface import SURE, Boxes, FaceDetector, Picture
from functions.detect.doubtful import doubtful_spans, lasting, weak_boxes
from functions.detect.seen import Place, Seen, place_of
from functions.detect.shots import find_cuts
from functions.detect.tracking import Sample, Track, Tracker
from shared.contracts.asset import VideoStream
from shared.contracts.step_engine import Job
from shared.media.frames import Span, VideoFrames, Wanted, first_video
from shared.media.sheets import thumbnail

SHOWN = 8
"""So many frames are kept to be shown."""
_THOROUGH = 3
"""Each so many samples faces that are upside down are looked for although upright ones are there."""
_GLANCE_SIDE = 48.0
"""Pixels: faces so large are found at half the size, too."""
_CUTS_PART, _FIRST_PART, _DONE_PART = 0.15, 0.8, 0.95
"""How much of the work is done after each pass, as progress counts it."""
_AROUND_MS = 2000.0
"""What lies so near to a stretch is looked at to judge its cuts."""
_MOST_CROPS = 200
"""Of looks between samples."""


@dataclass(frozen=True)
class Closeness:
    """How often and how closely is looked."""

    interval_ms: float
    """Between two looks, where nothing asks for one sooner."""
    min_confidence: float
    """What starts a track, 0 to 1."""
    max_gap_ms: float
    """How long a track may go on unseen."""
    longest_side: int
    """Pixels of the pictures that are looked at."""


def look_at(
    job: Job, close: Closeness, detector: FaceDetector | None, within_ms: Span = (None, None)
) -> tuple[Seen, list[Track]]:
    """All looks, and the tracks in order of appearance. Without a detector nothing is found.

    ``within_ms``: in a stretch alone, whose frames are counted from its first. Raises
    ``UnsupportedMedia`` where no picture can be decoded.
    """
    look = _Looking(job, close, detector, within_ms)
    look.first_pass()
    tracks = look.seen.tracker.finish()
    spans = doubtful_spans(look.seen, tracks, look.size) if detector else []
    if not spans:
        return look.seen, tracks
    look.between(spans)
    return look.seen, look.seen.tracker.finish()


def unsure(seen: Seen, stream: VideoStream) -> list[tuple[Sample, NDArray[np.float64]]]:
    """What may be a thing that was looked for, and is in no track: its sample and its box."""
    size = (stream.width, stream.height)
    return lasting(weak_boxes(seen.tracker, size), seen.tracker, size)


class _Looking:
    """The passes over one recording, and what they leave in ``seen``."""

    def __init__(
        self, job: Job, close: Closeness, detector: FaceDetector | None, within_ms: Span
    ) -> None:
        stream = first_video(job.media)
        shown = stream.shown_size
        scale = min(1.0, close.longest_side / max(shown))
        # Faces are looked for as they are seen: in square pixels.
        self.looked_at = max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))
        self.size = (stream.width, stream.height)
        self.job, self.close, self.detector = job, close, detector
        self.seen = Seen(
            Tracker(close.min_confidence, close.max_gap_ms),
            np.array(self.size, np.float64) / self.looked_at,
        )
        self.within_ms = within_ms
        self._from_ms = within_ms[0] or 0.0
        until_ms = within_ms[1] or float(job.media.duration_ms or 1)
        self._lasting_ms = max(1.0, until_ms - self._from_ms)
        self._best: dict[int, Place] = {}
        """By ``id`` of the track: where its best look so far is."""

    def first_pass(self) -> None:
        """At the interval, at each shot's first and last frame, and where the picture changes."""
        seen, edges = self.seen, set[int]()
        if self.detector:
            edges = self._find_cuts()
        self.job.progress(_CUTS_PART)
        wanted = Wanted(
            *self.looked_at,
            every_ms=self.close.interval_ms,
            at_changes=True,
            at_ticks=tuple(sorted(edges)),
            within_ms=self.within_ms,
        )
        last = 0
        with VideoFrames(self.job.source, self.job.media, wanted) as frames:
            for frame in frames:
                picture, time_ms = self._picture(frame.data), frames.ms(frame.ticks)
                boxes = self._found(picture, time_ms, at_edge=frame.ticks in edges)
                self._add(Sample(frame.index, time_ms, boxes), last)
                last = frame.index
                part = min(1.0, max(0.0, time_ms - self._from_ms) / self._lasting_ms)
                self._keep_pictures(picture, part)
                self.job.progress(_CUTS_PART + (_FIRST_PART - _CUTS_PART) * part)
            seen.ticks = list(frames.ticks)
            seen.times_ms = [frames.ms(ticks) for ticks in frames.ticks]
            seen.damage = frames.damage

    def _find_cuts(self) -> set[int]:
        """The stretch's cuts, judged by frames around it, too. Returns the times of frames beside cuts, and
        of the recording's last one.
        """
        begin_ms, end_ms = self.within_ms
        wide = (
            None if begin_ms is None else begin_ms - _AROUND_MS,
            None if end_ms is None else end_ms + _AROUND_MS,
        )
        cuts, ticks = find_cuts(self.job.source, self.job.media, wide)
        clock = VideoFrames(self.job.source, self.job.media, Wanted(*self.looked_at))
        first = 0 if begin_ms is None else bisect_left(ticks, clock.tick_at(begin_ms))
        end = len(ticks) if end_ms is None else bisect_left(ticks, clock.tick_at(end_ms))
        self.seen.cuts = [cut - first for cut in cuts if first <= cut <= end]
        firsts = [cut for cut in cuts if cut < len(ticks)]
        return {ticks[at] for cut in firsts for at in (cut - 1, cut)} | set(ticks[-1:])

    def between(self, spans: Sequence[tuple[int, int]]) -> None:
        """At every frame of these spans (first and last); then everything is tracked anew."""
        seen, detector = self.seen, self.detector
        known = {sample.frame: sample for sample in seen.tracker.samples}
        times = tuple((seen.ticks[first], seen.ticks[last]) for first, last in spans)
        wanted = Wanted(*self.looked_at, every_ms=math.inf, spans=times, within_ms=self.within_ms)
        with VideoFrames(self.job.source, self.job.media, wanted) as frames:
            for frame in frames:
                if frame.index in known or detector is None:
                    continue
                picture, time_ms = self._picture(frame.data), frames.ms(frame.ticks)
                boxes = self._clipped(detector.find(picture, thorough=False))
                known[frame.index] = Sample(frame.index, time_ms, boxes)
                self._keep_crops(picture, frame.index, boxes)
                part = frame.index / max(1, len(seen.ticks))
                self.job.progress(_FIRST_PART + (_DONE_PART - _FIRST_PART) * part)
        seen.tracker = Tracker(self.close.min_confidence, self.close.max_gap_ms)
        last = 0
        for number in sorted(known):
            self._add(known[number], last)
            last = number

    def _picture(self, data: Picture) -> Picture:
        """A decoded picture's bytes as ``(height, width, 3)``, blue, green, red."""
        return data.reshape(self.looked_at[1], self.looked_at[0], 3)

    def _add(self, sample: Sample, last: int) -> None:
        """Take a sample into the tracks; between frame ``last`` and its own may lie a cut."""
        cuts = self.seen.cuts
        cut = bisect(cuts, last) < bisect(cuts, sample.frame)
        self.seen.tracker.add(Sample(sample.frame, sample.time_ms, sample.boxes, cut))

    def _found(self, picture: Picture, time_ms: float, *, at_edge: bool) -> Boxes:
        """What is in the picture: ``(faces, 5)``, in pixels of the upright picture.

        Every other one is only glanced at, where that shows all that was there.
        """
        detector, tracker = self.detector, self.seen.tracker
        if detector is None:
            return np.zeros((0, 5))
        number = len(tracker.samples)
        if number % 2 and not at_edge:
            last = tracker.going_on(number - 1)
            if (
                last
                and min((t.boxes[-1][2:4] / self.seen.scale).min() for t in last) >= _GLANCE_SIDE
            ):
                boxes = self._clipped(detector.glance(picture))
                if tracker.accounted_for(boxes[boxes[:, 4] >= SURE], time_ms):
                    return boxes
        return self._clipped(detector.find(picture, thorough=number % _THOROUGH == 0))

    def _clipped(self, boxes: Boxes) -> Boxes:
        """In pixels of the upright picture, and in it."""
        return clipped(boxes * [*self.seen.scale, *self.seen.scale, 1.0], *self.size)

    def _keep_pictures(self, picture: Picture, part: float) -> None:
        """A small copy now and then, and of each track its best look so far."""
        seen = self.seen
        index = len(seen.tracker.samples) - 1
        if len(seen.shown) < SHOWN and part >= len(seen.shown) / SHOWN:
            seen.shown.append((seen.tracker.samples[index].frame, thumbnail(picture)))
        for track in seen.tracker.going_on(index):
            box, before = track.boxes[-1], self._best.get(id(track))
            if before is None or _worth(box) > seen.crops[before][0]:
                if before is not None:
                    del seen.crops[before]
                place = self._best[id(track)] = place_of(seen, index, box)
                seen.crops[place] = _worth(box), _crop(picture, box, seen.scale)

    def _keep_crops(self, picture: Picture, frame: int, boxes: Boxes) -> None:
        """Of looks between samples the sure faces, as long as there is room."""
        for box in boxes[boxes[:, 4] >= self.close.min_confidence]:
            if len(self.seen.crops) < len(self._best) + _MOST_CROPS:
                place = (frame, float(box[0]), float(box[1]))
                self.seen.crops[place] = _worth(box), _crop(picture, box, self.seen.scale)


def _worth(box: NDArray[np.float64]) -> float:
    """How good a look is: confidence times the shorter side in pixels."""
    return float(box[4] * min(box[2], box[3]))


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """The parts of the boxes that are in the picture; none that is smaller than a pixel."""
    low = np.clip(boxes[:, :2], 0, (width, height))
    high = np.clip(boxes[:, :2] + boxes[:, 2:4], 0, (width, height))
    inside = np.concatenate([low, high - low, boxes[:, 4:]], axis=1)
    return inside[(inside[:, 2] >= 1) & (inside[:, 3] >= 1)]


def _crop(picture: Picture, whole: NDArray[np.float64], scale: NDArray[np.float64]) -> Picture:
    """The box and a third around it, as far as the picture goes; at most 128 pixels a side."""
    box = whole[:4] / np.tile(scale, 2)
    height, width = picture.shape[:2]
    edge = max(box[2], box[3]) / 3
    left, right = (round(min(max(x, 0), width)) for x in (box[0] - edge, box[0] + box[2] + edge))
    top, bottom = (round(min(max(y, 0), height)) for y in (box[1] - edge, box[1] + box[3] + edge))
    return thumbnail(picture[top : max(bottom, top + 1), left : max(right, left + 1)], 128)
