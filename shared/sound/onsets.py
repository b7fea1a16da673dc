"""Onset strength and onset peaks, block by block with bounded memory: librosa's, called.

The mel spectrum is taken a batch of frames at a time (ours: librosa's own wants all samples at once);
its filters, the decibels, the flux and its vibrato-proof sibling (Böck and Widmer 2013) are ``librosa``'s
functions; peaks are picked as it does (Böck, Krebs and Schedl 2012). Two choices make the result
independent of what else the recording holds: the floor is absolute, and the threshold is in
decibels of flux, not in parts of the loudest event (one slammed door would hide an hour of steps).

Windows are 93 ms long (librosa's 2,048 samples at 22,050 Hz) and 12 ms apart, half of librosa's
hop: sounds that follow each other closely are told apart. Flux is the rise over two of them. What
beats, levels and the coarse spectrum go by is every second frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.sound.librosa_kept import librosa_module
from shared.sound.masking import NewSound

Samples = NDArray[np.float32]
"""``(samples, channels)``, full scale 1.0."""

HOPS_PER_WINDOW = 4
FINE = 2
"""So many fine frames, in which onsets are sought, to a frame."""
MEL_BANDS = 128
COARSE_BANDS = 16
TOP_HZ = 11_025.0
FLOOR_POWER = 1e-6
"""Mel power below which differences don't count: with librosa's scaling that of
white noise at -80 dBFS."""
LOUDEST = 8.0
"""Samples beyond +18 dBFS (a broken float file) are clipped for analysis."""
_BATCH_FRAMES, _FFT_FRAMES = 256, 16
"""Always so many at once, so that rounding does not depend on how the blocks fall; what is transformed
stays in the processor's cache."""


def hop_samples(sample_rate_hz: int) -> int:
    """Samples between frames: next to 512 at 22,050 Hz, and a multiple of 64 for a quick FFT.

    Fine frames are half as far apart.
    """
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
    fine_flux_db: NDArray[np.float32]
    """Onset strength, ``FINE`` values a frame."""
    fine_sharp_db: NDArray[np.float32]
    fine_new_db: NDArray[np.float32]
    """How far what is new stands out from what masks it, in its best band (see ``masking``)."""
    fine_unmoved_db: NDArray[np.float32]
    """The same of what neither was close by just before nor comes back to where it was."""

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
            fine_flux_db=self.fine_flux_db[FINE * cut.start : FINE * last],
            fine_sharp_db=self.fine_sharp_db[FINE * cut.start : FINE * last],
            fine_new_db=self.fine_new_db[FINE * cut.start : FINE * last],
            fine_unmoved_db=self.fine_unmoved_db[FINE * cut.start : FINE * last],
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


class OnsetStrength:
    """Takes blocks of samples, keeps a window's tail of them and 64 bytes a frame (10 MB an hour)."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._hop = hop_samples(sample_rate_hz)
        self._window = HOPS_PER_WINDOW * self._hop
        self._batch = (_BATCH_FRAMES - 1) * self._hop // FINE + self._window
        self._pending: list[Samples] = []
        self._pending_samples = 0
        self._samples = 0
        self._opened = False
        self._last_mel: NDArray[np.float32] | None = None
        self._fluxes: list[NDArray[np.float32]] = []
        self._new = NewSound(mel_edges_hz(sample_rate_hz), FLOOR_POWER)
        self._news: list[NDArray[np.float32]] = []
        self._levels: list[NDArray[np.float32]] = []
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
            # An even number of them: whole frames.
            while (left := self._left()) > 0:
                self._drain(min(left, _BATCH_FRAMES))
            self._news.append(self._new.finish())
        fluxes = np.concatenate([np.zeros((2, 0), np.float32), *self._fluxes], axis=1)
        levels = np.concatenate([np.zeros((2, 0), np.float32), *self._levels], axis=1)
        news = np.concatenate([np.zeros((2, 0), np.float32), *self._news], axis=1)
        new_db, unmoved_db = _as_late_as_librosa(news[:, : fluxes.shape[1]], first=np.inf)
        fine = _as_late_as_librosa(fluxes)
        flux_db, sharp_db = fine[:, ::FINE]
        return Tracks(
            sample_rate_hz=self._rate_hz,
            hop=self._hop,
            samples=self._samples,
            flux_db=flux_db,
            sharp_db=sharp_db,
            power=levels[0],
            peak=levels[1],
            bands_db=np.concatenate([np.zeros((0, COARSE_BANDS), np.int8), *self._bands]),
            fine_flux_db=fine[0],
            fine_sharp_db=fine[1],
            fine_new_db=new_db,
            fine_unmoved_db=unmoved_db,
        )

    def _left(self) -> int:
        """Fine frames that are still to come: those of ``1 + samples // hop`` frames."""
        made = sum(len(flux[0]) for flux in self._fluxes)
        return FINE * (1 + self._samples // self._hop) - made

    def _open(self) -> None:
        """Put half a window of mirrored sound before the first sample: a silence would make an onset."""
        held = np.concatenate(self._pending)
        self._pending = [_mirrored(held, (self._window // 2, 0))]
        self._pending_samples = len(self._pending[0])
        self._opened = True

    def _push(self, samples: Samples) -> None:
        self._pending.append(samples)
        self._pending_samples += len(samples)

    def _drain(self, fine_frames: int) -> None:
        held = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        step = self._hop // FINE
        lacking = (fine_frames - 1) * step + self._window - len(held)
        if lacking > 0:  # the last fine frame of a recording looks half a hop beyond its end
            held = np.pad(held, ((0, lacking), (0, 0)), mode="edge")
        self._measure(held, fine_frames)
        self._pending = [held[fine_frames * step :]]
        self._pending_samples = len(self._pending[0])

    def _measure(self, held: Samples, fine_frames: int) -> None:
        """Both fluxes, level and coarse spectrum of the first windows of ``held``."""
        channels = np.ascontiguousarray(held.T)  # numpy is slow along an axis of two
        mel = mel_spectrum(channels, fine_frames, self._hop // FINE, self._window, self._rate_hz)
        self._news.append(self._new.process(mel))
        in_db = librosa_module("librosa").power_to_db
        mel_db = np.asarray(in_db(mel, amin=FLOOR_POWER, top_db=None), np.float32)
        before = mel_db[:1].repeat(FINE, axis=0) if self._last_mel is None else self._last_mel
        told = np.concatenate([before, mel_db])
        self._last_mel = told[-FINE:]
        self._fluxes.append(_fluxes(told))
        frames = fine_frames // FINE
        coarse_db = mel_db[::FINE].reshape(frames, COARSE_BANDS, -1).mean(axis=2)
        self._bands.append(np.clip(coarse_db, -128, 127).astype(np.int8))
        middle = self._window // 2
        hops = channels[:, middle : middle + frames * self._hop]
        hops = hops.reshape(len(channels), frames, self._hop)
        centred = hops - hops.mean(axis=2, keepdims=True)
        power = np.square(centred).mean(axis=2).mean(axis=0)
        peak = np.abs(centred).max(axis=2).max(axis=0)
        self._levels.append(np.stack([power, peak]).astype(np.float32))


def _fluxes(mel_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(2, frames)``: librosa's flux over ``FINE`` frames, bare and over the neighbours' highest."""
    strength = librosa_module("librosa.onset").onset_strength_multi
    rows = [
        strength(S=mel_db.T, lag=FINE, max_size=size, center=False, channels=[slice(None)])[0]
        for size in (1, 3)
    ]
    return np.asarray(rows, np.float32)[:, FINE:]


def _as_late_as_librosa(values: NDArray[np.float32], first: float = 0.0) -> NDArray[np.float32]:
    """Moved back by half a window, as ``onset_strength(center=True)`` has it."""
    late = np.full((*values.shape[:-1], HOPS_PER_WINDOW // 2 * FINE), first, np.float32)
    return np.concatenate([late, values], axis=-1)[..., : values.shape[-1]]


def mel_spectrum(
    channels: NDArray[np.float32], frames: int, step: int, window: int, sample_rate_hz: int
) -> NDArray[np.float32]:
    """``(frames, MEL_BANDS)``: mel power, mean over ``(channels, samples)``, of windows ``step`` apart."""
    import scipy.fft  # three times as fast as numpy's with float32

    hann, filters = _hann(window), mel_filters(sample_rate_hz, window)
    bins = filters.shape[1]
    power = np.zeros((frames, bins), np.float32)
    windowed = np.empty((_FFT_FRAMES, window), np.float32)
    for channel in channels:
        views = np.lib.stride_tricks.sliding_window_view(channel, window)[::step][:frames]
        for first in range(0, frames, _FFT_FRAMES):
            some = slice(first, first + _FFT_FRAMES)
            held = np.multiply(views[some], hann, out=windowed[: min(frames - first, _FFT_FRAMES)])
            spectrum = scipy.fft.rfft(held, axis=1)
            parts = spectrum.view(np.float32)[:, : 2 * bins]
            np.square(parts, out=parts)
            power[some] += parts[:, 0::2] + parts[:, 1::2]
    return np.asarray((filters @ (power / np.float32(len(channels))).T).T, np.float32)


def _mirrored(held: Samples, widths: tuple[int, int]) -> Samples:
    return np.pad(held, (widths, (0, 0)), mode="reflect")


@lru_cache(maxsize=4)
def _hann(window: int) -> NDArray[np.float32]:
    """Periodic, scaled so that a sine has the same power at any sample rate as at 22,050 Hz."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return (hann * (2048 / window)).astype(np.float32)


@lru_cache(maxsize=4)
def mel_filters(sample_rate_hz: int, window: int) -> Any:
    """librosa's ``(MEL_BANDS, bins)``, sparse, without the bins above the highest.

    At more than 22,050 Hz each band spans as much of the spectrum as it does there.
    """
    import scipy.sparse

    dense = librosa_module("librosa.filters").mel(
        sr=sample_rate_hz, n_fft=window, n_mels=MEL_BANDS, fmax=mel_edges_hz(sample_rate_hz)[-1]
    )
    bins = int(np.flatnonzero(dense.any(axis=0))[-1]) + 1
    return scipy.sparse.csr_matrix(dense[:, :bins].astype(np.float32))


def mel_edges_hz(sample_rate_hz: int) -> NDArray[np.float64]:
    """``(MEL_BANDS + 2,)``: where librosa's bands begin, peak and end."""
    top_hz = min(TOP_HZ, sample_rate_hz / 2)
    frequencies = librosa_module("librosa").mel_frequencies(MEL_BANDS + 2, fmin=0.0, fmax=top_hz)
    return np.asarray(frequencies, np.float64)


def pick_peaks(
    flux_db: NDArray[np.float32], threshold_db: float, *, fine: int = 1
) -> NDArray[np.int64]:
    """Frames that rise and stand ``threshold_db`` above the mean around: ``librosa.util.peak_pick``'s rule.

    With its tuned values (``pre_max`` 1, ``post_max`` 1, ``pre_avg`` 4, ``post_avg`` 5, ``wait`` 1), each
    times ``fine`` for frames that are so many times as close. The same frames; librosa's own needs numba,
    which takes longer to load than a minute of sound.
    """
    flux_db, count = np.asarray(flux_db, np.float32), flux_db.size
    rising = np.pad(flux_db, fine, constant_values=-np.inf)
    highest = np.max([rising[at : at + count] for at in range(2 * fine)], axis=0)
    padded, total = np.pad(flux_db, 4 * fine), np.zeros(count, np.float32)
    for at in range(8 * fine + 1):  # one after the other, as librosa adds them up
        total += padded[at : at + count]
    mean_db = total.astype(np.float64) / np.diff(_around(count, fine), axis=0)[0]
    stands_out = flux_db >= mean_db + np.float64(np.float32(threshold_db))
    picked: list[int] = []
    for frame in np.flatnonzero((flux_db == highest) & stands_out).tolist():
        if not picked or frame > picked[-1] + fine:
            picked.append(frame)
    return np.array(picked, np.int64)


def local_mean(values: NDArray[np.float32], fine: int = 1) -> NDArray[np.float64]:
    """Mean over the frames -4 to +4 (times ``fine``), fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    low, high = _around(values.size, fine)
    mean: NDArray[np.float64] = (total[high] - total[low]) / (high - low)
    return mean


def _around(count: int, fine: int) -> NDArray[np.int64]:
    """``(2, count)``: the first of the frames -4 to +4 (times ``fine``) of each, and the one behind them."""
    frames = np.arange(count)
    return np.stack([np.maximum(frames - 4 * fine, 0), np.minimum(frames + 4 * fine + 1, count)])
