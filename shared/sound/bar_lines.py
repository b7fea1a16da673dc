"""Which beat begins a bar, by the coarse spectrum around each.

    the low end     a kick falls on the one, and a bass that goes with it
    what changes    from the beat before to the beat behind: a chord, a bass note
                    from the four before to the four behind: who plays, a part of the piece;
                    in what each band holds for four fifths of a beat, which no drum does

M. Goto ("An Audio-based Real-time Beat Tracking System", 2001, section 3) tells bar lines by chord changes
and by drums; the weights are a conditional logit's (D. McFadden, 1974), fitted to grooves that a script
makes (``tests/models/groove_synth.py``) and rounded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LOW_END, _NEXT_BEAT, _NEXT_FOUR = 1.0, 1.0, 1.5
_FIRST = 0.7
"""Most music begins with a bar: so much speaks for the first beat."""
_LEAST_DB = 0.5
"""What differs less from beat to beat is how a drum was struck."""
_HELD = 20
"""The percentile of a beat's frames that a band holds."""
_HIGH_BAND = 4
"""The coarse spectrum's bands from this one on, from 830 Hz, are above what a kick sounds in."""
_BEFORE = 3
"""Frames before a beat, where its attack has not yet begun."""


def bar_phase(bands_db: NDArray[Any], frames: Floats, beats_per_bar: int) -> int:
    """Which of the first beats begins a bar; the first where there are less than two bars.

    ``bands_db``: ``(frames, 16)``, the coarse spectrum; ``frames``: where in it beats are, two or more.
    """
    if len(frames) < 2 * beats_per_bar:
        return 0
    at = np.clip(np.round(frames).astype(int), 0, len(bands_db) - 1)
    held_db = _held(bands_db, at)
    standing = (
        _LOW_END * _standing_out(_low_rise(bands_db, at))
        + _NEXT_BEAT * _standing_out(_change(held_db, 1))
        + _NEXT_FOUR * _standing_out(_change(held_db, 4))
    )
    means = np.array([standing[phase::beats_per_bar].mean() for phase in range(beats_per_bar)])
    means[0] += _FIRST
    return int(np.argmax(means))


def _standing_out(values: Floats) -> Floats:
    """In standard deviations from the mean; 0 where nobody can tell (``nan``)."""
    if np.isnan(values).all():
        return np.zeros(len(values))
    deviation = max(float(np.nanstd(values)), _LEAST_DB)
    return np.nan_to_num((values - np.nanmean(values)) / deviation)


def _low_rise(bands_db: NDArray[Any], at: NDArray[np.int_]) -> Floats:
    """By how many dB the low end rises at each beat beyond what is above it.

    A kick's does. A snare's rises, too, and everything else with it. Where nothing lies before a
    beat nobody can tell: ``nan``.
    """
    low, high = bands_db[:, 0], bands_db[:, _HIGH_BAND:].mean(axis=1)
    rise = _rise_at(low.astype(np.float64), at) - _rise_at(high.astype(np.float64), at)
    rise[at < _BEFORE] = np.nan
    return rise


def _rise_at(level_db: Floats, at: NDArray[np.int_]) -> Floats:
    after = level_db[np.minimum(at[:, None] + np.arange(3), len(level_db) - 1)].max(axis=1)
    return np.asarray(np.maximum(after - level_db[np.maximum(at - _BEFORE, 0)], 0.0))


def _held(bands_db: NDArray[Any], at: NDArray[np.int_]) -> Floats:
    """``(beats - 1, bands)``: what each band holds from one beat to the next."""
    parts = [bands_db[min(first + 1, last) : last + 1] for first, last in pairwise(at.tolist())]
    return np.array([np.percentile(part, _HELD, axis=0) for part in parts])


def _change(held_db: Floats, beats: int) -> Floats:
    """How far, in dB a band, the mean of so many beats behind each lies from that of as many before.

    One for each beat, ``nan`` where there are not so many.
    """
    apart = np.full(len(held_db) + 1, np.nan)
    if len(held_db) >= 2 * beats:
        means = sliding_window_view(held_db, beats, axis=0).mean(axis=-1)
        apart[beats : len(held_db) + 1 - beats] = np.abs(means[beats:] - means[:-beats]).mean(
            axis=1
        )
    return apart
