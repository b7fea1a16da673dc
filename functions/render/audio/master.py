"""The master: headroom, loudnorm, limiter, dither, over the mix that lies on disk.

While the mix is made, its loudness and peaks are noted for every millisecond. On those few numbers
the gain is found that reaches the target behind the limiter; then the samples go through once, are
measured on the way, and, should the note have erred, once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from functions.render.audio.lanes import Signal
from functions.render.audio.limiter import (
    LOOK_AHEAD_S,
    MARGIN_DB,
    RELEASE_HALF_S,
    Floats,
    Limiter,
    PeakMeter,
    fallen,
    held,
    smoothed,
)
from functions.render.audio.plan import Plan
from functions.render.audio.wav import FLOAT, Rounding, WavWriter
from shared.audio.metrics import LoudnessMeter, gated_lufs

BLOCK_FRAMES = 1 << 16
CLOSE_ENOUGH_LU = 0.1
MOST_GAIN_DB = 60.0
"""What is quieter is noise: it is not lifted further."""
MOST_LIMITING_DB = 24.0
"""No peak is lifted further above the threshold: of what is behind that, little would be left."""
_STEPS_PER_S = 1000
_STEPS_PER_HOP = 100
_TRIES = 12


class MixFile:
    """The mix on disk as float32, and what was noted of it."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._file = path.open("w+b")
        self.rate, self.channels = rate, channels
        self.frames = 0
        self.meter = LoudnessMeter(rate, channels)
        self._step = max(1, round(rate / _STEPS_PER_S))
        self._rest = np.zeros((2, 0))
        self._energies: list[Floats] = []
        self._peaks: list[Floats] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, signal: Signal) -> None:
        """The next block, ``(channels, frames)``."""
        self._file.write(np.ascontiguousarray(signal.T).data)
        self.frames += signal.shape[1]
        energy = self.meter.add(signal.T)
        notes = np.concatenate([self._rest, [energy, np.abs(signal).max(axis=0)]], axis=1)
        whole = notes.shape[1] // self._step * self._step
        steps = notes[:, :whole].reshape(2, -1, self._step)
        self._energies.append(steps[0].mean(axis=1))
        self._peaks.append(steps[1].max(axis=1))
        self._rest = notes[:, whole:]

    def read(self, first: int, stop: int) -> Signal:
        """Frames ``[first, stop)``, zeros outside the mix."""
        low, high = max(0, first), max(0, min(stop, self.frames))
        size = 4 * self.channels
        self._file.seek(low * size)
        data = self._file.read(max(0, high - low) * size)
        signal = np.frombuffer(data, np.float32).reshape(-1, self.channels).T
        return np.pad(signal, ((0, 0), (low - first, stop - low - signal.shape[1])))

    @property
    def energies(self) -> Floats:
        """The K-weighted mean square of each whole millisecond."""
        return np.concatenate(self._energies)

    @property
    def peaks(self) -> Floats:
        """The highest sample of each whole millisecond."""
        return np.concatenate(self._peaks)

    @property
    def peak_dbfs(self) -> float:
        """The highest sample of all; ``-inf`` for silence."""
        peak = max(self.peaks.max(initial=0.0), self._rest[1].max(initial=0.0))
        return float(20.0 * np.log10(peak)) if peak else -np.inf

    def most_gain_db(self, threshold_dbtp: float) -> float:
        """More would be too much."""
        return min(MOST_GAIN_DB, threshold_dbtp - self.peak_dbfs + MOST_LIMITING_DB)


@dataclass(frozen=True)
class Mastered:
    """What was done, in numbers."""

    headroom_gain_db: float
    loudnorm_gain_db: float
    integrated_lufs: float | None
    """``None``: silence."""
    true_peak_dbtp: float | None
    limited_by_db: float
    """At most, anywhere."""
    rounds: int


def make_master(
    mix: MixFile,
    plan: Plan,
    tags: Mapping[str, str],
    path: Path,
    progress: Callable[[float], None],
    room_db: float = 0.0,
) -> Mastered:
    """Write the master as WAV: rounded for lossless formats, float for the lossy encoders.

    ``room_db``: by so much the peaks stay below the limiter's threshold, for an encoder that lifts
    them.
    """
    export = plan.export
    headroom_db = min(0.0, -export.preset.headroom - mix.peak_dbfs)
    ceiling_dbtp = export.preset.limiter_thresh - room_db
    threshold = ceiling_dbtp
    gain_db = find_gain_db(mix, export.loudnorm_target, threshold, headroom_db)
    for number in range(1, export.preset.rounds + 1):
        taken = _Pass(mix, plan, gain_db, threshold)
        taken.write(path, tags, partial(_share, progress, number - 1, export.preset.rounds))
        missing_lu = export.loudnorm_target - taken.meter.integrated_lufs()
        over_db = max(0.0, taken.peaks.dbtp - ceiling_dbtp)
        if not over_db and (abs(missing_lu) <= CLOSE_ENOUGH_LU or not np.isfinite(missing_lu)):
            break
        threshold -= over_db
        if np.isfinite(missing_lu):
            gain_db = min(gain_db + missing_lu, mix.most_gain_db(threshold))
    progress(1.0)
    return Mastered(
        _rounded(headroom_db) or 0.0,
        _rounded(taken.gain_db - headroom_db) or 0.0,
        _rounded(taken.meter.integrated_lufs()),
        _rounded(taken.peaks.dbtp),
        _rounded(taken.limiter.most_db) or 0.0,
        number,
    )


def _share(progress: Callable[[float], None], done: int, of: int, part: float) -> None:
    progress((done + part) / of)


def _rounded(value: float) -> float | None:
    return round(float(value), 2) + 0.0 if np.isfinite(value) else None


class _Pass:
    """Once through the mix."""

    def __init__(self, mix: MixFile, plan: Plan, gain_db: float, threshold: float) -> None:
        self._mix, self._plan = mix, plan
        self.gain_db = gain_db
        factor = np.float32(10.0 ** (gain_db / 20.0))
        self.limiter = Limiter(lambda a, b: mix.read(a, b) * factor, threshold, mix.rate)
        self.meter = LoudnessMeter(mix.rate, mix.channels)
        self.peaks = PeakMeter(mix.channels)
        self._done = 0

    def write(self, path: Path, tags: Mapping[str, str], progress: Callable[[float], None]) -> None:
        """Do it; ``tags`` and the plan's markers go into what stays a WAV."""
        mix, export = self._mix, self._plan.export
        lossless = export.format in ("wav", "flac")
        bits = export.bit_depth if lossless else FLOAT
        rounding = Rounding(bits, dither=export.dithered) if lossless else None
        with WavWriter(path, mix.rate, mix.channels, bits, mix.frames) as writer:
            for signal in self._limited():
                writer.write(rounding.round(signal) if rounding else signal)
                progress(self._done / mix.frames)
            if export.format == "wav":
                writer.close(self._plan.markers, tags)

    def _limited(self) -> Iterator[Signal]:
        for first in range(0, self._mix.frames, BLOCK_FRAMES):
            stop = min(first + BLOCK_FRAMES, self._mix.frames)
            signal = self.limiter.process(first, stop)
            self.meter.add(signal.T)
            self.peaks.add(signal)
            self._done = stop
            yield signal


def find_gain_db(
    mix: MixFile, target_lufs: float, threshold_dbtp: float, headroom_db: float
) -> float:
    """The gain that brings the mix to the target behind the limiter; for silence, headroom alone."""
    heard = mix.meter.integrated_lufs()
    if not np.isfinite(heard):
        return headroom_db
    gain_db = min(target_lufs - heard, mix.most_gain_db(threshold_dbtp))
    energies, peaks = mix.energies, mix.peaks
    if len(energies) < 4 * _STEPS_PER_HOP:
        return gain_db
    for _ in range(_TRIES):
        guess = _loudness_behind(energies, peaks, gain_db, threshold_dbtp)
        if abs(target_lufs - guess) < 0.01 or not np.isfinite(guess):
            break
        gain_db = min(gain_db + target_lufs - guess, mix.most_gain_db(threshold_dbtp))
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
