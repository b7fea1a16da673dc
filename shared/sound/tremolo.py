"""What swells and falls evenly, over and over, begins nothing: a tremolo, a rotating loudspeaker.

A note that is struck again rises faster than it falls; a tremolo's loudness is a sine of 3.5 to 8 Hz,
and its spectrum stays what it is. So around what rises slowly the loudness is fitted with a sine of each
such frequency beside a trend (least squares): of a struck note's sawtooth a sine is 0.6, of a roll's
pulses less, of a tremolo nearly all.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RATES_HZ = np.arange(3.4, 8.3, 0.1)
_LOOKED_AT_S, _SHARES_BEFORE = 1.4, (0.5, 0.1, 0.9)
"""So much is looked at, five swings of the slowest, so much of it before: a tremolo begins and ends."""
_LEVELS_PER_S = 200
_SINE, _DEEP = 0.88, 0.1
"""So much of what moves is a sine, and so far does it move, in parts of the mean amplitude."""
_LOUD_DB, _SAME_DB = 30.0, 1.5
"""Bands so near to the loudest tell whether the spectrum of one swing is that of the one before."""


def swing_rate_hz(slope: NDArray[np.floating], step: int, steps_per_s: int) -> float | None:
    """The rate at which loudness swings around ``step``, or before or after it; ``None``: not as a sine.

    ``slope``: the slope's energy, ``steps_per_s`` values a second.
    """
    lasting = round(_LOOKED_AT_S * steps_per_s)
    for share in _SHARES_BEFORE:
        first = step - round(share * lasting)
        if first < 0 or first + lasting > len(slope):
            continue
        part = np.asarray(slope[first : first + lasting], np.float64)
        rate_hz = _sine_rate_hz(
            np.sqrt(part.reshape(-1, steps_per_s // _LEVELS_PER_S).mean(axis=1))
        )
        if rate_hz is not None:
            return rate_hz
    return None


def _sine_rate_hz(amplitude: Floats) -> float | None:
    trends, waves = _models(len(amplitude))
    moving = amplitude - trends @ (trends.T @ amplitude)
    whole = float(moving @ moving)
    if whole <= 0.5 * len(amplitude) * (_DEEP * float(amplitude.mean())) ** 2:
        return None
    explained = np.square(waves @ moving).sum(axis=1)
    best = int(np.argmax(explained))
    return float(_RATES_HZ[best]) if explained[best] >= _SINE * whole else None


def unchanged(bands_db: NDArray[np.integer], frame: int, period: int) -> bool:
    """Is the spectrum of the ``period`` frames from ``frame`` on that of those before, but for its level?"""
    before, after = bands_db[max(0, frame - period) : frame], bands_db[frame : frame + period]
    if not len(before) or not len(after):
        return False
    was, now = before.mean(axis=0), after.mean(axis=0)
    loud = np.maximum(was, now) > max(was.max(), now.max()) - _LOUD_DB
    return bool(np.std((now - was)[loud]) < _SAME_DB)


@lru_cache(maxsize=2)
def _models(count: int) -> tuple[Floats, Floats]:
    """``(count, 3)``: a trend; ``(rates, 2, count)``: a wave of each rate. Orthonormal, and to each other."""
    t = np.arange(count) / _LEVELS_PER_S
    trends = np.linalg.qr(np.stack([np.ones(count), t, t * t], axis=1))[0]
    waves = []
    for rate_hz in _RATES_HZ:
        pair = np.stack([np.cos(2 * np.pi * rate_hz * t), np.sin(2 * np.pi * rate_hz * t)], axis=1)
        waves.append(np.linalg.qr(pair - trends @ (trends.T @ pair))[0].T)
    return trends, np.array(waves)
