"""What a control is called, how far it goes and what it means musically.

``ParameterSpec`` is the one description from which a face draws a knob, the engine checks a value,
and an automation lane turns its 0 to 1 into the control's own unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from shared.errors import ValidationError

MusicalContext = Literal[
    "pitch", "dynamics", "tone", "time", "space", "articulation", "modulation", "sample"
]
Motion = Literal["glides", "per_note", "trigger", "setup"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One control of a module.

    ``motion`` says how it may move: ``glides`` (steps, fades, modulation, heard at once),
    ``per_note`` (steps, heard from the next note on), ``trigger`` (acts at the instant it is set)
    or ``setup`` (chosen before the sound starts, never automated).
    """

    name: str
    display_name: str
    minimum: float
    maximum: float
    default: float
    unit: str = ""
    """``Hz``, ``ms``, ``dB``, ``st`` (semitones), ``%``-like fractions have none."""
    musical_context: MusicalContext = "tone"
    motion: Motion = "glides"
    scale: Scale = "linear"
    """How a lane's 0 to 1 spreads over the range: ``log`` gives each octave the same room."""

    def check(self, owner: str, value: float) -> float:
        """``value`` as a float; raises ``ValidationError`` in a musician's words if out of range."""
        number = float(value)
        if not self.minimum <= number <= self.maximum:
            raise ValidationError(
                f"{owner}: {self.display_name}", f"{self.text(number)} is outside {self.range_text}"
            )
        return number

    def from_normalised(self, position: float) -> float:
        """A lane's 0 to 1 in the control's own unit."""
        if self.scale == "log":
            return self.minimum * math.exp(position * math.log(self.maximum / self.minimum))
        return self.minimum + position * (self.maximum - self.minimum)

    def text(self, value: float) -> str:
        """``1,200 Hz``."""
        number = f"{value:,.6g}" if abs(value) < 1e6 else f"{value:g}"
        return f"{number} {self.unit}".rstrip()

    @property
    def range_text(self) -> str:
        """``20 Hz to 20,000 Hz``."""
        return f"{self.text(self.minimum)} to {self.text(self.maximum)}"
