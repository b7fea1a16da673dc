"""Where decoded samples lie in the recording, by their time stamps.

    late start            silence before the first sample, also where a decoder leaves the first ones out
    a gap over 0.1 s      silence of that length
    less                  jitter: the samples follow each other
    a jump backwards      joined or chained files: their time begins again, the samples follow each other
    a jump of over 10 s   the same in broadcasts and Ogg, whose clocks may be set; elsewhere it is a gap

Ogg's links begin with what their encoder put before the sound, at negative times: that is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.asset import AudioStream
from shared.media.formats import FROM_FIRST, GAPLESS, MATROSKA, RESTARTED, STAMPED, TIMED_FROM_ZERO

_JITTER_S = 0.1
_RESET_S = 10.0


@dataclass(frozen=True)
class Clock:
    """What a recording's time stamps mean; the rest is ``Placing``'s."""

    container: str
    start_ms: int
    """When the stream begins, by what probing found."""
    before_s: float = 0.0
    """So much of its time stamps is to be taken away: they count from before the recording, or the sound."""


@dataclass(frozen=True)
class Place:
    """What to do before a run of samples."""

    silence: int = 0
    """So many samples of silence come first."""
    skip: int = 0
    """So many of the run's first samples are cut."""


class Placing:
    """Takes the time stamps of decoded runs, in order. All counts are of the result's samples."""

    def __init__(self, clock: Clock, rate_hz: int) -> None:
        self._ogg = clock.container == "ogg"
        counted = clock.container not in STAMPED and clock.before_s > 0  # by ffmpeg, from 0 on
        self._absolute = clock.container in TIMED_FROM_ZERO or counted
        self._resets = clock.container in RESTARTED
        self._gapless = clock.container in GAPLESS
        self._from_first = clock.container in FROM_FIRST
        self._start = round(clock.start_ms * rate_hz / 1000)
        self._before = round(clock.before_s * rate_hz)
        self._jitter = round(_JITTER_S * rate_hz)
        self._reset = round(_RESET_S * rate_hz)
        self._offset: int | None = None
        self.position = 0
        """So many samples are placed."""
        self.began_at = 0
        """Where the first sample lies."""
        self.restarts = 0
        """How often time began again."""

    def place(self, pts: int | None, count: int) -> Place:
        """A run of ``count`` samples at the time stamp ``pts``; ``None``: it has none."""
        if self._offset is None:
            place = self._first(pts)
            self.began_at = place.silence
        else:
            place = self._next(pts)
        skip = min(place.skip, count)
        self.position += place.silence + count - skip
        return Place(place.silence, skip)

    def _first(self, pts: int | None) -> Place:
        if pts is None:
            self._offset = self._start
            return Place(silence=self._start)
        before = -pts if self._ogg and -self._jitter <= pts < 0 else 0
        if self._absolute:
            self._offset = -self._before
            at = pts - self._before
            return Place(silence=max(0, at), skip=max(0, -at))
        # WMA's decoder drops its first frames: what comes then is stamped later than the stream begins.
        begins = max(self._start, pts - self._before) if self._from_first else self._start
        self._offset = begins - (pts + before)
        return Place(silence=begins, skip=before)

    def _next(self, pts: int | None) -> Place:
        if pts is None or self._gapless:
            return Place()
        assert self._offset is not None
        ahead = pts + self._offset - self.position
        if self._ogg and self.restarts and ahead > 0:
            # A link's stamps are told in ticks of the first link's sample rate.
            self._offset -= ahead
            return Place()
        if ahead > self._jitter and not (self._resets and ahead > self._reset):
            return Place(silence=ahead)
        if abs(ahead) <= self._jitter:
            return Place()
        self.restarts += 1
        before = -pts if self._ogg and -self._jitter <= pts < 0 else 0
        self._offset = self.position - (pts + before)
        return Place(skip=before)


def clock_of(container: str, stream: AudioStream) -> Clock | None:
    """``None`` where the file has no time stamps of its own: the samples alone count.

    ffmpeg's Vorbis decoder stamps its first samples one block late: in Matroska, too.
    """
    if container not in STAMPED and not stream.lead_samples:
        return None
    late = stream.codec == "vorbis" and container == MATROSKA and stream.start_ms == 0
    before_s = stream.lead_samples / stream.sample_rate_hz + stream.clock_ms / 1000
    return Clock("" if late else container, stream.start_ms, before_s)
