"""Joined broadcasts: one continuous clock over parts that each begin their own.

Recorders and people join transport and program streams end to end. ffmpeg then goes on counting where
the earlier part ended; what is read from packets must count in the same way, or the rest of the
recording is taken for its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

JOINED = frozenset({"mpegts", "mpeg"})
"""Demuxers whose clock may be set anew at any time (ffmpeg's flag ``TS_DISCONT``)."""
_JUMP_S, _BACK_S = 10.0, 0.1
"""ffmpeg's ``dts_delta_threshold``, and how far back a time may go before it is a new clock."""


@dataclass
class Clock:
    """One stream's clock, as ffmpeg corrects it when it decodes that stream."""

    offset_s: float = 0.0
    _last_s: float | None = None
    _next_s: float = 0.0
    _lasting_s: float = 0.0

    def shift_s(self, dts_s: float | None, duration_s: float) -> float:
        """What to add to the times of the next packet, in stored order."""
        if dts_s is None:
            return self.offset_s
        at_s = dts_s + self.offset_s
        if self._last_s is not None:
            jump_s = at_s - self._next_s
            if abs(jump_s) > _JUMP_S or at_s + _BACK_S < self._last_s:
                self.offset_s -= jump_s
                at_s -= jump_s
            elif duration_s == 0.0:
                self._lasting_s = max(0.0, at_s - self._last_s)
        self._last_s = at_s
        self._next_s = at_s + (duration_s or self._lasting_s)
        return self.offset_s
