"""The tokens of a tracker's lanes.

Notes: ``.`` (nothing new), ``x`` (hit), ``X`` (accented hit), ``C4`` or ``F#3`` (a pitch), each with
``:velocity`` and ``:beats`` behind it where wanted (``C4:90:0.5``), and ``off`` (let go).
Automation: ``.``, or a level from 0 to 1 with ``|smooth=5ms``, ``|smooth=0.02beats`` and
``|curve=s_curve`` behind it where wanted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from shared.audio.curves import CURVES, Curve
from shared.audio.score import Window
from shared.errors import ValidationError

REST = (".", "---", "-")
OFF = ("off", "===")
BAR_LINE = "|"
DEFAULT_VELOCITY, ACCENT_VELOCITY = 100.0, 127.0

_PITCH = re.compile(r"([A-Ga-g])([#b]?)(-?\d)")
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,9})?|\.\d{1,9}")
_WINDOW = re.compile(r"(\d{1,6}(?:\.\d{1,9})?|\.\d{1,9})(ms|beats|beat)")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token stands, as people find it. Rows count from 1."""

    lane: str
    row: int

    def error(self, token: str, reason: str) -> ValidationError:
        """The error to raise for a token that can't be read."""
        return ValidationError(f"lane '{self.lane}', row {self.row}, token '{token}'", reason)


@dataclass(frozen=True, slots=True)
class NoteToken:
    """A note begins."""

    pitch: float | None
    velocity: float
    length_beats: Fraction | None
    """``None``: until the lane's next note or ``off``."""


@dataclass(frozen=True, slots=True)
class LevelToken:
    """An automation value."""

    position: float
    smooth: Window | None
    curve: Curve | None


def rows(lane: str | Sequence[str]) -> list[str]:
    """A lane's tokens, row by row: written in one line or as a list, bar lines left out."""
    tokens = lane.split() if isinstance(lane, str) else [token.strip() for token in lane]
    return [token for token in tokens if token != BAR_LINE]


def read_note(token: str, place: Place) -> NoteToken | None:
    """A note; raises ``ValidationError`` naming lane, row and token. ``None``: nothing new.

    ``off`` is for the caller, who knows the lane's sounding note.
    """
    if token in REST:
        return None
    head, *options = token.split(":")
    if len(options) > 2:
        raise place.error(token, "has more than a velocity and a length behind it")
    velocity = ACCENT_VELOCITY if head == "X" else DEFAULT_VELOCITY
    pitch = None if head in ("x", "X") else _read_pitch(head, token, place)
    if options and options[0]:
        velocity = _read_number(options[0], token, place)
        if not 1 <= velocity <= 127:
            raise place.error(f":{options[0]}", "is no velocity; velocities go from 1 to 127")
    length = None
    if len(options) == 2:
        length = Fraction(str(_read_number(options[1], token, place)))
        if not length:
            raise place.error(f":{options[1]}", "is no length; give beats, such as :0.5")
    return NoteToken(pitch, velocity, length)


def read_level(token: str, place: Place) -> LevelToken | None:
    """An automation value; raises ``ValidationError`` naming lane, row and token."""
    if token in REST:
        return None
    head, *options = token.split("|")
    position = _read_number(head, token, place)
    if position > 1.0:
        raise place.error(head, "is above the top; levels in a lane go from 0 to 1")
    smooth: Window | None = None
    curve: Curve | None = None
    for option in options:
        key, _, value = option.partition("=")
        if key == "smooth" and smooth is None:
            smooth = _read_window(value, f"|{option}", place)
        elif key == "curve" and curve is None:
            curve = _read_curve(value, f"|{option}", place)
        else:
            raise place.error(f"|{option}", "is unknown or stands twice; use |smooth= or |curve=")
    return LevelToken(position, smooth, curve)


def pitch_number(name: str) -> float | None:
    """The MIDI number of ``C4`` (60), ``F#3``, ``Bb2``; ``None`` where that is no pitch."""
    match = _PITCH.fullmatch(name)
    if not match:
        return None
    letter, sign, octave = match.groups()
    bend = {"#": 1, "b": -1, "": 0}[sign]
    number = _SEMITONES[letter.upper()] + bend + 12 * (int(octave) + 1)
    return float(number) if 0 <= number <= 127 else None


def _read_pitch(head: str, token: str, place: Place) -> float:
    pitch = pitch_number(head)
    if pitch is None:
        raise place.error(
            token, "is neither a rest (.), a hit (x), a pitch such as C4 or F#3, nor off"
        )
    return pitch


def _read_number(text: str, token: str, place: Place) -> float:
    if not _NUMBER.fullmatch(text):
        raise place.error(token, f"{text!r} is no number")
    return float(text)


def _read_window(value: str, option: str, place: Place) -> Window:
    match = _WINDOW.fullmatch(value)
    if not match:
        raise place.error(option, "is no length of time; write |smooth=5ms or |smooth=0.02beats")
    amount = Fraction(match[1])
    if not 0 < amount <= (10_000 if match[2] == "ms" else 64):
        raise place.error(option, "must be above 0, and at most 10,000 ms or 64 beats")
    return Window(amount, "ms" if match[2] == "ms" else "beats")


def _read_curve(value: str, option: str, place: Place) -> Curve:
    for curve in CURVES:
        if value == curve:
            return curve
    raise place.error(option, f"is no curve; curves: {', '.join(CURVES)}")
