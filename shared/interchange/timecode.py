"""Times in whole frames, and the timecodes that spell them (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from shared.errors import ValidationError

FRAME_RATES: dict[float, Fraction] = {
    23.976: Fraction(24_000, 1_001),
    24: Fraction(24),
    25: Fraction(25),
    29.97: Fraction(30_000, 1_001),
    30: Fraction(30),
    48: Fraction(48),
    50: Fraction(50),
    59.94: Fraction(60_000, 1_001),
    60: Fraction(60),
}
"""What people call a rate, and what it is."""
DROPPED_IN = (29.97, 59.94)
_TIMECODE = re.compile(r"(\d{1,2}):(\d{2})[:;.,](\d{2})([:;.,])(\d{2,3})")


@dataclass(frozen=True)
class Frames:
    """A frame rate, and whether its timecode leaves out numbers to keep up with the clock."""

    name: float = 25
    """As people call it, one of ``FRAME_RATES``."""
    drop: bool = False

    def __post_init__(self) -> None:
        if self.name not in FRAME_RATES:
            known = ", ".join(f"{rate:g}" for rate in FRAME_RATES)
            raise ValidationError("frame_rate", f"{self.name:g} is none of {known}")
        if self.drop and self.name not in DROPPED_IN:
            raise ValidationError("frame_rate", f"there is no drop frame at {self.name:g}")

    @classmethod
    def called(cls, name: float | str) -> Self:
        """``25``, ``"23.976"``, or ``"29.97df"`` for drop frame; raises ``ValidationError``."""
        text = str(name).lower()
        try:
            return cls(float(text.removesuffix("df")), text.endswith("df"))
        except ValueError:
            raise ValidationError("frame_rate", f"{name!r} is no rate") from None

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return FRAME_RATES[self.name]

    @property
    def nominal(self) -> int:
        """Frames that the timecode counts in a second."""
        return round(self.rate)

    def of(self, time_ms: float) -> int:
        """The frame nearest to a time."""
        return round(Fraction(time_ms) * self.rate / 1000)

    def ms(self, frame: int) -> float:
        """When a frame begins."""
        return float(1000 * frame / self.rate)

    def timecode(self, frame: int) -> str:
        """``hh:mm:ss:ff``; with drop frame ``hh:mm:ss;ff``."""
        number = frame + self._left_out(frame) if self.drop else frame
        seconds, frames = divmod(number, self.nominal)
        mark = ";" if self.drop else ":"
        return (
            f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frames:02d}"
        )

    def frame(self, timecode: str) -> int:
        """The frame of a timecode, in which ``;`` means drop frame as well: at 30 and 60, too, for
        telephones number so what they record at whole rates.

        Raises ``ValidationError`` for what is none at this rate.
        """
        found = _TIMECODE.fullmatch(timecode)
        if not found:
            raise ValidationError("timecode", f"{timecode!r} is none")
        hours, minutes, seconds, frames = (int(found[part]) for part in (1, 2, 3, 5))
        if frames >= self.nominal or seconds > 59 or minutes > 59:
            raise ValidationError(
                "timecode", f"{timecode} is none at {self.name:g} frames a second"
            )
        total = ((hours * 60 + minutes) * 60 + seconds) * self.nominal + frames
        dropped = self.drop or (found[4] == ";" and self.nominal % 30 == 0)
        whole_minutes = hours * 60 + minutes
        return total - self._a_minute * (whole_minutes - whole_minutes // 10) * dropped

    def hour(self, timecode: str) -> int:
        """The frame at which the hour of a timecode begins; raises ``ValidationError``."""
        self.frame(timecode)
        hours, mark = timecode.partition(":")[0], ";" if ";" in timecode else ":"
        return self.frame(f"{hours}:00:00{mark}00")

    @property
    def _a_minute(self) -> int:
        """Numbers left out at the beginning of each minute but every tenth."""
        return self.nominal // 15

    def _left_out(self, frame: int) -> int:
        """Numbers that drop frame has left out before a frame."""
        minute = 60 * self.nominal - self._a_minute
        ten_minutes = 10 * minute + self._a_minute
        tens, rest = divmod(frame, ten_minutes)
        ones = max(0, rest - self._a_minute) // minute
        return self._a_minute * (9 * tens + ones)
