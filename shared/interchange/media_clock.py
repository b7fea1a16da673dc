"""Where a recording's own clock stands at its beginning: a camera's timecode, a recorder's time of day."""

from __future__ import annotations

from fractions import Fraction

from shared.contracts.asset import MediaInfo
from shared.errors import ValidationError
from shared.interchange.timecode import Frames


def begins_at(media: MediaInfo, frames: Frames, rate: Fraction) -> int:
    """In units of ``rate`` a second, of a clock that counts ``frames``; 0 where it has none."""
    if not media.video:
        samples, hz = media.time_reference or 0, media.heard.sample_rate_hz
        return round(Fraction(samples, hz) * rate)
    try:
        return round(frames.frame(media.timecode or "") * rate / frames.rate)
    except ValidationError:  # there is none, or it counts frames of another rate
        return 0
