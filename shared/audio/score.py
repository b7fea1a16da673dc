"""A piece of music in beats: what patterns and MIDI files are read into, and the bridge plays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from shared.audio.curves import Curve
from shared.audio.families import InstrumentFamily
from shared.audio.modules.filters import FilterMode
from shared.audio.modules.modulation import LfoShape
from shared.audio.tempo import Number, TempoMap, exact
from shared.errors import ValidationError

MOST_RINGING_S = 20.0
"""Whatever is still heard then is cut."""
MAX_EVENTS = 50_000
"""Notes and automation values of one performance."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note of one lane."""

    lane: str
    instrument: str
    beats: Fraction
    length_beats: Fraction
    pitch: float | None
    """MIDI note number, 60 for the middle C; ``None`` for the sound's own pitch."""
    velocity: float


@dataclass(frozen=True, slots=True)
class Window:
    """How long a fade was asked to take."""

    amount: Fraction
    unit: Literal["ms", "beats"]


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """One value of one automation lane."""

    lane: str
    row: int
    """Counted from 1; 0 where the lane has no rows (MIDI)."""
    instrument: str
    control: str
    beats: Fraction
    position: float
    """0 to 1 of the control's range."""
    smooth: Window | None = None
    """A micro fade that starts at this row."""
    curve: Curve | None = None
    """The shape of ``smooth``, or, alone, of a fade from the lane's previous value to this row."""


@dataclass(frozen=True, slots=True)
class LfoSetup:
    """A slow wave on one control."""

    control: str
    rate_hz: float
    depth: float
    unit: Literal["value", "octaves"] = "value"
    shape: LfoShape = "sine"


@dataclass(frozen=True, slots=True)
class InstrumentSetup:
    """One instrument of a piece, as it stands before the first beat. ``None``: as the sound has it."""

    name: str
    sound: str
    family: InstrumentFamily | None = None
    gain_db: float = 0.0
    pan: float = 0.0
    filter_mode: FilterMode | None = None
    velocity_crossfade_width: float | None = None
    controls: Mapping[str, float] = field(default_factory=dict)
    """Control -> value in its own unit."""
    sends_db: Mapping[Literal["delay", "reverb"], float] = field(default_factory=dict)
    lfos: tuple[LfoSetup, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectsSetup:
    """The two shared effects that instruments can send to."""

    delay_beats: Fraction = Fraction(3, 4)
    delay_feedback: float = 0.35
    reverb_decay_s: float = 1.8
    reverb_damping: float = 0.25


@dataclass(frozen=True, slots=True)
class Score:
    """A piece, ready to be performed."""

    name: str
    tempo_map: TempoMap
    length_beats: Fraction
    instruments: tuple[InstrumentSetup, ...]
    notes: tuple[Note, ...]
    points: tuple[ControlPoint, ...] = ()
    effects: EffectsSetup = EffectsSetup()
    tail_beats: Fraction = Fraction(4)
    """How long the last notes may ring on where the performance's length was not asked for."""
    notices: tuple[str, ...] = ()
    """What a reader left out, in words."""

    def lasting(self, duration_beats: Number) -> Score:
        """The piece cut, or played again and again, to that length, with no tail.

        Raises ``ValidationError`` for a length that is not above 0 or holds too many notes.
        """
        duration = exact(duration_beats)
        if duration <= 0:
            raise ValidationError("duration", f"{float(duration):g} beats is not above 0")
        rounds = int(-(-duration // self.length_beats))
        if rounds * max(1, len(self.notes) + len(self.points)) > MAX_EVENTS:
            raise ValidationError(
                "duration", f"makes more than {MAX_EVENTS:,} notes and values: ask for fewer beats"
            )
        starts = [self.length_beats * index for index in range(rounds)]
        notes = [
            replace(note, beats=note.beats + start)
            for start in starts
            for note in self.notes
            if note.beats + start < duration
        ]
        points = [
            replace(point, beats=point.beats + start)
            for start in starts
            for point in self.points
            if point.beats + start < duration
        ]
        return replace(
            self,
            length_beats=duration,
            notes=tuple(notes),
            points=tuple(points),
            tail_beats=Fraction(0),
        )

    def ringing_out(self) -> Score:
        """The piece with a longer tail, in which the shared effects die away by 60 dB.

        A reverb's decay time is just that; a delay's repeats are counted. ``MOST_RINGING_S`` at most.
        """
        sent = {effect for setup in self.instruments for effect in setup.sends_db}
        end = self.length_beats + self.tail_beats
        end_s = self.tempo_map.seconds_at(end)
        ring_s = self.effects.reverb_decay_s if "reverb" in sent else 0.0
        if "delay" in sent:
            repeats = _repeats_heard(self.effects.delay_feedback)
            behind = self.tempo_map.seconds_at(end + repeats * self.effects.delay_beats) - end_s
            ring_s = max(ring_s, float(behind))
        ring_s = min(ring_s, MOST_RINGING_S)
        over = self.tempo_map.beats_at(end_s + exact(round(ring_s, 3)))
        return replace(self, tail_beats=over - self.length_beats)

    def at_tempo(self, bpm: Number) -> Score:
        """The piece starting at another tempo; its tempo changes keep their proportion."""
        return replace(self, tempo_map=self.tempo_map.starting_at(bpm))


def _repeats_heard(feedback: float) -> int:
    """How many of a delay's repeats come before it has died away by 60 dB."""
    if feedback <= 0.0:
        return 1
    return 1 + math.ceil(-3.0 / math.log10(min(feedback, 0.999)))
