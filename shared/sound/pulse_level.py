"""Which multiple of a pulse is the beat: told by what repeats, what is accented, and how a kit is played.

Onset strength alone can't tell 90 from 180 bpm, and on short loops takes 4/3 of a tempo for it.
What speaks for each period is measured, and weighed as a script found best on recordings whose beat is
known (``tests/models/train_pulse_level.py``, a conditional logit: McFadden 1974):

usual           octaves from 115 bpm
comb            onset strength is alike after 1 to 8 periods
alike           so is the spectrum, after 1, 2, 3 and 4
uneven          each second beat is softer: the beat is twice as long
kit             low end, middle and high end on the beat and its parts (``percussion``)
off repetition  what the recording itself repeats is no whole number of periods
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.sound.onsets import Tracks
from shared.sound.percussion import in_even_thirds, kit_features, strokes

Floats = NDArray[np.float64]

_MULTIPLES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
_SLOWEST_BPM, _FASTEST_BPM = 40.0, 235.0
_USUAL_BPM = 115.0
_LONGEST_S = 30.0
"""No more is looked at."""
_TEETH = 8
_FAR = 4.0
"""How much less likely a change of tempo is, by the square of its octaves."""
_ALIKE_BARS, _BETTER = 0.5, 0.08
"""Bars repeat by so much, and by so much more than those of another metre."""
_WORSE, _HARMONY = 0.03, 0.1
"""A bar of two is after four beats no more alike than after two, by so much, nor less by so much, as it is
where a chord lasts four beats."""
_REPEATED, _AS_ALIKE = 0.8, 0.93
"""A recording repeats itself from this correlation on; and nearly so well is as well."""
_FURTHEST = 0.8
"""No lag is judged of which less than a fifth of the recording is left."""
_OFF = 0.08
"""A period of which that repetition is no whole number, to so many parts."""


@dataclass(frozen=True)
class Level:
    """The beat."""

    period: float
    """In frames."""
    metre: int
    """Beats a bar: 2 to 7."""
    repetition: float
    """How alike the sound is to itself some bars later, -1 to 1."""


@dataclass(frozen=True)
class Option:
    """A period that may be the beat's."""

    period: float
    """In frames."""
    features: dict[str, float]
    repetition: float
    """How alike the spectrum is after two periods or more, at best."""


def choose_levels(pulses: Sequence[tuple[Tracks, float]], frames_per_s: float) -> list[Level]:
    """The beat of each, given a period (in frames) that is some simple multiple of it.

    ``pulses``: one behind the other without a rest, whose tempi are rather near than far apart (Viterbi).
    """
    parts = [tracks.part(0, round(_LONGEST_S * frames_per_s)) for tracks, _ in pulses]
    offered = [
        options(part, base, frames_per_s) for part, (_, base) in zip(parts, pulses, strict=True)
    ]
    chosen = _likeliest(offered)
    return [_level(part, option) for part, option in zip(parts, chosen, strict=True)]


def _level(part: Tracks, option: Option) -> Level:
    thirds = in_even_thirds(strokes(part.bands_db), option.period)
    metre = _metre(_spectrum(part), option.period, thirds=thirds)
    return Level(option.period, metre, option.repetition)


def _likeliest(offered: Sequence[Sequence[Option]]) -> list[Option]:
    """One of each."""
    total = np.array([_score(option) for option in offered[0]])
    links = []
    for before, after in pairwise(offered):
        one, other = (np.log2([option.period for option in each]) for each in (before, after))
        together = total[:, None] - _FAR * (one[:, None] - other[None]) ** 2
        links.append(together.argmax(axis=0))
        total = together.max(axis=0) + [_score(option) for option in after]
    path = [int(total.argmax())]
    for link in reversed(links):
        path.append(int(link[path[-1]]))
    return [each[at] for each, at in zip(offered, reversed(path), strict=True)]


def options(part: Tracks, base: float, frames_per_s: float) -> list[Option]:
    """The periods that may be the beat's, and what speaks for each."""
    correlation = _autocorrelation(part.flux_db.astype(np.float64))
    bands, loud, rows = _spectrum(part), accents(part), strokes(part.bands_db)
    again = _first_repetition(bands, frames_per_s)
    found = []
    for multiple in _MULTIPLES:
        if not _SLOWEST_BPM <= 60.0 * frames_per_s / (base * multiple) <= _FASTEST_BPM:
            continue
        period, comb = _tuned(correlation, base * multiple)
        octaves = float(np.log2(60.0 * frames_per_s / period / _USUAL_BPM))
        alike = np.array([_alike(bands, period * count) for count in (1, 2, 3, 4, 6, 8)])
        known = dict(enumerate(np.nan_to_num(alike).tolist(), 1))
        off = again is not None and abs(again / period - max(1, round(again / period))) > _OFF
        features = {
            "octaves": octaves,
            "octaves squared": octaves**2,
            "comb": float(np.sqrt(max(comb, 1e-4))),
            **{f"alike after {count}": known[count] for count in (1, 2, 3, 4)},
            "uneven": _unevenness(loud, period),
            "off repetition": float(off),
            **kit_features(rows, period),
        }
        found.append(Option(period, features, float(np.nanmax(alike[1:], initial=-1.0))))
    return found


def _score(option: Option) -> float:
    weights = _weights()
    return sum(weights[name] * value for name, value in option.features.items())


@lru_cache(maxsize=1)
def _weights() -> dict[str, float]:
    """Of each feature."""
    path = Path(__file__).with_name("pulse_level.json")
    return {str(name): float(weight) for name, weight in json.loads(path.read_text()).items()}


def _spectrum(part: Tracks) -> Floats:
    """The coarse spectrum without its mean."""
    bands = part.bands_db.astype(np.float32)
    return np.asarray(bands - bands.mean(axis=0))


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


def _metre(bands: Floats, period: float, *, thirds: bool) -> int:
    """How many beats later the sound is most alike: 3, 5, 6 or 7 where that beats two, four and eight.

    Two bars of five or seven say so only where four do, too: some chords come again after ten beats, but not
    after twenty.
    Six only where three are much less alike (six eight, counted in eighths). Two where beats are played
    in even ``thirds`` and four of them are twice the same two (six eight, counted as it is conducted).
    """
    known = {count: _known(bands, period * count) for count in (2, 3, 4, 5, 6, 7, 8)}
    if thirds and _is_two(known):
        return 2
    even = max(known[count] for count in (2, 4, 8))
    odd = {3: max(known[3], known[6]), 5: known[5], 7: known[7]}
    for count in (5, 7):
        twice = _known(bands, period * 2 * count)
        if twice > max(odd[count], even + _BETTER):
            odd[count] = max(odd[count], min(twice, _known(bands, period * 4 * count)))
    metre = max(odd, key=lambda count: odd[count])
    if odd[metre] <= _ALIKE_BARS or odd[metre] <= even + _BETTER:
        return 4
    return 6 if metre == 3 and known[6] > known[3] + _BETTER else metre


def _is_two(alike: dict[int, float]) -> bool:
    """Are four beats two bars of two, and no part of three, five or seven?"""
    two = alike[2]
    again = -_WORSE <= two - alike[4] <= _HARMONY
    return again and two > _ALIKE_BARS and two >= max(alike[odd] for odd in (3, 5, 7))


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


def _known(bands: Floats, lag: float) -> float:
    """The same; -1 where nobody can tell."""
    alike = _alike(bands, lag)
    return -1.0 if np.isnan(alike) else alike


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
