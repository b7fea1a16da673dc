"""Musical time: beats, bars and seconds, exactly, both ways.

A beat is a quarter note, as in MIDI. Everything is a ``Fraction`` inside: converting there and back
gives the very number that went in, over any number of tempo changes. Numbers given as floats mean
what they print (0.1 is one tenth).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from shared.errors import ValidationError

Number = int | float | Fraction
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 5, 1_000
DENOMINATORS = (1, 2, 4, 8, 16, 32)
"""Of time signatures."""


def exact(value: Number) -> Fraction:
    """``value`` as the fraction that it prints as."""
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


@dataclass(frozen=True, slots=True)
class TempoChange:
    """From ``beat`` on, so many quarter notes a minute."""

    beat: Number
    bpm: Number


@dataclass(frozen=True, slots=True)
class TimeSignature:
    """From ``bar`` (counted from 0) on, bars of ``numerator``/``denominator``."""

    bar: int = 0
    numerator: int = 4
    denominator: int = 4

    @property
    def beats_per_bar(self) -> Fraction:
        """Quarter notes in a bar: 3 for 6/8."""
        return Fraction(4 * self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class BarPosition:
    """A place as musicians count it, but from 0: ``bar`` and the ``beat`` inside it."""

    bar: int
    beat: Fraction


class TempoMap:
    """Beats to seconds, frames and bars, and back."""

    def __init__(
        self,
        bpm: Number = 120,
        changes: Sequence[TempoChange] = (),
        signatures: Sequence[TimeSignature] = (TimeSignature(),),
    ) -> None:
        """Raises ``ValidationError`` for a tempo outside 5 to 1,000 BPM, or changes out of order."""
        points = [TempoChange(0, bpm), *changes]
        if len(changes) and exact(changes[0].beat) == 0:
            points = points[1:]
        self._beats = [exact(point.beat) for point in points]
        self._bpm = [_checked_tempo(point.bpm) for point in points]
        if any(later <= earlier for earlier, later in pairwise(self._beats)):
            raise ValidationError(
                "tempo changes", "must stand in order, at beats of their own after 0"
            )
        self._seconds = [Fraction(0)]
        for index in range(1, len(points)):
            length = self._beats[index] - self._beats[index - 1]
            self._seconds.append(self._seconds[-1] + length * 60 / self._bpm[index - 1])
        self._lay_out_bars(signatures)

    def _lay_out_bars(self, signatures: Sequence[TimeSignature]) -> None:
        """Where each time signature starts, in bars and beats."""
        self._signatures = list(signatures)
        if not signatures or signatures[0].bar != 0:
            self._signatures.insert(0, TimeSignature())
        self._bar_beats = [Fraction(0)]
        for earlier, later in pairwise(self._signatures):
            if later.bar <= earlier.bar:
                raise ValidationError(
                    "time signatures", "must stand in order, at bars of their own"
                )
            length = (later.bar - earlier.bar) * earlier.beats_per_bar
            self._bar_beats.append(self._bar_beats[-1] + length)
        if any(s.numerator < 1 or s.denominator not in DENOMINATORS for s in self._signatures):
            raise ValidationError("time signatures", "must look like 4/4, 3/4 or 6/8")

    def starting_at(self, bpm: Number) -> TempoMap:
        """The same map from another tempo on, its changes in proportion."""
        ratio = exact(bpm) / self._bpm[0]
        changes = [
            TempoChange(beat, tempo * ratio)
            for beat, tempo in zip(self._beats[1:], self._bpm[1:], strict=True)
        ]
        return TempoMap(bpm, changes, self._signatures)

    def bpm_at(self, beats: Number) -> Fraction:
        """The tempo at a beat."""
        return self._bpm[max(0, bisect_right(self._beats, exact(beats)) - 1)]

    def seconds_at(self, beats: Number) -> Fraction:
        """When a beat falls; raises ``ValidationError`` for a beat before 0."""
        beat = _not_negative("beats", beats)
        index = bisect_right(self._beats, beat) - 1
        return self._seconds[index] + (beat - self._beats[index]) * 60 / self._bpm[index]

    def beats_at(self, seconds: Number) -> Fraction:
        """Which beat a time falls on; raises ``ValidationError`` for a time before 0."""
        second = _not_negative("seconds", seconds)
        index = bisect_right(self._seconds, second) - 1
        return self._beats[index] + (second - self._seconds[index]) * self._bpm[index] / 60

    def frame_at(self, beats: Number, sample_rate: int) -> int:
        """The frame nearest to a beat."""
        return round(self.seconds_at(beats) * sample_rate)

    def bar_at(self, beats: Number) -> BarPosition:
        """Bar and beat in the bar, both from 0."""
        beat = _not_negative("beats", beats)
        index = bisect_right(self._bar_beats, beat) - 1
        signature = self._signatures[index]
        bars, inside = divmod(beat - self._bar_beats[index], signature.beats_per_bar)
        return BarPosition(signature.bar + int(bars), inside)

    def beats_at_bar(self, bar: int, beat: Number = 0) -> Fraction:
        """Where a bar (from 0), and a beat inside it, starts."""
        starts = [signature.bar for signature in self._signatures]
        index = bisect_right(starts, _not_negative("bar", bar)) - 1
        signature = self._signatures[index]
        whole = (bar - signature.bar) * signature.beats_per_bar
        return self._bar_beats[index] + whole + exact(beat)


def _checked_tempo(bpm: Number) -> Fraction:
    tempo = exact(bpm)
    if not MIN_TEMPO_BPM <= tempo <= MAX_TEMPO_BPM:
        raise ValidationError(
            "tempo", f"{float(tempo):g} BPM is outside {MIN_TEMPO_BPM} to {MAX_TEMPO_BPM:,} BPM"
        )
    return tempo


def _not_negative(what: str, value: Number) -> Fraction:
    number = exact(value)
    if number < 0:
        raise ValidationError(what, f"{float(number):g} lies before the start")
    return number
