"""How loud the channels of a MIDI file are, and where they stand: volume, expression and pan as a fader's.

Volume and expression count together (General MIDI 2: 40 log10(volume x expression / 127²) dB). A channel
that says no volume has General MIDI's own, 100, once another channel says one; where none does, all are
full, for that is how they stand to each other. Sources: General MIDI 1 and 2, RP-015 (reset all
controllers), RP-036 (pan).
"""

from __future__ import annotations

from fractions import Fraction
from math import log10

from shared.audio.modules.layers import MAX_VELOCITY
from shared.audio.score import ControlPoint

_GENERAL_VOLUME = 100
"""A channel's volume until it says another one, by General MIDI."""
_SILENT_DB, _MOST_DB = -96.0, 24.0
"""The ends of a fader."""


class ChannelLevels:
    """What is turned on which channel, and when, while the messages go by."""

    def __init__(self) -> None:
        self._volume: dict[int, int] = {}
        """By channel (from 0), 0 to 127: the last that was said."""
        self._expression: dict[int, int] = {}
        self._turned: list[tuple[int, Fraction, int | None, int]] = []
        """Channel, beat, volume (``None``: not yet said), expression."""
        self._pans: list[tuple[int, Fraction, int]] = []

    def volume(self, channel: int, beat: Fraction, value: int) -> None:
        """Controller 7, 0 to 127."""
        self._volume[channel] = value
        self._turn(channel, beat)

    def expression(self, channel: int, beat: Fraction, value: int) -> None:
        """Controller 11, 0 to 127."""
        self._expression[channel] = value
        self._turn(channel, beat)

    def reset(self, channel: int, beat: Fraction) -> None:
        """Expression is full again; volume and pan stay as they are."""
        if self._expression.pop(channel, MAX_VELOCITY) != MAX_VELOCITY:
            self._turn(channel, beat)

    def pan(self, channel: int, beat: Fraction, value: int) -> None:
        """Controller 10, 0 to 127."""
        self._pans.append((channel, beat, value))

    def _turn(self, channel: int, beat: Fraction) -> None:
        volume = self._volume.get(channel)
        expression = self._expression.get(channel, int(MAX_VELOCITY))
        self._turned.append((channel, beat, volume, expression))

    def first_gain_db(self) -> float:
        """How loud any channel is before anything is turned on it, in dB."""
        return 40.0 * log10(_GENERAL_VOLUME / MAX_VELOCITY) if self._volume else 0.0

    def points(self, channel: int, instrument: str) -> list[ControlPoint]:
        """What is turned on a channel, as turns of its ``instrument``'s controls."""
        lane = f"channel {channel + 1}"
        unsaid = _GENERAL_VOLUME if self._volume else int(MAX_VELOCITY)
        loud = [
            ("gain_db", beat, _fader((unsaid if volume is None else volume) * expression))
            for number, beat, volume, expression in self._turned
            if number == channel
        ]
        placed = [
            ("pan", beat, _place(value)) for number, beat, value in self._pans if number == channel
        ]
        return [
            ControlPoint(lane, 0, instrument, control, beat, position)
            for control, beat, position in (*loud, *placed)
        ]


def _place(value: int) -> float:
    """Where a pan of 0 to 127 lies between left (0) and right (1), by RP-036, Default Pan Formula.

    0 and 1 are both hard left, 64 is the middle, 127 hard right: an even number of steps on either
    side.
    """
    return max(0, value - 1) / 126


def _fader(product: int) -> float:
    """Where volume times expression (0 to 127²) lies on the fader's 0 to 1: full at 0.8."""
    loud = product / MAX_VELOCITY**2
    gain_db = max(_SILENT_DB, 40.0 * log10(loud)) if loud > 0 else _SILENT_DB
    return (gain_db - _SILENT_DB) / (_MOST_DB - _SILENT_DB)
