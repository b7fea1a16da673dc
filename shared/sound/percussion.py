"""What a kit plays at each place of a beat, out of the coarse spectrum.

A kick rises at the low end, a snare in the middle, hats above; chords and basses fall into the same
three rows, and say as much about where a beat is: low notes on it, high ones between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LOW, _MIDDLE, _HIGH = slice(0, 1), slice(3, 11), slice(11, None)
"""Coarse bands: to 230 Hz, 830 Hz to 4.5 kHz, above."""
_LOUDNESS = 0.03
"""Loudness goes with power to the 0.3 (Stevens), from decibels."""
_USUAL, _MOST = 95, 1.5
"""Each row's unit is so high a percentile of it; no stroke counts for more than one and a half."""
_PHASE = (1.0, 1.0, 0.3)
"""Beats are where kicks and snares are, rather than hats."""
_PLAYED, _EVEN, _EMPTY = 0.04, 0.5, 0.5
"""Thirds are played where each has so much of what falls on the beat; evenly where the first has that part
of the last, for a shuffle's has little; and halves are empty where those have less than so much of either."""


def strokes(bands_db: NDArray[np.integer]) -> Floats:
    """``(3, frames)``: how far low end, middle and high end rise at each frame, 1 for a usual stroke.

    ``bands_db``: ``(frames, 16)``.
    """
    loud = 10 ** (bands_db.astype(np.float64) * _LOUDNESS)
    count = len(loud)
    padded = np.pad(loud, ((3, 2), (0, 0)), mode="edge")
    after = np.max([padded[3 + step : 3 + step + count] for step in range(3)], axis=0)
    rise = np.maximum(after - np.minimum(padded[:count], padded[1 : 1 + count]), 0.0)
    rows = np.array([rise[:, bands].mean(axis=1) for bands in (_LOW, _MIDDLE, _HIGH)])
    unit = np.percentile(rows, _USUAL, axis=1, keepdims=True)
    return np.asarray(np.minimum(rows / np.maximum(unit, 1e-9), _MOST))


def heights(rows: Floats, frames: Floats) -> Floats:
    """``(rows, frames)``: the highest of each row within a frame of each of ``frames``."""
    near = np.round(frames).astype(int)[:, None] + np.arange(-1, 2)
    return np.asarray(rows[:, np.clip(near, 0, rows.shape[1] - 1)].max(axis=2))


def best_beats(rows: Floats, period: float) -> Floats:
    """Frames a ``period`` apart, from the phase on at which most is struck."""
    total = (np.array(_PHASE) @ rows)[None]
    last = rows.shape[1] - 1
    phases = [np.arange(start, last, period) for start in np.arange(0.0, min(period, last), 1.0)]
    return max(phases, key=lambda frames: float(heights(total, frames).mean()))


def kit_features(rows: Floats, period: float) -> dict[str, float]:
    """How a beat of ``period`` frames would be played: what lies on it, and what on its parts."""
    frames = best_beats(rows, period)
    on = heights(rows, frames)
    parts = {
        "beat": (0.0,),
        "half": (1 / 2,),
        "thirds": (1 / 3, 2 / 3),
        "quarters": (1 / 4, 3 / 4),
    }
    found = {}
    for part, places in parts.items():
        struck = np.mean([heights(rows, frames + place * period) for place in places], axis=(0, 2))
        for name, value in zip(("low", "middle", "high"), struck, strict=True):
            found[f"{name} {part}"] = float(value)
    low, middle = (_alternation(row) for row in on[:2])
    found["low alternates"], found["middle alternates"] = abs(low), abs(middle)
    found["backbeat"] = -low * middle
    found["middle by threes"] = (
        float(np.ptp([on[1][at::3].mean() for at in range(3)])) if on.shape[1] > 2 else 0.0
    )
    return found


def in_even_thirds(rows: Floats, period: float) -> bool:
    """Are beats of ``period`` frames played in three, as six eight is, rather than in two or as a shuffle?"""
    total = rows.sum(axis=0, keepdims=True)
    frames = best_beats(rows, period)
    beat, first, half, last = (
        float(heights(total, frames + place * period).mean())
        for place in (0.0, 1 / 3, 1 / 2, 2 / 3)
    )
    played = min(first, last) >= _PLAYED * beat and half <= _EMPTY * min(first, last)
    return played and first >= _EVEN * last


def _alternation(row: Floats) -> float:
    """By how much more is struck on every other beat, from the first on, than on those between."""
    return float(row[0::2].mean() - row[1::2].mean()) if len(row) > 1 else 0.0
