"""Is a recording itself a loop? Its own repetition decides, or its rhythm, or its seam.

repetition   it has a steady pulse, and its length is 1, 2, 4, 8 or 16 bars of it (or of half or
             double that tempo)
rhythm       it is too short to repeat, but its onsets lie on the eighths or sixteenths of its length,
             and it begins with one
seam         it rises out of silence and falls back into it (60 dB below its peak, as faded by hand),
             is no speech, and has no steady pulse that its length does not fit

Being short is no reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.sound.beats import BEATS_PER_BAR, FASTEST_BPM, SLOWEST_BPM, Section
from shared.sound.onsets import Tracks, pick_peaks

_SHORTEST_S, _LONGEST_S = 0.5, 30.0
_FADED_LONGEST_S = 6.0
_SPOKEN = 0.1
"""More speech than this, and only its repetition makes a loop of it."""
_IN_TIME = 0.012
"""So near to a whole number of bars, in parts of the length."""
_ON_GRID = 0.8
"""Of onsets anywhere it is near one over the root of their number; of loops above 0.85."""
_FEWEST_ONSETS = 6
_BEGUN_DB, _FADED_DB = -20.0, -60.0
_USUAL_BPM = 125.0


@dataclass(frozen=True)
class WholeLoop:
    """A recording that is a loop."""

    beats: int
    beats_per_bar: int
    score: float
    confidence: float


def find_whole_loop(
    tracks: Tracks,
    sections: Sequence[Section],
    spoken: float,
    attacks_s: NDArray[np.float64] | None = None,
) -> WholeLoop | None:
    """The loop that the recording is, or ``None``. ``spoken``: how much of it is speech, 0 to 1.

    ``attacks_s``: where each onset's attack begins, which tells a rhythm where peaks of onset strength come
    later than their attacks by different times, as they do where the highs are missing.
    """
    seconds = tracks.samples / tracks.sample_rate_hz
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        return None
    onsets_s = _onsets_s(tracks)
    if len(onsets_s) < 3:
        return None
    found = _repeating(tracks, seconds, sections)
    if found is None and spoken <= _SPOKEN and seconds <= _LONGEST_S / 2:
        found = _rhythmic(tracks, seconds, onsets_s)
        if found is None and attacks_s is not None:
            found = _rhythmic(tracks, seconds, attacks_s)
    if found is None and spoken <= _SPOKEN and seconds <= _FADED_LONGEST_S:
        found = _faded(tracks, seconds, sections)
    return found


def _counts(seconds: float, beats_per_bar: int) -> list[int]:
    """How many beats the recording may have, the most usual tempo first."""
    counts = [beats_per_bar * bars for bars in (1, 2, 4, 8, 16)]
    usual = [count for count in counts if SLOWEST_BPM <= 60 * count / seconds <= FASTEST_BPM]
    return sorted(usual, key=lambda count: abs(np.log2(60 * count / seconds / _USUAL_BPM)))


def _repeating(tracks: Tracks, seconds: float, sections: Sequence[Section]) -> WholeLoop | None:
    steady = [section for section in sections if section.steady]
    if len(steady) != 1 or len(sections) != 1 or not _sounds_at_both_ends(tracks):
        return None
    count = _beats_of(seconds, steady[0])
    if count is None:
        return None
    sure = max(steady[0].clarity, steady[0].repetition)
    return WholeLoop(count, steady[0].beats_per_bar, 0.75 + 0.25 * sure, sure)


def _beats_of(seconds: float, section: Section) -> int | None:
    """Beats of whole bars, at the section's tempo, or half or double of it; ``None`` where none fit."""
    for octaves in (0.0, 1.0, -1.0):
        for count in _counts(seconds, section.beats_per_bar):
            exactly = seconds * section.bpm * 2**octaves / 60
            if abs(exactly / count - 1) < _IN_TIME:
                return count
    return None


def _sounds_at_both_ends(tracks: Tracks) -> bool:
    quiet = 1e-4 * float(tracks.power.max())
    return bool(tracks.power[:3].max() > quiet and tracks.power[-6:].max() > quiet)


def _rhythmic(tracks: Tracks, seconds: float, onsets_s: NDArray[np.float64]) -> WholeLoop | None:
    begun = _level_db(tracks, slice(0, 3)) > _BEGUN_DB
    if not begun or len(onsets_s) < _FEWEST_ONSETS:
        return None
    for count in _counts(seconds, BEATS_PER_BAR):
        places = np.exp(2j * np.pi * np.outer(onsets_s / seconds * count, (2, 4)))
        on_grid = float(np.abs(places.mean(axis=0)).max())
        if on_grid >= _ON_GRID:
            return WholeLoop(count, BEATS_PER_BAR, 0.6 + 0.3 * on_grid, on_grid)
    return None


def _faded(tracks: Tracks, seconds: float, sections: Sequence[Section]) -> WholeLoop | None:
    edges_db = _level_db(tracks, slice(0, 1)), _level_db(tracks, slice(-2, -1))
    usual = _counts(seconds, BEATS_PER_BAR)
    if max(edges_db) > _FADED_DB or not usual:
        return None
    steady = [section for section in sections if section.steady]
    counts = [_beats_of(seconds, section) for section in steady]
    if None in counts:  # silence around what keeps another time makes no loop of it
        return None
    count, per_bar = (counts[0], steady[0].beats_per_bar) if steady else (usual[0], BEATS_PER_BAR)
    assert count is not None
    return WholeLoop(count, per_bar, 0.5, 0.3)


def _level_db(tracks: Tracks, part: slice) -> float:
    top = max(float(tracks.power.max()), 1e-12)
    return float(10 * np.log10(tracks.power[part].max(initial=0.0) / top + 1e-12))


def _onsets_s(tracks: Tracks) -> NDArray[np.float64]:
    """Between frames, by the parabola through each peak of the onset strength."""
    flux = tracks.flux_db.astype(np.float64)
    peaks = pick_peaks(tracks.flux_db, 1.0)
    peaks = peaks[(peaks > 0) & (peaks < len(flux) - 1)]
    before, at, after = (flux[peaks + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return np.asarray((peaks + np.clip(shift, -0.5, 0.5)) * tracks.hop / tracks.sample_rate_hz)
