"""Where a recording's own clock stands at its beginning: a camera's timecode, a recorder's time of day."""

from __future__ import annotations

import re
from fractions import Fraction

from shared.contracts.asset import MediaInfo
from shared.errors import ValidationError
from shared.interchange.timecode import Frames

_LAST_NUMBER = re.compile(r"\d+$")


def begins_at(media: MediaInfo, frames: Frames, rate: Fraction) -> int:
    """In units of ``rate`` a second, of a clock that counts ``frames``; 0 where it has none."""
    if not media.video:
        samples, hz = media.time_reference or 0, media.heard.sample_rate_hz
        return round(Fraction(samples, hz) * rate)
    try:
        return round(frames.frame(_timecode(media, frames)) * rate / frames.rate)
    except ValidationError:  # there is none, or it counts frames of another rate
        return 0


def _timecode(media: MediaInfo, frames: Frames) -> str:
    """Its timecode, the hours to seconds as the camera shows them, in a count of ``frames``.

    A recording at 30 or 120 frames a second is put into a list of 25, where frame 27 is none.
    """
    told = media.timecode or ""
    found, own = _LAST_NUMBER.search(told), round(media.video[0].frame_rate or 0)
    if not found or own == frames.nominal or int(found[0]) >= own:
        return told
    return f"{told[: found.start()]}{int(found[0]) * frames.nominal // own:02d}"
