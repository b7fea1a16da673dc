"""Which tones a recording holds, a few numbers a frame: what tells music from noise.

Computed block by block from 16 kHz mono; an hour leaves 2 MB behind. When something begins is
``shared.sound.onsets``' part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.media.vad import RATE_HZ

Floats = NDArray[np.float32]

TONE_HOP, TONE_WINDOW = 2048, 4096
TONE_FRAMES_PER_S = RATE_HZ / TONE_HOP
_BATCH_FRAMES, _FFT_FRAMES = 64, 16
"""So many at once whatever the blocks' lengths, so that rounding does not depend on them; what is transformed
stays in the processor's cache."""
_MEDIAN_BINS = 32
_PEAK_OVER_MEDIAN = 12.0
"""A bin so far above the median of its surroundings is a tone: of noise 1 bin in 4,000 is."""


@dataclass(frozen=True)
class Features:
    """7.8 frames a second; frame ``i`` is at ``i`` hops."""

    tonality: Floats
    """How much of the energy from 150 Hz to 5 kHz is in tones, 0 to 1."""
    flatness: Floats
    """Geometric over arithmetic mean of the spectrum there: near 0.56 for white noise, 0 for tones."""
    chroma: Floats
    """``(frames, 12)``: tonal energy by pitch class, summing to 1, or all 0."""
    mains: Floats
    """How much of the tonal energy lies on multiples of 50 or of 60 Hz, 0 to 1."""


class FeatureMeter:
    """Takes mono blocks at 16 kHz, any lengths."""

    def __init__(self) -> None:
        self._tones = _Framer(TONE_WINDOW, TONE_HOP)
        self._tonal: list[Floats] = []

    def add(self, block: Floats) -> None:
        """Measure the next samples."""
        for views in self._tones.add(block):
            self._tonal.append(_tonal_rows(views))

    def finish(self) -> Features:
        """The features of all that was taken."""
        for views in self._tones.finish():
            self._tonal.append(_tonal_rows(views))
        tonal = np.concatenate([np.zeros((0, 15), np.float32), *self._tonal])
        return Features(tonal[:, 0], tonal[:, 1], tonal[:, 3:], tonal[:, 2])


class _Framer:
    """Cuts a stream into overlapping windows, centred on multiples of the hop."""

    def __init__(self, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self._held = np.zeros(window // 2, np.float32)

    def add(self, block: Floats) -> Iterator[Floats]:
        self._held = np.concatenate([self._held, block])
        need = (_BATCH_FRAMES - 1) * self._hop + self._window
        while len(self._held) >= need:
            yield self._views(_BATCH_FRAMES)
            self._held = self._held[_BATCH_FRAMES * self._hop :]

    def finish(self) -> Iterator[Floats]:
        self._held = np.concatenate([self._held, np.zeros(self._window // 2, np.float32)])
        left = (len(self._held) - self._window) // self._hop + 1
        while left > 0:
            frames = min(left, _BATCH_FRAMES)
            yield self._views(frames)
            self._held = self._held[frames * self._hop :]
            left -= frames

    def _views(self, frames: int) -> Floats:
        return np.lib.stride_tricks.sliding_window_view(self._held, self._window)[:: self._hop][
            :frames
        ]


def _power(views: Floats, window: int) -> Floats:
    """Power spectrum, ``(frames, bins)``; a full-scale sine peaks at 0.25."""
    hann = (np.hanning(window + 1)[:-1] * (2 / window)).astype(np.float32)
    power = np.empty((len(views), window // 2 + 1), np.float32)
    for first in range(0, len(views), _FFT_FRAMES):
        some = slice(first, first + _FFT_FRAMES)
        spectrum = np.fft.rfft(views[some] * hann, axis=1)
        power[some] = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def _tonal_rows(views: Floats) -> Floats:
    """``(frames, 15)``: tonality, flatness, mains share, chroma."""
    low, high = (round(hz * TONE_WINDOW / RATE_HZ) for hz in (150, 5000))
    power = _power(views, TONE_WINDOW)[:, low:high] + np.float32(1e-14)
    around = _surroundings(power)
    tones = np.where(power > _PEAK_OVER_MEDIAN * around, power, np.float32(0))
    # A tone's main lobe is four bins wide; its flanks belong to it.
    for step in (1, 2):
        lobe = (np.roll(tones, step, axis=1) > power) | (np.roll(tones, -step, axis=1) > power)
        tones = np.where(lobe & (power > 2 * around), power, tones)
    energy, tonal = power.sum(axis=1), tones.sum(axis=1)
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    by_class = tones @ _pitch_classes(low, high)
    shares = by_class / np.maximum(tonal, 1e-20)[:, None]
    quiet = energy < 1e-9
    rows = np.column_stack([tonal / energy, flatness, shares[:, 12], shares[:, :12]])
    return np.where(quiet[:, None], 0.0, rows).astype(np.float32)


def _surroundings(power: Floats) -> Floats:
    """The median of each 32 bins (125 Hz), in straight lines between their middles."""
    frames, bins = power.shape
    whole = bins // _MEDIAN_BINS * _MEDIAN_BINS
    medians = np.median(power[:, :whole].reshape(frames, -1, _MEDIAN_BINS), axis=2)
    place = np.clip(np.arange(bins) / _MEDIAN_BINS - 0.5, 0, medians.shape[1] - 1.001)
    low, share = place.astype(int), np.float32(place % 1)
    return np.asarray(medians[:, low] * (1 - share) + medians[:, low + 1] * share, np.float32)


@lru_cache(maxsize=1)
def _pitch_classes(low: int, high: int) -> Floats:
    """``(bins, 13)``: which pitch class each bin belongs to; the last column: mains frequencies."""
    hz = np.arange(low, high) * RATE_HZ / TONE_WINDOW
    table = np.zeros((len(hz), 13), np.float32)
    pitch = np.round(12 * np.log2(hz / 440.0)).astype(int) % 12
    table[np.arange(len(hz)), pitch] = 1.0
    off = np.min([np.abs(hz - np.round(hz / mains) * mains) for mains in (50, 60)], axis=0)
    table[:, 12] = off <= 4.0
    return table
