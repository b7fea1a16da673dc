"""The limiter: no true peak above its threshold, and nothing touched that stays below.

    peaks      of the samples and between them (four times as many, ITU-R BS.1770-4 annex 2)
    needed     how many decibels each is too high
    held       the most that is needed within the next 5 ms: it looks ahead
    released   falling by half every 40 ms after a peak
    smoothed   over the last 5 ms: a mean of values that all reach what the peak needs does, too

All channels are turned down together, so that the picture stays in its place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.sound.true_peak import BETWEEN, TAPS, Signal, true_peaks

Floats = NDArray[np.float64]

LOOK_AHEAD_S = 0.005
RELEASE_HALF_S = 0.04
MARGIN_DB = 0.1
"""So much lower than asked for: turning down itself moves peaks a little, and so does rounding."""

Read = Callable[[int, int], Signal]
"""Frames ``[first, stop)`` of the mix, zeros outside it."""


class Limiter:
    """Reads the mix block by block, forwards, and looks ahead itself."""

    def __init__(self, read: Read, threshold_dbtp: float, rate: int) -> None:
        self._read = read
        self._threshold = 10.0 ** ((threshold_dbtp - MARGIN_DB) / 20.0)
        self._window = max(2, round(LOOK_AHEAD_S * rate) // 2 * 2)
        self._release = float(np.log(0.5) / (RELEASE_HALF_S * rate))
        self._before = np.zeros(self._window)
        """The last window of what was released, in decibels."""
        self.most_db = 0.0
        """By how much it turned down at most, so far."""

    def process(self, first: int, stop: int) -> Signal:
        """The limited frames ``[first, stop)``; the blocks must follow each other, from 0 on."""
        # What comes down for a peak in the mix's first samples has to begin before them.
        lead = 0 if first else self._window
        around = self._read(first - lead - TAPS, stop + self._window + TAPS)
        signal = around[:, lead + TAPS : lead + TAPS + stop - first]
        needed_db = self._needed_db(around)
        if not needed_db.any() and self._before[-1] < 1e-4:
            self._before = np.zeros(self._window)
            return signal
        released = fallen(held(needed_db, self._window), self._before[-1], self._release)
        smooth = smoothed(np.concatenate([self._before, released]), self._window)[lead:]
        self._before = np.concatenate([self._before, released])[-self._window :]
        self.most_db = max(self.most_db, float(smooth.max()))
        return np.asarray(signal * np.exp(smooth * (-np.log(10.0) / 20.0)).astype(np.float32))

    def _needed_db(self, around: Signal) -> Floats:
        """From the block's first frame to a window behind its last."""
        inner = slice(TAPS, around.shape[1] - TAPS)
        if float(np.abs(around).max(initial=0.0)) <= self._threshold * BETWEEN:
            return np.zeros(inner.stop - inner.start)
        peaks = true_peaks(around, self._threshold)[inner].astype(np.float64)
        return np.asarray(20.0 * np.log10(np.maximum(peaks / self._threshold, 1.0)))


def fallen(held_db: Floats, before_db: float, release: float) -> Floats:
    """``r[n] = max(h[n], c r[n-1])`` with ``c = exp(release)``: in logarithms a running maximum."""
    fall = release * np.arange(1, len(held_db) + 1)
    with np.errstate(divide="ignore"):
        level = np.maximum(np.log(held_db) - fall, np.log(before_db))
    return np.asarray(np.exp(np.maximum.accumulate(level) + fall))


def held(needed: Floats, window: int) -> Floats:
    """The highest of each value and the ``window`` ones behind it; as many as have so many behind."""
    from scipy.ndimage import maximum_filter1d

    wide = maximum_filter1d(needed, window + 1, mode="constant", origin=-(window // 2))
    return np.asarray(wide[: len(needed) - window])


def smoothed(values: Floats, window: int) -> Floats:
    """A mean over each value and the ``window`` ones before it, weighted as a triangle."""
    half = window // 2
    once = _mean(values, half + 1)
    return _mean(once, window - half + 1)


def _mean(values: Floats, length: int) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[length:] - total[:-length]) / length).clip(min=0.0)
