"""Which multiple of a pulse is the beat: told by what repeats, and by what is accented.

Onset strength alone can't tell 80 from 160 bpm, and on short loops takes 4/3 of a tempo for it.
What the recording itself repeats can: a backbeat makes the spectrum alike after two beats and not
after one; at 4/3 of the tempo nothing repeats. Four things speak for a period, multiplied:

comb        onset strength is alike after 1 to 8 periods
usual       a bell over octaves around 115 bpm
backbeat    the spectrum is more alike after two (three) periods than after one
even        the beats are equally loud; where each second one is softer, the beat is twice as long
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.sound.onsets import Tracks

Floats = NDArray[np.float64]

_MULTIPLES = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0)
_SLOWEST_BPM, _FASTEST_BPM = 42.0, 222.0
_USUAL_BPM = 115.0
_LONGEST_S = 30.0
"""No more is looked at."""
_TEETH = 8
_EVEN = 2.5
"""How much uneven beats count."""
_PLAIN = 0.3
"""What a period without a backbeat is worth."""
_WALTZ = 0.3
"""Three to the bar only where one beat is this much like the next: triplets are not."""
_ALIKE_BARS, _BETTER = 0.5, 0.08
"""Bars repeat by so much, and by so much more than those of another metre."""
_REPEATED, _AS_ALIKE = 0.8, 0.93
"""A recording repeats itself from this correlation on; and nearly so well is as well."""
_FURTHEST = 0.8
"""No lag is judged of which less than a fifth of the recording is left."""
_OFF, _BROKEN = 0.08, 0.5
"""A period of which that repetition is no whole number, to so many parts, loses half."""


@dataclass(frozen=True)
class Level:
    """The beat."""

    period: float
    """In frames."""
    metre: int
    """Beats a bar: 3 to 7."""
    repetition: float
    """How alike the sound is to itself some bars later, -1 to 1."""


@dataclass(frozen=True)
class _Option:
    period: float
    score: float
    alike: Floats
    """After 1, 2, 3, 4, 6 and 8 periods; NaN beyond the recording."""


def choose_level(tracks: Tracks, base: float, frames_per_s: float) -> Level:
    """The beat, given a period (``base``, in frames) that is some simple multiple of it."""
    part = tracks.part(0, round(_LONGEST_S * frames_per_s))
    correlation = _autocorrelation(part.flux_db.astype(np.float64))
    bands = part.bands_db.astype(np.float32)
    bands = bands - bands.mean(axis=0)
    loud = accents(part)
    again = _first_repetition(bands, frames_per_s)
    options = []
    for multiple in _MULTIPLES:
        bpm = 60.0 * frames_per_s / (base * multiple)
        if _SLOWEST_BPM <= bpm <= _FASTEST_BPM:
            period, comb = _tuned(correlation, base * multiple)
            options.append(_rated(period, comb, bands, loud, bpm, again))
    best = max(options, key=lambda option: option.score)
    return Level(
        best.period, _metre(bands, best.period), float(np.nanmax(best.alike[1:], initial=-1.0))
    )


def accents(tracks: Tracks) -> Floats:
    """How much louder it gets at each frame; compressed, as loudness is (power to the 0.3)."""
    loud = np.sqrt(tracks.power.astype(np.float64))
    padded = np.pad(loud, 1, mode="edge")
    rise = np.maximum(np.maximum(padded[2:], loud) - np.minimum(padded[:-2], loud), 0.0)
    return np.asarray((rise / max(float(rise.max(initial=0.0)), 1e-12)) ** 0.6)


def _first_repetition(bands: Floats, frames_per_s: float) -> int | None:
    """The shortest lag of up to 5 s after which the sound is as alike as it ever is; ``None``: never much."""
    lags = range(round(0.25 * frames_per_s), round(5.0 * frames_per_s))
    alike = np.nan_to_num(np.array([_correlation(bands, lag) for lag in lags]), nan=-1.0)
    if alike.max(initial=0.0) < _REPEATED:
        return None
    first = int(np.flatnonzero(alike >= _AS_ALIKE * alike.max())[0])
    return lags[first + int(np.argmax(alike[first : first + 8]))]


def _rated(
    period: float, comb: float, bands: Floats, loud: Floats, bpm: float, again: int | None
) -> _Option:
    alike = np.array([_alike(bands, period * count) for count in (1, 2, 3, 4, 6, 8)])
    usual = np.exp(-0.5 * np.log2(bpm / _USUAL_BPM) ** 2)
    backbeat = _over(alike[1], alike[[0, 2]])
    if np.nan_to_num(alike[:2]).min() > _WALTZ:
        backbeat = max(backbeat, _over(alike[2], alike[:2]))
    even = np.exp(-_EVEN * _unevenness(loud, period))
    score = np.sqrt(max(comb, 1e-4)) * usual * (_PLAIN + max(backbeat, 0.0)) * even
    if again and abs(again / period - max(1, round(again / period))) > _OFF:
        score *= _BROKEN
    return _Option(period, float(score), alike)


def _over(value: float, others: Floats) -> float:
    known = others[~np.isnan(others)]
    return float(value - max(known.max(initial=0.0), 0.0)) if not np.isnan(value) else 0.0


def _metre(bands: Floats, period: float) -> int:
    """How many beats later the sound is most alike: 3, 5, 6 or 7 where that beats two, four and eight.

    Six only where three are much less alike (six eight, counted in eighths).
    """
    alike = {count: _alike(bands, period * count) for count in (2, 3, 4, 5, 6, 7, 8, 10, 14)}
    known = {count: -1.0 if np.isnan(value) else value for count, value in alike.items()}
    even = max(known[count] for count in (2, 4, 8))
    odd = {metre: max(known[metre], known.get(2 * metre, -1.0)) for metre in (3, 5, 7)}
    metre = max(odd, key=lambda count: odd[count])
    if odd[metre] <= _ALIKE_BARS or odd[metre] <= even + _BETTER:
        return 4
    return 6 if metre == 3 and known[6] > known[3] + _BETTER else metre


def _autocorrelation(values: Floats) -> Floats:
    """Unbiased for the lags that matter, 1.0 at lag 0."""
    count = values.size
    spectrum = np.fft.rfft(values - values.mean(), 2 * count)
    raw = np.fft.irfft(np.square(np.abs(spectrum)))[:count]
    unbiased = raw / np.maximum(np.arange(count, 0, -1), count / 4) * count
    return np.asarray(unbiased / max(float(unbiased[0]), 1e-12))


def _tuned(correlation: Floats, near: float) -> tuple[float, float]:
    """The period within 3 % at which the comb's teeth fit best, and how well they fit."""
    periods = near * np.linspace(0.97, 1.03, 61)
    teeth = np.arange(1, _TEETH + 1)
    places = np.outer(periods, teeth)
    inside = places < 0.9 * correlation.size
    values = np.interp(places, np.arange(correlation.size), correlation) * inside
    weights = np.maximum((inside / np.sqrt(teeth)).sum(axis=1), 1e-9)
    comb = (values / np.sqrt(teeth)).sum(axis=1) / weights
    best = int(np.argmax(comb))
    return float(periods[best]), float(comb[best])


def _alike(bands: Floats, lag: float) -> float:
    """The correlation of the coarse spectra with themselves, ``lag`` frames (or one more or less) later."""
    middle = round(lag)
    near = [_correlation(bands, each) for each in (middle - 1, middle, middle + 1)]
    return max(near) if not np.isnan(near).any() else float("nan")


def _correlation(bands: Floats, lag: int) -> float:
    if lag < 1 or lag > _FURTHEST * len(bands):
        return float("nan")
    one, other = bands[:-lag], bands[lag:]
    scale = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return float((one * other).sum()) / scale if scale > 1e-6 else 0.0


def _unevenness(loud: Floats, period: float) -> float:
    """How much softer each second beat is, 0 to 1, at the phase whose beats are loudest."""
    starts = np.arange(0.0, period, 1.0)
    best, uneven = -1.0, 0.0
    for start in starts:
        at = np.round(np.arange(start, len(loud) - 1, period)).astype(int)
        near = np.clip(at[:, None] + np.arange(-2, 3), 0, len(loud) - 1)
        heights = loud[near].max(axis=1)
        if len(heights) >= 2 and heights.mean() > best:
            best = float(heights.mean())
            both = heights[0::2].mean(), heights[1::2].mean()
            uneven = abs(both[0] - both[1]) / max(sum(both), 1e-9)
    return uneven
