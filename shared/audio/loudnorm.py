"""Which gain brings a sound to a loudness, when a limiter stands behind it.

While the sound goes by, its K-weighted energy and its peaks are noted for every millisecond. On those
few numbers the limiter is worked out again and again, until the gain is found; the sound itself then
goes through once.
"""

from __future__ import annotations

import numpy as np

from shared.audio.limiter import (
    LOOK_AHEAD_S,
    MARGIN_DB,
    RELEASE_HALF_S,
    Floats,
    fallen,
    held,
    smoothed,
)
from shared.sound.loudness_meter import LoudnessMeter, gated_lufs
from shared.sound.true_peak import Signal

MOST_GAIN_DB = 60.0
"""What is quieter is noise: it is not lifted further."""
MOST_LIMITING_DB = 24.0
"""No peak is lifted further above the threshold: of what is behind that, little would be left."""
_STEPS_PER_S = 1000
_STEPS_PER_HOP = 100
_TRIES = 12


class Notes:
    """What is noted of a sound that comes in blocks."""

    def __init__(self, rate: int, channels: int, layout: str | None = None) -> None:
        self.meter = LoudnessMeter(rate, channels, layout)
        self.frames = 0
        self._step = max(1, round(rate / _STEPS_PER_S))
        self._rest = np.zeros((2, 0))
        self._energies: list[Floats] = []
        self._peaks: list[Floats] = []

    def add(self, signal: Signal) -> None:
        """The next block, ``(channels, frames)``."""
        self.frames += signal.shape[1]
        energy = self.meter.add(signal.T)
        notes = np.concatenate([self._rest, [energy, np.abs(signal).max(axis=0)]], axis=1)
        whole = notes.shape[1] // self._step * self._step
        steps = notes[:, :whole].reshape(2, -1, self._step)
        self._energies.append(steps[0].mean(axis=1))
        self._peaks.append(steps[1].max(axis=1))
        self._rest = notes[:, whole:]

    @property
    def energies(self) -> Floats:
        """The K-weighted mean square of each whole millisecond."""
        return np.concatenate([*self._energies, np.zeros(0)])

    @property
    def peaks(self) -> Floats:
        """The highest sample of each whole millisecond."""
        return np.concatenate([*self._peaks, np.zeros(0)])

    @property
    def peak_dbfs(self) -> float:
        """The highest sample of all; ``-inf`` for silence."""
        peak = max(self.peaks.max(initial=0.0), self._rest[1].max(initial=0.0))
        return float(20.0 * np.log10(peak)) if peak else -np.inf

    def most_gain_db(self, threshold_dbtp: float) -> float:
        """More would be too much."""
        return min(MOST_GAIN_DB, threshold_dbtp - self.peak_dbfs + MOST_LIMITING_DB)


def find_gain_db(notes: Notes, target_lufs: float, threshold_dbtp: float) -> float:
    """The gain that brings the sound to the target behind the limiter; 0 for silence."""
    heard = notes.meter.integrated_lufs()
    if not np.isfinite(heard):
        return 0.0
    gain_db = min(target_lufs - heard, notes.most_gain_db(threshold_dbtp))
    energies, peaks = notes.energies, notes.peaks
    if len(energies) < 4 * _STEPS_PER_HOP:
        return gain_db
    for _ in range(_TRIES):
        guess = _loudness_behind(energies, peaks, gain_db, threshold_dbtp)
        if abs(target_lufs - guess) < 0.01 or not np.isfinite(guess):
            break
        gain_db = min(gain_db + target_lufs - guess, notes.most_gain_db(threshold_dbtp))
    return gain_db


def _loudness_behind(
    energies: Floats, peaks: Floats, gain_db: float, threshold_dbtp: float
) -> float:
    """What the limiter would leave: the limiter itself, on milliseconds in place of samples."""
    factor = 10.0 ** (gain_db / 20.0)
    threshold = 10.0 ** ((threshold_dbtp - MARGIN_DB) / 20.0)
    needed_db = 20.0 * np.log10(np.maximum(peaks * factor / threshold, 1.0))
    window = 2 * round(LOOK_AHEAD_S * _STEPS_PER_S / 2)
    release = float(np.log(0.5) / (RELEASE_HALF_S * _STEPS_PER_S))
    released = fallen(held(np.pad(needed_db, (0, window)), window), 0.0, release)
    turned_db = gain_db - smoothed(np.pad(released, (window, 0)), window)
    power = energies * np.power(10.0, turned_db / 10.0)
    whole = len(power) // _STEPS_PER_HOP * _STEPS_PER_HOP
    return gated_lufs(power[:whole].reshape(-1, _STEPS_PER_HOP).mean(axis=1))
