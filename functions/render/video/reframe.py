"""Where the picture is cut out, frame by frame, so that the subject stays inside.

In each shot the cut stands still where the subject hardly moves; otherwise it follows smoothly. It
jumps where the shot changes, and nowhere else.

Reads ``visual_meta``: shots, and every 200 ms as a rule the centre of the subject (a face, or what stands
out). Still is the median, which one wrong face does not move; smooth is a mean weighed by a Gaussian of
the times (Nadaraya-Watson regression), which looks ahead as far as back and so comes no later than
the subject. Between samples the centre goes straight. Nothing is looked at here: whether all of a
subject fits into the cut is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.contracts.visual import VisualMeta, VisualSample

_STILL_PART = 0.25
"""A subject that moves within so much of the cut's size is not followed."""
_SMOOTH_MS = 600.0
"""Two standard deviations: a shorter one follows every nod, a longer one lets the subject leave the cut."""
_REACH_MS = 10 * _SMOOTH_MS
"""Samples that are farther away weigh less than 1e-80."""
_AT_ONCE = 1024
"""So many samples are smoothed at a time: an hour's by all others would fill gigabytes."""

Path = NDArray[np.float64]
"""``(samples, 3)``: time in ms, and the centre in pixels."""


@dataclass(frozen=True)
class CropPath:
    """The cut's place in each moment; its size is fixed."""

    picture: tuple[int, int]
    """Width and height, in pixels."""
    crop: tuple[int, int]
    """Likewise; no larger than the picture."""
    shots: Sequence[tuple[float, Path]]
    """When each shot begins, in ms, and the centre in it."""

    def at(self, time_ms: float, step: tuple[int, int]) -> tuple[int, int]:
        """Left and top, multiples of ``step`` (the chroma's), inside the picture."""
        path = self._path(time_ms)
        centre = [float(np.interp(time_ms, path[:, 0], path[:, axis])) for axis in (1, 2)]
        left, top = (
            min(max(round(middle - size / 2), 0), whole - size)
            for middle, size, whole in zip(centre, self.crop, self.picture, strict=True)
        )
        return left - left % step[0], top - top % step[1]

    def _path(self, time_ms: float) -> Path:
        begun = [path for start_ms, path in self.shots if start_ms <= time_ms + 0.01]
        return begun[-1] if begun else self.shots[0][1]


def crop_path(picture: tuple[int, int], crop: tuple[int, int], meta: VisualMeta | None) -> CropPath:
    """Around the subject that visual meta knows; without it, or samples in it, in the middle.

    ``picture``, ``crop``: width and height in pixels. Times are the recording's.
    """
    if meta is None or not meta.samples:
        middle = np.array([[0.0, picture[0] / 2, picture[1] / 2]])
        return CropPath(picture, crop, [(0.0, middle)])
    shots = []
    for number, shot in enumerate(meta.shots):
        samples = [sample for sample in meta.samples if sample.shot == number]
        # A shot between two samples has none of its own: the nearest sample's serves.
        nearest = min(meta.samples, key=lambda s, at=shot.start_ms: abs(s.time_ms - at))  # type: ignore[misc]
        shots.append((shot.start_ms, _steadied(samples or [nearest], picture, crop)))
    return CropPath(picture, crop, shots)


def _steadied(
    samples: Sequence[VisualSample], picture: tuple[int, int], crop: tuple[int, int]
) -> Path:
    raw = np.array(
        [
            (
                s.time_ms,
                s.primary_subject_center_x * picture[0],
                s.primary_subject_center_y * picture[1],
            )
            for s in samples
        ]
    )
    path = raw.copy()
    for axis, size in ((1, crop[0]), (2, crop[1])):
        low, high = np.percentile(raw[:, axis], [5, 95])
        if high - low <= _STILL_PART * size:
            path[:, axis] = np.median(raw[:, axis])
        else:
            path[:, axis] = _smoothed(raw[:, 0], raw[:, axis])
    return path


def _smoothed(times_ms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By a Gaussian of the times, so that uneven samples count evenly: ``(samples,)``, as ``values``.

    ``times_ms`` rise. Memory is some 1,024 rows of the samples within reach, time grows with the samples.
    """
    made = np.empty(len(values))
    for at in range(0, len(values), _AT_ONCE):
        here = times_ms[at : at + _AT_ONCE]
        edges = here[0] - _REACH_MS, here[-1] + _REACH_MS
        low, high = np.searchsorted(times_ms, edges, "left")
        apart = (here[:, None] - times_ms[None, low:high]) / (_SMOOTH_MS / 2)
        weights = np.exp(-(apart**2) / 2)
        made[at : at + _AT_ONCE] = weights @ values[low:high] / weights.sum(axis=1)
    return made
