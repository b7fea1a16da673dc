"""Which gain brings a sound to a loudness, when a limiter stands behind it.

While the sound goes by, its K-weighted energy and its peaks are noted for every millisecond, on disk: three
hours of them are 130 MB. On those few numbers the limiter is worked out again and again, a minute at a time,
until the gain is found; the sound itself then goes through once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
_STEPS_TOGETHER = 60_000
"""An hour's steps at once would take 300 MiB."""
_TRIES = 12


class Notes:
    """What is noted of a sound that comes in blocks, in files beside ``path`` that stay where they are."""

    def __init__(self, path: Path, rate: int, channels: int, layout: str | None = None) -> None:
        self.meter = LoudnessMeter(rate, channels, layout)
        self.frames = 0
        self._step = max(1, round(rate / _STEPS_PER_S))
        self._rest = np.zeros((2, 0))
        self.steps = 0
        """Whole milliseconds so far."""
        self._energies = _Minutes(path.with_suffix(".energies"), np.float64)
        self._peaks = _Minutes(path.with_suffix(".peaks"), np.float32)
        self._peak = 0.0

    def add(self, signal: Signal) -> None:
        """The next block, ``(channels, frames)``."""
        self.frames += signal.shape[1]
        energy, peaks = self.meter.add(signal.T), np.abs(signal).max(axis=0)
        self._peak = max(self._peak, float(peaks.max(initial=0.0)))
        notes = np.concatenate([self._rest, [energy, peaks]], axis=1)
        whole = notes.shape[1] // self._step * self._step
        steps = notes[:, :whole].reshape(2, -1, self._step)
        self._energies.add(steps[0].mean(axis=1))
        self._peaks.add(steps[1].max(axis=1))
        self.steps += steps.shape[1]
        self._rest = notes[:, whole:]

    def minutes(self, ahead: int) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
        """The K-weighted mean square of each whole millisecond of a minute, and the highest sample of
        these and the ``ahead`` ones after (zero where there are none)."""
        energies, peaks = iter(self._energies), iter(self._peaks)
        peak = next(peaks)
        for energy in energies:
            after = next(peaks, np.zeros(0))
            beyond = after[:ahead]
            yield energy, np.concatenate([peak, beyond, np.zeros(ahead - len(beyond))])
            peak = after

    @property
    def peak_dbfs(self) -> float:
        """The highest sample of all; ``-inf`` for silence."""
        return float(20.0 * np.log10(self._peak)) if self._peak else -np.inf

    def most_gain_db(self, threshold_dbtp: float) -> float:
        """More would be too much."""
        return min(MOST_GAIN_DB, threshold_dbtp - self.peak_dbfs + MOST_LIMITING_DB)


class _Minutes:
    """Numbers that come a few at a time, kept in a file, ``_STEPS_TOGETHER`` a piece."""

    def __init__(self, path: Path, kept_as: type[np.floating]) -> None:
        self._path = path
        self._last: NDArray[np.floating] = np.zeros(0, kept_as)
        self._whole = 0
        path.unlink(missing_ok=True)

    def add(self, values: Floats) -> None:
        self._last = np.concatenate([self._last, values.astype(self._last.dtype)])
        while len(self._last) > _STEPS_TOGETHER:
            with self._path.open("ab") as file:
                self._last[:_STEPS_TOGETHER].tofile(file)
            self._whole += 1
            self._last = self._last[_STEPS_TOGETHER:]

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        size = _STEPS_TOGETHER * self._last.itemsize
        for number in range(self._whole):
            yield np.fromfile(self._path, self._last.dtype, _STEPS_TOGETHER, offset=number * size)
        yield self._last


def find_gain_db(notes: Notes, target_lufs: float, threshold_dbtp: float) -> float:
    """The gain that brings the sound to the target behind the limiter; 0 for silence."""
    heard = notes.meter.integrated_lufs()
    if not np.isfinite(heard):
        return 0.0
    gain_db = min(target_lufs - heard, notes.most_gain_db(threshold_dbtp))
    if notes.steps < 4 * _STEPS_PER_HOP:
        return gain_db
    for _ in range(_TRIES):
        guess = _loudness_behind(notes, gain_db, threshold_dbtp)
        if abs(target_lufs - guess) < 0.01 or not np.isfinite(guess):
            break
        gain_db = min(gain_db + target_lufs - guess, notes.most_gain_db(threshold_dbtp))
    return gain_db


def _loudness_behind(notes: Notes, gain_db: float, threshold_dbtp: float) -> float:
    """What the limiter would leave: the limiter itself, on milliseconds in place of samples."""
    factor = 10.0 ** (gain_db / 20.0)
    threshold = 10.0 ** ((threshold_dbtp - MARGIN_DB) / 20.0)
    window = 2 * round(LOOK_AHEAD_S * _STEPS_PER_S / 2)
    release = float(np.log(0.5) / (RELEASE_HALF_S * _STEPS_PER_S))
    before, hops = np.zeros(window), [np.zeros(0)]
    for energies, peaks in notes.minutes(window):
        needed_db = 20.0 * np.log10(np.maximum(peaks * factor / threshold, 1.0))
        released = fallen(held(needed_db, window), before[-1], release)
        reaching = np.concatenate([before, released])
        before = reaching[-window:]
        power = energies * np.power(10.0, (gain_db - smoothed(reaching, window)) / 10.0)
        whole = len(power) // _STEPS_PER_HOP * _STEPS_PER_HOP
        hops.append(power[:whole].reshape(-1, _STEPS_PER_HOP).mean(axis=1))
    return gated_lufs(np.concatenate(hops))
