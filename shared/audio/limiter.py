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
from functools import cache

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
"""``(channels, frames)``."""
Floats = NDArray[np.float64]

LOOK_AHEAD_S = 0.005
RELEASE_HALF_S = 0.04
MARGIN_DB = 0.1
"""So much lower than asked for: turning down itself moves peaks a little, and so does rounding."""
OVERSAMPLING = 4
_TAPS = 24
"""Of each phase: this many samples around a place between two of them."""
_BETWEEN = 0.5
"""Samples below half the threshold have nothing between them that is above it."""

_GATHERED = 1 << 13
"""So many places are looked at together."""

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
        around = self._read(first - lead - _TAPS, stop + self._window + _TAPS)
        signal = around[:, lead + _TAPS : lead + _TAPS + stop - first]
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
        inner = slice(_TAPS, around.shape[1] - _TAPS)
        if float(np.abs(around).max(initial=0.0)) <= self._threshold * _BETWEEN:
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


def true_peaks(signal: Signal, above: float) -> Signal:
    """The highest of all channels at each sample and up to its neighbours: ``(frames,)``.

    Between samples it is looked for only where it can be higher than ``above``.
    """
    peaks = np.abs(signal).max(axis=0)
    near = np.flatnonzero(peaks > _BETWEEN * above)
    if not len(near):
        return np.asarray(peaks)
    # The places a fraction before a sample: those on both sides of each loud one.
    at = np.unique(np.concatenate([near, near + 1]))
    at = at[(at >= _TAPS // 2) & (at < len(peaks) - _TAPS // 2)]
    between = np.zeros(len(at), np.float32)
    for channel in signal:
        for part in range(0, len(at), _GATHERED):
            places = at[part : part + _GATHERED]
            windows = np.lib.stride_tricks.sliding_window_view(channel, _TAPS)
            heard = windows[places - _TAPS // 2] @ _phases()
            loudest = np.abs(heard).max(axis=1)
            np.maximum(
                between[part : part + _GATHERED], loudest, out=between[part : part + _GATHERED]
            )
    for places in (at, at - 1):
        peaks[places] = np.maximum(peaks[places], between)
    return np.asarray(peaks)


class PeakMeter:
    """The true peak of what comes in blocks."""

    def __init__(self, channels: int) -> None:
        self._before = np.zeros((channels, 0), np.float32)
        self._peak = 0.0

    def add(self, signal: Signal) -> None:
        """The next block, ``(channels, frames)``."""
        joined = np.concatenate([self._before, signal], axis=1)
        self._before = joined[:, -2 * _TAPS :]
        self._peak = max(self._peak, float(true_peaks(joined, self._peak).max(initial=0.0)))

    @property
    def dbtp(self) -> float:
        """So far; ``-inf`` for silence."""
        return float(20.0 * np.log10(self._peak)) if self._peak else -np.inf


@cache
def _phases() -> Signal:
    """The filters that give what is between: ``(taps, phases)``, a windowed sinc each.

    Phase ``f`` gives the place ``f`` of a sample before the one in the window's middle.
    """
    phases = []
    for number in range(1, OVERSAMPLING):
        at = np.arange(_TAPS) - _TAPS // 2 + number / OVERSAMPLING
        window = np.kaiser(2 * _TAPS * OVERSAMPLING + 1, 6.0)
        weight = np.interp(at, np.linspace(-_TAPS / 2, _TAPS / 2, len(window)), window)
        sinc = np.sinc(at) * weight
        phases.append(sinc / sinc.sum())
    return np.asarray(np.stack(phases, axis=1), np.float32)
