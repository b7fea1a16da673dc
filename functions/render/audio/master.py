"""The master: headroom, loudnorm, limiter, dither, over the mix that lies on disk.

While the mix is made, its loudness and peaks are noted for every millisecond. On those few numbers
the gain is found that reaches the target behind the limiter; then the samples go through once, are
measured on the way, and, should the note have erred, once more.

    gain       headroom and loudnorm are one factor; only the meta tells them apart
    limiter    at most as many dBTP as the preset or target says (``shared.audio.limiter``)
    measured   BS.1770-4 loudness and true peak of what the limiter gives, before it is rounded
    rounded    16 or 24 bits with dither, or float for lossy encoders

The gain moves nothing in time: a mix that lacks loudness for its peaks is limited, not compressed.
Memory is that of a few blocks, the mix on disk 4 bytes a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from functions.render.audio.envelopes import Signal
from functions.render.audio.mix_plan import Plan
from functions.render.audio.wav import FLOAT, Rounding, WavWriter
from shared.audio.limiter import Limiter
from shared.audio.loudnorm import Notes, find_gain_db
from shared.sound.loudness_meter import LoudnessMeter
from shared.sound.true_peak import PeakMeter

BLOCK_FRAMES = 1 << 16
CLOSE_ENOUGH_LU = 0.1
"""Nearer to the target than this no further round is made; EBU R 128 allows 0.5 LU."""


class MixFile:
    """The mix on disk as float32, interleaved, and what was noted of it.

    Nothing is clipped: full scale is 1, and a mix may be far above it. The notes lie beside ``path``.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._file = path.open("w+b")
        self.rate, self.channels = rate, channels
        self.notes = Notes(path, rate, channels)

    @property
    def frames(self) -> int:
        """So many were written."""
        return self.notes.frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, signal: Signal) -> None:
        """The next block, ``(channels, frames)``."""
        self._file.write(np.ascontiguousarray(signal.T).data)
        self.notes.add(signal)

    def read(self, first: int, stop: int) -> Signal:
        """Frames ``[first, stop)``, ``(channels, frames)``, zeros outside the mix; any order."""
        low, high = max(0, first), max(0, min(stop, self.frames))
        size = 4 * self.channels
        self._file.seek(low * size)
        data = self._file.read(max(0, high - low) * size)
        signal = np.frombuffer(data, np.float32).reshape(-1, self.channels).T
        return np.pad(signal, ((0, 0), (low - first, stop - low - signal.shape[1])))


@dataclass(frozen=True)
class Mastered:
    """What was done, in numbers."""

    headroom_gain_db: float
    """0 or less: what brings the mix's highest sample down to the preset's headroom."""
    loudnorm_gain_db: float
    """What was added to that. Both are 0 for silence."""
    integrated_lufs: float | None
    """``None``: silence."""
    true_peak_dbtp: float | None
    """``None``: silence."""
    short_term_lufs: float | None
    """Of the loudest window of 3 s; ``None``: none is so long, or silence."""
    limited_by_db: float
    """At most, anywhere, 0 and up."""
    rounds: int
    """Passes over the mix, from 1 to the preset's."""


@dataclass(frozen=True)
class Allowance:
    """For what a lossy encoder will do to the master."""

    room_db: float = 0.0
    """By so much the peaks stay below the limiter's threshold, for it lifts them."""
    lift_lu: float = 0.0
    """By so much the master is louder than its target, for it takes away what it thinks nobody hears."""


def make_master(
    mix: MixFile,
    plan: Plan,
    tags: Mapping[str, str],
    path: Path,
    progress: Callable[[float], None],
    allowed: Allowance,
) -> Mastered:
    """Write the master as WAV: rounded for lossless formats, float for the lossy encoders.

    Each round reads the whole mix. Behind it the aim is moved by what is missing in loudness, and the
    threshold by what a true peak is too high, until both are right or the preset's rounds are over: the
    last round's file is the result, whatever it lacks. ``progress`` is told 0 to 1, and never falls.
    Raises ``InputTooLarge`` for more than WAV holds.
    """
    export = plan.export
    headroom_db = min(0.0, -export.preset.headroom - mix.notes.peak_dbfs)
    ceiling_dbtp = export.preset.limiter_thresh - allowed.room_db
    threshold = ceiling_dbtp
    target_lufs = export.loudnorm_target + allowed.lift_lu
    aim_lufs = target_lufs
    for number in range(1, export.preset.rounds + 1):
        taken = _Pass(mix, plan, find_gain_db(mix.notes, aim_lufs, threshold), threshold)
        taken.write(path, tags, partial(_share, progress, number - 1, export.preset.rounds))
        missing_lu = target_lufs - taken.meter.integrated_lufs()
        over_db = max(0.0, taken.peaks.dbtp - ceiling_dbtp)
        if not over_db and (abs(missing_lu) <= CLOSE_ENOUGH_LU or not np.isfinite(missing_lu)):
            break
        threshold -= over_db
        aim_lufs += missing_lu if np.isfinite(missing_lu) else 0.0
    progress(1.0)
    return Mastered(
        _rounded(headroom_db) or 0.0,
        _rounded(taken.gain_db - headroom_db) or 0.0,
        _rounded(taken.meter.integrated_lufs()),
        _rounded(taken.peaks.dbtp),
        taken.meter.loudest_short_term_lufs(),
        _rounded(taken.limiter.most_db) or 0.0,
        number,
    )


def _share(progress: Callable[[float], None], done: int, of: int, part: float) -> None:
    progress((done + part) / of)


def _rounded(value: float) -> float | None:
    """Hundredths, as the meta has them; ``None`` for what is not finite; never -0."""
    return round(float(value), 2) + 0.0 if np.isfinite(value) else None


class _Pass:
    """Once through the mix: its gain, its limiter, and the meters behind that."""

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
