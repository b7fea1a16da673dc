"""When each cue is shown: long enough to be read, apart from the next, with the picture's cuts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.captions.profiles import Profile
from shared.captions.text_width import columns
from shared.contracts.spoken_word import SpokenWord, text_of

_LEAST_MS = 834
"""Whatever a profile allows: less is a flash. 5/6 of a second, as Netflix has it."""


@dataclass(frozen=True)
class Timed:
    """When a cue's words are heard, and how much there is to read; later when it is shown."""

    start_ms: int
    end_ms: int
    columns: int
    heard_until_ms: int

    @classmethod
    def of(cls, words: Sequence[SpokenWord]) -> Timed:
        """As it is heard."""
        end_ms = max(word.end_ms for word in words)
        return cls(words[0].start_ms, end_ms, columns(text_of(words)), end_ms)


def timed(
    cues: Sequence[Timed],
    duration_ms: int,
    profile: Profile,
    frame_rate: float | None = None,
    shots_ms: Sequence[float] = (),
) -> list[Timed]:
    """Cues in order, heard as they are said -> as they are shown: none over another, none too short.

    A cue is held until it can be read, at most ``linger_ms`` after its words unless it would be too
    short; a gap shorter than ``chain_ms`` is closed; times near a shot change go there. Where the
    speaker leaves no time, the next cue comes later.
    """
    gap_ms = profile.gap_ms(frame_rate)
    least_ms = max(profile.shortest_ms, _LEAST_MS)
    snapped = [replace(cue, start_ms=_start(cue, profile, shots_ms)) for cue in cues]
    made: list[Timed] = []
    for index, cue in enumerate(snapped):
        earliest_ms = made[-1].end_ms + gap_ms if made else 0
        start_ms = max(cue.start_ms, earliest_ms)
        later_ms = snapped[index + 1].start_ms if index + 1 < len(snapped) else None
        end_ms = _end(replace(cue, start_ms=start_ms), later_ms, gap_ms, profile, shots_ms)
        end_ms = min(max(end_ms, start_ms + least_ms), start_ms + profile.longest_ms)
        made.append(replace(cue, start_ms=start_ms, end_ms=end_ms))
    return _within(made, duration_ms, gap_ms, least_ms)


def _start(cue: Timed, profile: Profile, shots_ms: Sequence[float]) -> int:
    """At a shot change that is near."""
    shot_ms = _near(shots_ms, cue.start_ms, profile.snap_ms)
    if shot_ms is None or shot_ms >= cue.heard_until_ms:
        return cue.start_ms
    return shot_ms


def _end(
    cue: Timed, later_ms: int | None, gap_ms: int, profile: Profile, shots_ms: Sequence[float]
) -> int:
    """When it goes, before the shortest and longest times are looked at."""
    needed_ms = cue.start_ms + round(1000 * cue.columns / profile.reading.per_s)
    lingers_ms = cue.heard_until_ms + profile.linger_ms
    end_ms = max(cue.heard_until_ms, min(needed_ms, lingers_ms))
    latest_ms = None if later_ms is None else later_ms - gap_ms
    if latest_ms is not None and latest_ms - end_ms < max(0, profile.chain_ms - gap_ms):
        end_ms = min(latest_ms, cue.start_ms + profile.longest_ms)
    shot_ms = _near(shots_ms, end_ms, profile.snap_ms)
    if shot_ms is None or shot_ms <= cue.start_ms:
        return end_ms
    before_ms = shot_ms - gap_ms
    return before_ms if latest_ms is None else min(before_ms, latest_ms)


def _near(shots_ms: Sequence[float], time_ms: float, within_ms: int) -> int | None:
    """The nearest shot change, if it is near."""
    at = bisect_left(shots_ms, time_ms)
    near = [(abs(shot_ms - time_ms), shot_ms) for shot_ms in shots_ms[max(0, at - 1) : at + 1]]
    away_ms, shot_ms = min(near, default=(float("inf"), 0.0))
    return round(shot_ms) if away_ms <= within_ms else None


def _within(cues: Sequence[Timed], duration_ms: int, gap_ms: int, least_ms: int) -> list[Timed]:
    """From the last one back: what would go beyond the end begins earlier."""
    limit_ms = duration_ms
    made: list[Timed] = []
    for cue in reversed(cues):
        end_ms = min(cue.end_ms, limit_ms)
        start_ms = min(cue.start_ms, max(0, end_ms - least_ms))
        made.append(replace(cue, start_ms=start_ms, end_ms=end_ms))
        limit_ms = max(0, start_ms - gap_ms)
    return made[::-1]
