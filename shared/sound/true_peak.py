"""True peaks: the highest level of a sound, also between its samples (ITU-R BS.1770-4, annex 2)."""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
"""``(channels, frames)``."""

OVERSAMPLING = 4
TAPS = 24
"""Of each phase: this many samples around a place between two of them."""
BETWEEN = 0.5
"""Samples below half the threshold have nothing between them that is above it."""
_GATHERED = 1 << 11
"""So many places are looked at together: for more the product of matrices takes threads, which wait for each
other longer than one of them works."""


def true_peaks(signal: Signal, above: float) -> Signal:
    """The highest of all channels at each sample and up to its neighbours: ``(frames,)``.

    Between samples it is looked for only where it can be higher than ``above``.
    """
    peaks = np.abs(signal).max(axis=0)
    loud = peaks > BETWEEN * above
    # The places a fraction before a sample: those on both sides of each loud one.
    sides = loud.copy()
    sides[1:] |= loud[:-1]
    at = np.flatnonzero(sides[TAPS // 2 : max(0, len(peaks) - TAPS // 2)]) + TAPS // 2
    if not len(at):
        return np.asarray(peaks)
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

    def louder(self, gain_db: float) -> Self:
        """A meter that has heard all of this so much louder; it takes no more blocks."""
        moved = copy(self)
        moved._peak = self._peak * 10.0 ** (gain_db / 20.0)
        return moved

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
