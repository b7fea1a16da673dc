"""One pass over a recording, or a stretch of it: its shots, and at an interval subject and motion.

Each frame is decoded once, as small as a face detector needs it, and handed to the detectors of
cuts and dissolves; when a sample is due its subject is sought and its motion measured against the
frame before. A stretch is decoded with what lies around it, so that its shots are those of the
whole.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from functions.detect.centerface import SMALL_SIDE, FaceDetector
from functions.detect.dissolves import LEAD_FRAMES, DissolveDetector, Gradual
from functions.detect.looked import Look, Looked
from functions.detect.shots import SIZE, ShotDetector
from functions.detect.subject import Picture, flow_length, subject_of
from shared.contracts.step_engine import Job
from shared.media.frames import Span, VideoFrames, Wanted, first_video

MOST_TILES = 40
"""Of the contact sheet."""
_FLOW_SIZE = (96, 54)
"""Width and height at which motion is measured: that of large things, at little cost."""
_AROUND_MS, _BEHIND_FRAMES = 2000.0, 12
"""A stretch is looked at so far beyond its edges, and no less than so many frames beyond its end."""


@dataclass
class Pass:
    """One pass over the recording, or over a stretch of it."""

    job: Job
    interval_ms: float
    """How far apart samples are, at least: a sample is the next frame that is shown."""
    faces: FaceDetector | None
    """``None``: no faces are sought, and the subject is what stands out."""
    within_ms: Span
    """The stretch, half open; ``None`` for the recording's own beginning or end."""
    looked: Looked = field(default_factory=Looked)

    def look(self) -> None:
        """Go through all frames, and for the shots' sake through some around the stretch.

        Fills ``looked``; raises ``UnsupportedMedia`` where no picture can be decoded.
        """
        import cv2

        shown = first_video(self.job.media).shown_size
        scale = min(1.0, SMALL_SIDE / max(shown))
        width, height = (max(1, round(side * scale)) for side in shown)
        shots, dissolves = ShotDetector(), DissolveDetector()
        wanted = Wanted(width, height, scaler="fast_bilinear", within_ms=self._around())
        before, before_ms, due_ms = np.zeros((0, 0), np.uint8), 0.0, float("-inf")
        with VideoFrames(self.job.source, self.job.media, wanted) as frames:
            begin, end = (None if at is None else frames.tick_at(at) for at in self.within_ms)
            for frame in frames:
                picture = frame.data.reshape(height, width, 3)
                time_ms = frames.ms(frame.ticks)
                tiny = np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
                shots.process(tiny)
                dissolves.process(tiny)
                small = cv2.resize(picture, _FLOW_SIZE, interpolation=cv2.INTER_AREA)
                grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
                if (begin is None or frame.ticks >= begin) and (end is None or frame.ticks < end):
                    if time_ms >= due_ms - 5e-4:
                        due_ms = time_ms + self.interval_ms
                        self._sample(picture, (before, grey), (before_ms, time_ms))
                    self.looked.times_ms.append(time_ms)
                before, before_ms = grey, time_ms
                self._tell(time_ms)
            self.looked.damage = frames.damage
            first = 0 if begin is None else bisect_left(frames.ticks, begin)
        self._keep_shots(shots, dissolves, first)

    def _around(self) -> Span:
        """The stretch, and what its shots are judged by."""
        frame_ms = 1000 / (first_video(self.job.media).frame_rate or 25.0)
        begin_ms, end_ms = self.within_ms
        return (
            None if begin_ms is None else begin_ms - max(_AROUND_MS, LEAD_FRAMES * frame_ms),
            None if end_ms is None else end_ms + max(_AROUND_MS, _BEHIND_FRAMES * frame_ms),
        )

    def _keep_shots(self, shots: ShotDetector, dissolves: DissolveDetector, first: int) -> None:
        """Those of the stretch, which begins with frame ``first`` of those that were looked at.

        A dissolve belongs to the stretch in which it ends; its first frame may be negative.
        """
        inside = range(first, first + len(self.looked.times_ms))
        self.looked.cuts = [cut - first for cut in shots.finish() if cut in inside]
        self.looked.gradual = [
            Gradual(one.kind, one.first_frame - first, one.last_frame - first)
            for one in dissolves.finish()
            if one.last_frame in inside
        ]

    def _tell(self, time_ms: float) -> None:
        begin_ms = self.within_ms[0] or 0.0
        end_ms = self.within_ms[1] or float(self.job.media.duration_ms or 1)
        done = max(0.0, time_ms - begin_ms) / max(1.0, end_ms - begin_ms)
        self.job.progress(min(0.95, 0.95 * done))

    def _sample(
        self, picture: Picture, pair: tuple[Picture, Picture], times_ms: tuple[float, float]
    ) -> None:
        """Describe the frame that is next to be counted.

        ``pair``: this frame and the one before it, if there is one, in grey; ``times_ms``: of both.
        Motion is in picture widths a second, so that it doesn't depend on the frame rate.
        """
        index, (before_ms, time_ms) = len(self.looked.times_ms), times_ms
        motion = 0.0
        if pair[0].size and time_ms > before_ms:
            motion = flow_length(*pair) * 1000 / (time_ms - before_ms)
        self.looked.looks.append(Look(index, time_ms, subject_of(picture, self.faces), motion))
        self._keep_picture(index, time_ms, picture)

    def _keep_picture(self, index: int, time_ms: float, picture: Picture) -> None:
        """A picture now and then for the contact sheet, 160 at most, whatever the length."""
        kept, times_ms = self.looked.pictures, self.looked.times_ms
        if len(kept) >= 4 * MOST_TILES:  # keep every other, so that they stay spread
            kept[:] = kept[::2]
        apart_ms = (self.job.media.duration_ms or 0) / (2 * MOST_TILES)
        if not kept or time_ms - times_ms[kept[-1][0]] >= apart_ms:
            kept.append((index, picture))
