"""What captions break of a profile, one breach after the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.captions.profiles import Profile
from shared.captions.text_width import columns
from shared.contracts.asr_transcript import ShownCue

_ROUNDING_MS = 12
"""Formats round times: ASS to hundredths."""
_ROUNDING_PER_S = 0.05
_FEWEST_FPS = 24_000 / 1001
"""Where nobody says the frame rate, a gap may be of the slowest's frames, as it may be of 30 a second."""


@dataclass(frozen=True)
class Breach:
    """One rule that one cue breaks."""

    cue: int
    """Its number, from 1, in order of time."""
    at_ms: int
    rule: str
    """``empty``, ``line_length``, ``lines``, ``speed``, ``too_short``, ``too_long``, ``gap``, ``overlap``,
    ``shot``."""
    told: str
    """What is so, and what it should be."""


def breaches(
    cues: Sequence[ShownCue],
    profile: Profile,
    frame_rate: float | None = None,
    shots_ms: Sequence[float] = (),
) -> Iterator[Breach]:
    """What ``cues`` (in order) break of ``profile`` (in their language), cue by cue.

    Without a frame rate the gaps of any usual one pass; shots are looked at where they are given.
    """
    for index, cue in enumerate(cues):
        later = cues[index + 1] if index + 1 < len(cues) else None
        told = [
            *_of_text(cue, profile),
            *_of_times(cue, profile),
            *_of_shots(cue, profile, shots_ms),
        ]
        if later is not None:
            told += _of_gap(cue, later, profile, frame_rate)
        yield from (Breach(index + 1, cue.start_ms, rule, words) for rule, words in told)


def _of_text(cue: ShownCue, profile: Profile) -> Iterator[tuple[str, str]]:
    if not cue.text.strip():
        yield "empty", "no text: nothing is shown"
    lines = cue.text.split("\n")
    most = profile.reading.line_columns
    if len(lines) > profile.lines:
        yield "lines", f"{len(lines)} lines, at most {profile.lines}"
    for line in lines:
        if columns(line) > most:
            yield "line_length", f"a line of {columns(line)} columns, at most {most}"


def _of_times(cue: ShownCue, profile: Profile) -> Iterator[tuple[str, str]]:
    length_ms = cue.end_ms - cue.start_ms
    if length_ms < profile.shortest_ms - _ROUNDING_MS:
        yield "too_short", f"shown for {length_ms} ms, at least {profile.shortest_ms}"
    if length_ms > profile.longest_ms + _ROUNDING_MS:
        yield "too_long", f"shown for {length_ms} ms, at most {profile.longest_ms}"
    read = sum(columns(line) for line in cue.text.split("\n"))
    most = profile.reading.most_per_s
    if length_ms <= 0 or 1000 * read / length_ms > most + _ROUNDING_PER_S:
        speed = f"{1000 * read / length_ms:.1f}" if length_ms > 0 else "endlessly many"
        yield "speed", f"{speed} columns a second, at most {most:g}"


def _of_gap(
    cue: ShownCue, later: ShownCue, profile: Profile, frame_rate: float | None
) -> Iterator[tuple[str, str]]:
    gap_ms, least_ms = later.start_ms - cue.end_ms, profile.gap_ms(frame_rate)
    closed_ms = profile.gap_ms(frame_rate or _FEWEST_FPS) + _ROUNDING_MS
    if gap_ms < 0:
        yield "overlap", f"ends {-gap_ms} ms after the next one begins"
    elif gap_ms < least_ms - _ROUNDING_MS:
        yield "gap", f"{gap_ms} ms before the next one, at least {least_ms}"
    elif closed_ms < gap_ms < profile.chain_ms - _ROUNDING_MS:
        closed = f"{least_ms} ms" if least_ms else "none"
        yield "gap", f"{gap_ms} ms before the next one: {closed}, or at least {profile.chain_ms}"


def _of_shots(
    cue: ShownCue, profile: Profile, shots_ms: Sequence[float]
) -> Iterator[tuple[str, str]]:
    for name, time_ms, before_ms in (
        ("begins", cue.start_ms, 0),
        ("ends", cue.end_ms, profile.gap_ms()),
    ):
        at = bisect_left(shots_ms, time_ms)
        for shot_ms in shots_ms[max(0, at - 1) : at + 1]:
            away_ms = time_ms - shot_ms
            matched = -before_ms - _ROUNDING_MS <= away_ms <= _ROUNDING_MS
            if abs(away_ms) <= profile.snap_ms and not matched:
                side = "after" if away_ms > 0 else "before"
                yield "shot", f"{name} {abs(round(away_ms))} ms {side} a shot change"
