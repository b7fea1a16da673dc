"""An edit list in samples: which stretch is heard where, and where two of them meet.

    kept        |----------------|                    |---------------|
    seams                    |><|                    |><|
    tone                       |-------------------------|

A seam lies around the place where two stretches meet, and each plays through all of it: what a cut
took away is borrowed from for half a seam's length. Around what is silenced nothing is borrowed: the
seam ends where the silence begins.

Reads an ``edit_list`` and writes nothing: a pure function of the list and a rate. The list counts in
samples of its own rate; each of its places is brought to the rendering's rate by a fraction and
rounded once. Stretches fill the rendering without gap or overlap; seams never overlap. Time and memory
grow with the number of edits, not with the recording.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from typing import Literal

from shared.contracts.edit_list import SILENCING, EditList, sample_at
from shared.editing.time_map import TimeMap, time_map

SEAM_MS = 10.0
"""How long two stretches are heard together: shorter clicks in low voices, longer doubles syllables."""

Heard = Literal["kept", "tone", "bleep"]


@dataclass(frozen=True)
class Stretch:
    """``[start, stop)`` of the rendering, in its samples, and what is heard there."""

    heard: Heard
    """The recording, room tone in its place, or a bleep."""
    start: int
    stop: int
    source_start: int
    """The recording's sample that belongs to ``start``; of a tone, where in the recording it stands."""
    speed: float = 1.0
    """Samples of the recording for one of the rendering."""

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.stop - self.start

    @property
    def source_stop(self) -> int:
        """The recording's sample behind its last."""
        return self.source_start + round(self.frames * self.speed)

    @property
    def sped(self) -> bool:
        """Is it played faster?"""
        return self.speed != 1


@dataclass(frozen=True)
class Seam:
    """Where two stretches are heard together: ``frames`` from ``first`` on, perhaps none."""

    first: int
    frames: int

    @property
    def stop(self) -> int:
        """The frame behind its last."""
        return self.first + self.frames


@dataclass(frozen=True)
class Cutting:
    """Everything that is heard, in order."""

    sample_rate_hz: int
    frames: int
    stretches: tuple[Stretch, ...]
    seams: tuple[Seam, ...]
    """One more than stretches: before each, and behind the last."""
    joins: tuple[int, ...]
    """Frames where something was taken out."""
    silenced: tuple[tuple[int, int], ...]
    """What of the recording nobody is to hear, in its samples at this rate; in order, none overlaps."""


def cutting(edits: EditList, sample_rate_hz: int) -> Cutting:
    """What is to be done, at this rate: every place is rounded by itself, so nothing adds up.

    A list that keeps nothing gives no stretches and no seams.
    """
    whole = time_map(edits)
    scale = Fraction(sample_rate_hz, edits.sample_rate_hz)
    seam = round(SEAM_MS * sample_rate_hz / 1000)
    holes = _holes(edits, whole, scale, seam) if whole.pieces else []
    heard = sorted([*_around(_kept(whole, scale), holes), *holes], key=lambda one: one.start)
    return Cutting(
        sample_rate_hz,
        round(whole.new_samples * scale),
        tuple(heard),
        tuple(_seams(heard, round(edits.samples * scale), seam)),
        tuple(round(join * scale) for join in whole.joins),
        tuple(_merged((round(a * scale), round(b * scale)) for a, b, _ in _silenced(edits))),
    )


def _kept(whole: TimeMap, scale: Fraction) -> Iterator[Stretch]:
    for piece in whole.pieces:
        start, stop = round(piece.new_start * scale), round(piece.new_end * scale)
        if start < stop:
            yield Stretch("kept", start, stop, round(piece.start * scale), piece.speed)


def _silenced(edits: EditList) -> Iterator[tuple[int, int, Heard]]:
    """Start, end and what is heard instead, in the recording's own samples."""
    rate = edits.sample_rate_hz
    for edit in edits.standing:
        if edit.action in SILENCING:
            heard: Heard = "bleep" if edit.action == "bleep" else "tone"
            yield sample_at(edit.start_ms, rate), sample_at(edit.end_ms, rate), heard


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, those that touch or overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _holes(edits: EditList, whole: TimeMap, scale: Fraction, seam: int) -> list[Stretch]:
    """What is silenced, in the rendering, wider by half a seam on both sides.

    Less than a seam between two, or between one and a join, goes with them. Where a bleep meets a mute, all
    of it is bleeped. ``scale``: samples of the rendering for one of the list; ``seam``: of the rendering.
    """
    borders = [round(piece.new_start * scale) for piece in whole.pieces]
    borders.append(round(whole.new_samples * scale))
    places = sorted((whole.to_new(a), whole.to_new(b), heard) for a, b, heard in _silenced(edits))
    holes: list[Stretch] = []
    for low, high, heard in places:
        if low == high:  # it is gone altogether
            continue
        start = max(0, round(low * scale) - seam // 2)
        stop = min(borders[-1], round(high * scale) + seam // 2)
        before = borders[bisect_right(borders, start) - 1]
        behind = borders[bisect_left(borders, stop)]
        start = before if start - before < seam else start
        stop = behind if behind - stop < seam else stop
        if holes and start - holes[-1].stop < seam:
            told: Heard = heard if "bleep" not in (heard, holes[-1].heard) else "bleep"
            holes[-1] = replace(holes[-1], heard=told, stop=max(stop, holes[-1].stop))
        else:
            holes.append(Stretch(heard, start, stop, round(whole.to_old(low) * scale)))
    return holes


def _around(kept: Iterable[Stretch], holes: Sequence[Stretch]) -> Iterator[Stretch]:
    """What is left of the kept stretches beside the holes."""
    first = 0
    for one in kept:
        while first < len(holes) and holes[first].stop <= one.start:
            first += 1
        at = one.start
        for hole in islice(holes, first, None):
            if hole.start >= one.stop:
                break
            if at < hole.start:
                yield _part(one, at, hole.start)
            at = hole.stop
        if at < one.stop:
            yield _part(one, at, one.stop)


def _part(one: Stretch, start: int, stop: int) -> Stretch:
    """``[start, stop)`` of it, with the place in the recording that belongs to that."""
    source_start = one.source_start + round((start - one.start) * one.speed)
    return replace(one, start=start, stop=stop, source_start=source_start)


def _seams(stretches: Sequence[Stretch], source_frames: int, seam: int) -> Iterator[Seam]:
    """Each around its place, or inside the rendering at its ends; shorter beside short stretches."""
    if not stretches:
        return
    first, last = stretches[0], stretches[-1]
    begun = first.heard != "kept" or first.source_start > 0
    yield Seam(0, min(seam, first.frames // 2) if begun else 0)
    for before, behind in pairwise(stretches):
        half = min(seam, before.frames, behind.frames) // 2
        yield Seam(behind.start - half, 2 * half)
    ended = last.heard != "kept" or last.source_stop < source_frames
    frames = min(seam, last.frames // 2) if ended else 0
    yield Seam(last.stop - frames, frames)
