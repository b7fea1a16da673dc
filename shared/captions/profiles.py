"""What those who take captions ask of them, as data.

Where each number comes from:

- **netflix**: Netflix Partner Help Center, Timed Text Style Guide. General Requirements: 5/6 s to 7 s,
  two lines, gaps of two frames. Subtitle Timing Guidelines: gaps below 12 frames (half a second) are
  closed, a cue stays at most 12 frames after its sound, in- and out-times near a shot change go there.
  Language guides: 42 characters; adults' programmes 17 a second, English 20; Japanese 13 full-width
  characters and 4 a second, Korean 16 and 12, Chinese 16 and 9 (half-width ones count half).
- **bbc**: BBC Subtitle Guidelines, sections 3 to 6. 37 characters (of teletext) a line, two lines; 160
  to 180 words a minute, at 6 characters a word with its space 16 to 18 a second; 0.3 s for a word; a gap
  is at least a second, or none; nothing hangs over for more than 1.5 s after speech; subtitles match
  shots. It names no longest time: 7 s is ours.
- **ebu**: EBU Tech 3264 (STL) holds teletext's rows, and the standards that ARD, ORF, SRF and ZDF
  publish together are the ones that say the rest: 37 characters, two lines, at least 1 s, 13 to 15
  characters a second, a gap of one frame, cuts are respected. No longest time: 7 s is ours.
- **default**: ours, between them: 42 characters, 17 a second and never over 20 where the speaker leaves
  the time, 1 s to 7 s, two frames between cues. Full-width scripts: 16 characters and 9 a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from shared.captions.text_width import columns
from shared.errors import ValidationError

_MOST_FPS = 30.0
"""Gaps are counted in frames of at most so many a second: two frames of 60 are not seen."""


@dataclass(frozen=True)
class Reading:
    """How wide a line is and how fast it is read, in one language."""

    line_columns: int
    """Half-width characters; see ``text_width``."""
    per_s: float
    """Columns a second that layout aims at."""
    most_per_s: float
    """More breaks the profile."""


@dataclass(frozen=True)
class Profile:
    """One taker's wishes."""

    name: str
    reading: Reading
    shortest_ms: int
    longest_ms: int
    gap_frames: int
    """Between a cue and the next one, at least."""
    chain_ms: int
    """A longer gap than ``gap_frames`` that is shorter than this is closed; 0: none is."""
    linger_ms: int
    """How long a cue stays after its last word so that it can be read; ``shortest_ms`` goes before."""
    snap_ms: int
    """How near a shot change draws a cue's in- and out-time."""
    lines: int = 2
    languages: Mapping[str, Reading] = field(default_factory=dict)
    """Where a language reads otherwise."""

    def to_read(self, language: str) -> Profile:
        """The same, with ``reading`` as in this language (``en``, ``ja``, ...)."""
        spoken = language.lower().replace("_", "-").split("-")[0]
        return replace(self, reading=self.languages.get(spoken, self.reading))

    def gap_ms(self, frame_rate: float | None = None) -> int:
        """``gap_frames`` in milliseconds, rounded up; by default of 30 a second."""
        return ceil(1000 * self.gap_frames / min(frame_rate or _MOST_FPS, _MOST_FPS))


_WIDE = Reading(32, 18.0, 24.0)

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "default",
            Reading(42, 17.0, 20.0),
            shortest_ms=1000,
            longest_ms=7000,
            gap_frames=2,
            chain_ms=500,
            linger_ms=1500,
            snap_ms=290,
            languages={"zh": _WIDE, "ja": _WIDE, "ko": _WIDE},
        ),
        Profile(
            "netflix",
            Reading(42, 15.0, 17.0),
            shortest_ms=834,
            longest_ms=7000,
            gap_frames=2,
            chain_ms=500,
            linger_ms=500,
            snap_ms=290,
            languages={
                "en": Reading(42, 17.0, 20.0),
                "zh": Reading(32, 16.0, 18.0),
                "ja": Reading(26, 8.0, 8.0),
                "ko": Reading(32, 20.0, 24.0),
            },
        ),
        Profile(
            "bbc",
            Reading(37, 16.0, 18.0),
            shortest_ms=300,
            longest_ms=7000,
            gap_frames=0,
            chain_ms=1000,
            linger_ms=1500,
            snap_ms=290,
        ),
        Profile(
            "ebu",
            Reading(37, 13.0, 15.0),
            shortest_ms=1000,
            longest_ms=7000,
            gap_frames=1,
            chain_ms=0,
            linger_ms=1500,
            snap_ms=290,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """The profile; raises ``ValidationError`` that lists the known names."""
    if name not in PROFILES:
        raise ValidationError("profile", f"{name!r} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]


def script_of(text: str) -> str:
    """The language whose reading a text without one asks for: ``ko``, ``ja``, ``zh``, or ``und``."""
    counted = {"ko": 0, "ja": 0, "zh": 0}
    for sign in text:
        if "가" <= sign <= "힣" or "ᄀ" <= sign <= "ᇿ":
            counted["ko"] += 1
        elif "ぁ" <= sign <= "ヿ":
            counted["ja"] += 1
        elif "一" <= sign <= "鿿" or "㐀" <= sign <= "䶿":
            counted["zh"] += 1
    if not text or 4 * sum(counted.values()) < columns(text):
        return "und"
    if counted["ja"]:
        return "ja"
    return max(counted, key=lambda language: counted[language])
