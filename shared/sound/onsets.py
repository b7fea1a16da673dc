"""Onset strength, block by block: librosa's spectral flux and peak picking, with bounded memory.

librosa's own functions can't stream, and the first touch of them compiles numba kernels for half a
minute on a cold cache. So the method (Böck and Widmer 2013; Böck, Krebs and Schedl 2012, as in
``librosa.onset``) is written here with numpy and an FFT, and tests hold it equal to librosa:
``onset_strength`` of ``power_to_db(melspectrogram, amin=FLOOR_POWER, top_db=None)``, and
``util.peak_pick``. Two deliberate differences make the result independent of what else the
recording holds: the floor is absolute, and the threshold is in decibels of flux, not in parts of
the loudest event (one slammed door would hide an hour of footsteps).

Frames are 1/43 s apart at any sample rate: librosa's 512 samples at 22,050 Hz.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""``(samples, channels)``, full scale 1.0."""

HOPS_PER_WINDOW = 4
MEL_BANDS = 128
COARSE_BANDS = 16
TOP_HZ = 11_025.0
FLOOR_POWER = 1e-6
"""Mel power below which differences don't count: with librosa's scaling that of
white noise at -80 dBFS."""
LOUDEST = 8.0
"""Samples beyond +18 dBFS (a broken float file) are clipped for analysis."""
_BATCH_FRAMES = 64
"""Always so many at once, so that rounding does not depend on how the blocks fall."""


def hop_samples(sample_rate_hz: int) -> int:
    """Samples between frames: next to 512 at 22,050 Hz, and a multiple of 64 for a quick FFT."""
    return max(64, round(512 * sample_rate_hz / 22_050 / 64) * 64)


@dataclass(frozen=True)
class Tracks:
    """What one pass over a recording leaves behind, a value a frame; frame ``i`` is at ``i * hop``."""

    sample_rate_hz: int
    hop: int
    samples: int
    flux_db: NDArray[np.float32]
    """Onset strength: the mean rise of the mel bands."""
    sharp_db: NDArray[np.float32]
    """The same over the highest of each band and its neighbours before: near 0 for a vibrato."""
    power: NDArray[np.float32]
    """Mean square of the hop that begins at the frame, DC taken off, mean over channels."""
    peak: NDArray[np.float32]
    """Highest magnitude in that hop, any channel, DC taken off."""
    bands_db: NDArray[np.int8]
    """``(frames, 16)``: the spectrum, coarsely; each the mean of 8 neighbouring mel bands in dB."""

    def part(self, first: int, last: int) -> Tracks:
        """The frames ``[first, last)`` alone, as if the recording held no more."""
        cut = slice(max(first, 0), last)
        return Tracks(
            sample_rate_hz=self.sample_rate_hz,
            hop=self.hop,
            samples=len(self.power[cut]) * self.hop,
            flux_db=self.flux_db[cut],
            sharp_db=self.sharp_db[cut],
            power=self.power[cut],
            peak=self.peak[cut],
            bands_db=self.bands_db[cut],
        )

    @property
    def frames_per_s(self) -> float:
        """About 43."""
        return self.sample_rate_hz / self.hop

    @property
    def duration_ms(self) -> int:
        """The recording's length."""
        return round(1000 * self.samples / self.sample_rate_hz)

    @property
    def silent(self) -> bool:
        """Nothing rises above -60 dBFS."""
        return self.peak.size == 0 or float(self.peak.max()) < 1e-3


def analyse(blocks: Iterable[Samples], sample_rate_hz: int) -> Tracks:
    """Run a recording's blocks through; the result is the same however they are cut."""
    strength = OnsetStrength(sample_rate_hz)
    for block in blocks:
        strength.process(block)
    return strength.finish()


class OnsetStrength:
    """Takes blocks of samples, keeps a window's tail of them and 32 bytes a frame (5 MB an hour)."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._hop = hop_samples(sample_rate_hz)
        self._window = HOPS_PER_WINDOW * self._hop
        self._batch = (_BATCH_FRAMES - 1) * self._hop + self._window
        self._pending: list[Samples] = []
        self._pending_samples = 0
        self._samples = 0
        self._opened = False
        self._last_mel: NDArray[np.float32] | None = None
        self._rows: list[NDArray[np.float32]] = []
        self._bands: list[NDArray[np.int8]] = []

    def process(self, block: Samples) -> None:
        """Take the next samples; any number of them."""
        self._push(np.clip(block, -LOUDEST, LOUDEST))
        self._samples += len(block)
        if not self._opened and self._samples >= self._window:
            self._open()
        while self._opened and self._pending_samples >= self._batch:
            self._drain(_BATCH_FRAMES)

    def finish(self) -> Tracks:
        """The tracks of all that was taken."""
        if self._samples:
            if not self._opened:
                self._open()
            half = self._window // 2
            self._push(_mirrored(np.concatenate(self._pending), (0, half))[-half:])
            while (left := 1 + (self._pending_samples - self._window) // self._hop) > 0:
                self._drain(min(left, _BATCH_FRAMES))
        empty = np.zeros((4, 0), np.float32), np.zeros((0, COARSE_BANDS), np.int8)
        rows = np.concatenate([empty[0], *self._rows], axis=1)
        bands_db = np.concatenate([empty[1], *self._bands])
        late = np.zeros((2, HOPS_PER_WINDOW // 2), np.float32)
        flux_db, sharp_db = np.concatenate([late, rows[:2]], axis=1)[:, : rows.shape[1]]
        return Tracks(
            sample_rate_hz=self._rate_hz,
            hop=self._hop,
            samples=self._samples,
            flux_db=flux_db,
            sharp_db=sharp_db,
            power=rows[2],
            peak=rows[3],
            bands_db=bands_db,
        )

    def _open(self) -> None:
        """Put half a window of mirrored sound before the first sample: a silence would make an onset."""
        held = np.concatenate(self._pending)
        self._pending = [_mirrored(held, (self._window // 2, 0))]
        self._pending_samples = len(self._pending[0])
        self._opened = True

    def _push(self, samples: Samples) -> None:
        self._pending.append(samples)
        self._pending_samples += len(samples)

    def _drain(self, frames: int) -> None:
        held = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        self._rows.append(self._measure(held, frames))
        self._pending = [held[frames * self._hop :]]
        self._pending_samples = len(self._pending[0])

    def _measure(self, held: Samples, frames: int) -> NDArray[np.float32]:
        """Both fluxes, power and peak, ``(4, frames)``, of the first ``frames`` windows of ``held``."""
        mel_db = mel_spectrum_db(held, frames, self._hop, self._rate_hz)
        first = mel_db[:1] if self._last_mel is None else self._last_mel
        before = np.concatenate([first, mel_db[:-1]])
        flux = np.maximum(mel_db - before, 0.0).mean(axis=1)
        sharp = np.maximum(mel_db - _with_neighbours(before), 0.0).mean(axis=1)
        self._last_mel = mel_db[-1:]
        coarse_db = mel_db.reshape(frames, COARSE_BANDS, -1).mean(axis=2)
        self._bands.append(np.clip(coarse_db, -128, 127).astype(np.int8))
        middle = self._window // 2
        hops = held[middle : middle + frames * self._hop].reshape(frames, self._hop, -1)
        centred = hops - hops.mean(axis=1, keepdims=True)
        power = np.square(centred).mean(axis=(1, 2))
        return np.stack([flux, sharp, power, np.abs(centred).max(axis=(1, 2))]).astype(np.float32)


def _with_neighbours(mel_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest of each band and its two neighbours.

    S. Böck and G. Widmer, "Maximum Filter Vibrato Suppression for Onset Detection", DAFx 2013.
    """
    padded = np.pad(mel_db, ((0, 0), (1, 1)), mode="edge")
    highest = np.maximum(np.maximum(padded[:, :-2], padded[:, 2:]), mel_db)
    return np.asarray(highest, np.float32)


def mel_spectrum_db(
    held: Samples, frames: int, hop: int, sample_rate_hz: int
) -> NDArray[np.float32]:
    """``(frames, MEL_BANDS)`` in dB: mel power, mean over channels, of windows ``hop`` apart."""
    import scipy.fft  # three times as fast as numpy's with float32

    window = HOPS_PER_WINDOW * hop
    hann, filters = _hann(window), mel_filters(sample_rate_hz, window)
    power = np.zeros((frames, filters.rising.size), np.float32)
    for channel in range(held.shape[1]):
        views = np.lib.stride_tricks.sliding_window_view(held[:, channel], window)[::hop][:frames]
        spectrum = scipy.fft.rfft(views * hann, axis=1)[:, : filters.rising.size]
        power += np.square(spectrum.real) + np.square(spectrum.imag)
    mel = filters.apply(power / np.float32(held.shape[1]))
    level_db: NDArray[np.float32] = np.log10(np.maximum(mel, np.float32(FLOOR_POWER)))
    return level_db * np.float32(10)


def _mirrored(held: Samples, widths: tuple[int, int]) -> Samples:
    return np.pad(held, (widths, (0, 0)), mode="reflect")


@lru_cache(maxsize=4)
def _hann(window: int) -> NDArray[np.float32]:
    """Periodic, scaled so that a sine has the same power at any sample rate as at 22,050 Hz."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return (hann * (2048 / window)).astype(np.float32)


@dataclass(frozen=True)
class MelFilters:
    """Slaney's triangles of unit area. Bins above the highest are left out.

    Each bin lies between two neighbouring edges: on the rising side of one band and on the falling
    side of the band below. Two sums an interval cost far less than a matrix of mostly zeros.
    """

    rising: NDArray[np.float32]
    falling: NDArray[np.float32]
    """A weight a bin."""
    starts: NDArray[np.intp]
    """The first bin after each edge but the last."""
    filled: NDArray[np.bool_]
    """Which intervals hold a bin at all."""

    def apply(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(frames, bins)`` -> ``(frames, MEL_BANDS)``."""
        up = np.add.reduceat(power * self.rising, self.starts, axis=1) * self.filled
        down = np.add.reduceat(power * self.falling, self.starts, axis=1) * self.filled
        bands: NDArray[np.float32] = up[:, :-1] + down[:, 1:]
        return bands


@lru_cache(maxsize=4)
def mel_filters(sample_rate_hz: int, window: int) -> MelFilters:
    """For windows of so many samples."""
    top_hz = min(TOP_HZ, sample_rate_hz / 2)
    bins_hz = np.arange(window // 2 + 1) * (sample_rate_hz / window)
    bins_hz = bins_hz[bins_hz < top_hz]
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(top_hz), MEL_BANDS + 2))
    widths_hz = np.diff(edges_hz)
    interval = np.searchsorted(edges_hz, bins_hz, side="right") - 1
    areas = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    above, below = np.append(areas, 0.0)[interval], np.append(0.0, areas)[interval]
    rising = above * (bins_hz - edges_hz[interval]) / widths_hz[interval]
    falling = below * (edges_hz[interval + 1] - bins_hz) / widths_hz[interval]
    starts = np.searchsorted(interval, np.arange(MEL_BANDS + 1))
    filled = np.diff(np.append(starts, bins_hz.size)) > 0
    starts = np.minimum(starts, bins_hz.size - 1)
    return MelFilters(rising.astype(np.float32), falling.astype(np.float32), starts, filled)


_LINEAR_HZ = 200.0 / 3
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(frequency_hz: float) -> float:
    if frequency_hz < 1000.0:
        return frequency_hz / _LINEAR_HZ
    return float(1000.0 / _LINEAR_HZ + np.log(frequency_hz / 1000.0) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    bent = 1000.0 * np.exp(_LOG_STEP * (mel - 1000.0 / _LINEAR_HZ))
    return np.where(mel < 1000.0 / _LINEAR_HZ, mel * _LINEAR_HZ, bent)


def pick_peaks(flux_db: NDArray[np.float32], threshold_db: float) -> NDArray[np.int64]:
    """Frames that rise, stand ``threshold_db`` above the mean of the 9 around, and are 2 apart.

    librosa's tuned rule (``pre_max`` 1, ``post_max`` 1, ``pre_avg`` 4, ``post_avg`` 5, ``wait`` 1).
    """
    if flux_db.size == 0:
        return np.zeros(0, np.int64)
    rises = np.append(True, flux_db[1:] >= flux_db[:-1])
    candidates = np.flatnonzero(rises & (flux_db >= local_mean(flux_db) + threshold_db))
    picked: list[int] = []
    for frame in candidates:
        if not picked or frame - picked[-1] > 1:
            picked.append(int(frame))
    return np.array(picked, np.int64)


def local_mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over the frames -4 to +4, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    frames = np.arange(values.size)
    low, high = np.maximum(frames - 4, 0), np.minimum(frames + 5, values.size)
    mean: NDArray[np.float64] = (total[high] - total[low]) / (high - low)
    return mean
