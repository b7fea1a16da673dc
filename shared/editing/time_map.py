"""From a recording's time to the time of what an edit list leaves of it, and back.

One piecewise linear map, in whole samples. It never falls; where a keep is played at its own speed
it is exact both ways; all of what was cut lies at the join, where the keep before it ends and the
one behind it begins.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf

from shared.contracts.edit_list import SILENCING, Edit, EditList, Keep, ms_at, sample_at


def derived_keeps(edits: Iterable[Edit], samples: int, sample_rate_hz: int) -> tuple[Keep, ...]:
    """What ``edits`` leave of ``samples``, in order: a cut wins, and of two speeds the faster.

    Edits that were taken back, and those that only silence, change nothing.
    """
    standing = [one for one in edits if not one.taken_back and one.action not in SILENCING]
    gone = _merged([part for edit in standing for part in _removed(edit, sample_rate_hz)])
    steps = _speed_steps(
        (*_stretch(edit, sample_rate_hz), edit.speed) for edit in standing if edit.speed is not None
    )
    pieces: list[tuple[int, int, float]] = []
    for start, end in _between(gone, samples):
        for piece in _at_speeds(start, end, steps):
            if pieces and pieces[-1][1:] == (piece[0], piece[2]):
                pieces[-1] = (pieces[-1][0], piece[1], piece[2])
            else:
                pieces.append(piece)
    keeps, at = [], 0
    for start, end, speed in pieces:
        times = [ms_at(sample, sample_rate_hz) for sample in (start, end, at)]
        keeps.append(Keep(start_ms=times[0], end_ms=times[1], speed=speed, new_start_ms=times[2]))
        at += _new_length(start, end, speed)
    return tuple(keeps)


def new_samples(keeps: Sequence[Keep], sample_rate_hz: int) -> int:
    """How long the keeps last together."""
    if not keeps:
        return 0
    start, end, at = (
        sample_at(ms, sample_rate_hz)
        for ms in (keeps[-1].start_ms, keeps[-1].end_ms, keeps[-1].new_start_ms)
    )
    return at + _new_length(start, end, keeps[-1].speed)


@dataclass(frozen=True)
class KeptPiece:
    """A keep in samples: ``[start, end)`` of the recording is ``[new_start, new_end)``."""

    start: int
    end: int
    new_start: int
    new_end: int
    speed: float


@dataclass(frozen=True)
class TimeMap:
    """The map of one list."""

    pieces: tuple[KeptPiece, ...]
    """In order; none is empty on either side of the map."""
    samples: int
    sample_rate_hz: int

    @property
    def new_samples(self) -> int:
        """Of what is left."""
        return self.pieces[-1].new_end if self.pieces else 0

    def to_new(self, sample: int) -> int:
        """Where a sample of the recording is heard, 0 to ``new_samples``; what was cut: at the join."""
        at = bisect_right(self._starts, sample) - 1
        if at < 0:
            return 0
        piece = self.pieces[at]
        if sample >= piece.end:
            return piece.new_end
        ratio = Fraction(piece.new_end - piece.new_start, piece.end - piece.start)
        return piece.new_start + round((sample - piece.start) * ratio)

    def to_old(self, sample: int) -> int:
        """Which sample of the recording is heard there; at a join, where the keep behind it begins."""
        if not self.pieces:
            return 0
        at = bisect_right(self._new_starts, sample) - 1
        piece = self.pieces[max(at, 0)]
        inside = min(max(sample - piece.new_start, 0), piece.new_end - piece.new_start)
        ratio = Fraction(piece.end - piece.start, piece.new_end - piece.new_start)
        return piece.start + round(inside * ratio)

    def to_new_ms(self, time_ms: float) -> float:
        """``to_new`` of the nearest sample, in milliseconds."""
        rate = self.sample_rate_hz
        return ms_at(self.to_new(sample_at(time_ms, rate)), rate)

    def kept_samples(self, start: int, end: int) -> int:
        """How much of ``[start, end)`` of the recording is heard at all, in its own samples."""
        return sum(
            max(min(end, piece.end) - max(start, piece.start), 0)
            for piece in self.pieces[
                max(bisect_right(self._starts, start) - 1, 0) : bisect_left(self._starts, end)
            ]
        )

    @property
    def joins(self) -> tuple[int, ...]:
        """Where, in the new time, what was apart meets."""
        return tuple(
            later.new_start
            for earlier, later in zip(self.pieces, self.pieces[1:], strict=False)
            if earlier.end < later.start
        )

    @cached_property
    def _starts(self) -> list[int]:
        return [piece.start for piece in self.pieces]

    @cached_property
    def _new_starts(self) -> list[int]:
        return [piece.new_start for piece in self.pieces]


def time_map(edits: EditList) -> TimeMap:
    """The map of a list, by its keeps."""
    rate = edits.sample_rate_hz
    pieces = []
    for keep in edits.keeps:
        start, end = sample_at(keep.start_ms, rate), sample_at(keep.end_ms, rate)
        at = sample_at(keep.new_start_ms, rate)
        pieces.append(
            KeptPiece(start, end, at, at + _new_length(start, end, keep.speed), keep.speed)
        )
    return TimeMap(tuple(pieces), edits.samples, rate)


def _new_length(start: int, end: int, speed: float) -> int:
    return end - start if speed == 1 else round((end - start) / speed)


def _stretch(edit: Edit, rate: int) -> tuple[int, int]:
    return sample_at(edit.start_ms, rate), sample_at(edit.end_ms, rate)


def _removed(edit: Edit, rate: int) -> list[tuple[int, int]]:
    """What an edit takes out: all, or the middle of it."""
    start, end = _stretch(edit, rate)
    if edit.action == "cut":
        return [(start, end)]
    if edit.to_ms is None:
        return []
    left = min(sample_at(edit.to_ms, rate), end - start)
    return [(start + left - left // 2, end - left // 2)]


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def _between(gone: list[tuple[int, int]], samples: int) -> list[tuple[int, int]]:
    """What is left of ``[0, samples)``."""
    starts = [0, *(end for _, end in gone)]
    ends = [*(start for start, _ in gone), samples]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _speed_steps(fast: Iterable[tuple[int, int, float]]) -> list[tuple[int, float]]:
    """From which sample on which speed: the fastest of the stretches that lie there, or 1."""
    changes = sorted(
        change
        for start, end, speed in fast
        for change in ((start, True, speed), (end, False, speed))
    )
    steps, active = [(0, 1.0)], [1.0]
    for at, begins, speed in changes:
        if begins:
            active.append(speed)
        else:
            active.remove(speed)
        if steps[-1][0] == at:
            steps.pop()
        steps.append((at, max(active)))
    return steps


def _at_speeds(
    start: int, end: int, steps: Sequence[tuple[int, float]]
) -> Iterable[tuple[int, int, float]]:
    """``[start, end)`` parted where its speed changes. What would round to nothing is left out."""
    at = bisect_right(steps, (start, inf)) - 1
    while start < end:
        to = steps[at + 1][0] if at + 1 < len(steps) else end
        if _new_length(start, min(to, end), steps[at][1]):
            yield start, min(to, end), steps[at][1]
        start, at = to, at + 1
