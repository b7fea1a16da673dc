"""True peaks: the highest level of a sound, also between its samples (ITU-R BS.1770-4, annex 2)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
"""``(channels, frames)``."""

OVERSAMPLING = 4
TAPS = 24
"""Of each phase: this many samples around a place between two of them."""
BETWEEN = 0.5
"""Samples below half the threshold have nothing between them that is above it."""
_GATHERED = 1 << 13
"""So many places are looked at together."""


def true_peaks(signal: Signal, above: float) -> Signal:
    """The highest of all channels at each sample and up to its neighbours: ``(frames,)``.

    Between samples it is looked for only where it can be higher than ``above``.
    """
    peaks = np.abs(signal).max(axis=0)
    near = np.flatnonzero(peaks > BETWEEN * above)
    if not len(near):
        return np.asarray(peaks)
    # The places a fraction before a sample: those on both sides of each loud one.
    at = np.unique(np.concatenate([near, near + 1]))
    at = at[(at >= TAPS // 2) & (at < len(peaks) - TAPS // 2)]
    between = np.zeros(len(at), np.float32)
    for channel in signal:
        for part in range(0, len(at), _GATHERED):
            places = at[part : part + _GATHERED]
            windows = np.lib.stride_tricks.sliding_window_view(channel, TAPS)
            heard = windows[places - TAPS // 2] @ _phases()
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
        self._before = joined[:, -2 * TAPS :]
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
        at = np.arange(TAPS) - TAPS // 2 + number / OVERSAMPLING
        window = np.kaiser(2 * TAPS * OVERSAMPLING + 1, 6.0)
        weight = np.interp(at, np.linspace(-TAPS / 2, TAPS / 2, len(window)), window)
        sinc = np.sinc(at) * weight
        phases.append(sinc / sinc.sum())
    return np.asarray(np.stack(phases, axis=1), np.float32)
