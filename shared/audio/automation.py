"""Changes of controls, in beats.

A change is a step at its beat, or, with ``fade_beats``, a fade from whatever the control stood at:
it begins at its beat and arrives ``fade_beats`` later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from shared.audio.curves import CURVES, Curve
from shared.audio.tempo import Number, TempoMap, exact
from shared.errors import ValidationError


@dataclass(frozen=True, slots=True)
class AutomationEvent:
    """One change of one control."""

    beats: Fraction
    module: str
    parameter: str
    value: float
    """In the control's own unit."""
    fade_beats: Fraction = Fraction(0)
    curve: Curve = "linear"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one module's control, at a frame: what a module understands."""

    frame: int
    parameter: str
    value: float
    fade_frames: int = 0
    curve: Curve = "linear"


@dataclass
class AutomationTimeline:
    """All changes of a performance, by beat; those of one beat in the order they were scheduled."""

    tempo_map: TempoMap = field(default_factory=TempoMap)
    _events: list[AutomationEvent] = field(default_factory=list)

    def schedule(
        self,
        module: str,
        parameter: str,
        *,
        beats: Number,
        value: float,
        fade_beats: Number = 0,
        curve: Curve = "linear",
    ) -> AutomationEvent:
        """Add a change; raises ``ValidationError`` for a beat before 0 or an unknown curve."""
        if exact(beats) < 0 or exact(fade_beats) < 0:
            raise ValidationError(f"{module}: {parameter}", f"beat {beats} lies before the start")
        if curve not in CURVES:
            raise ValidationError(
                f"{module}: {parameter}", f"{curve!r} is no curve; curves: {', '.join(CURVES)}"
            )
        event = AutomationEvent(
            exact(beats), module, parameter, float(value), exact(fade_beats), curve
        )
        self._events.append(event)
        return event

    def __iter__(self) -> Iterator[AutomationEvent]:
        return iter(sorted(self._events, key=lambda one: one.beats))

    def __len__(self) -> int:
        return len(self._events)

    def changes(self, sample_rate: int) -> Iterator[tuple[str, Change]]:
        """Module and change of every event, with beats turned into frames."""
        for event in self:
            frame = self.tempo_map.frame_at(event.beats, sample_rate)
            arrival = frame
            if event.fade_beats:
                arrival = self.tempo_map.frame_at(event.beats + event.fade_beats, sample_rate)
            yield (
                event.module,
                Change(frame, event.parameter, event.value, arrival - frame, event.curve),
            )
