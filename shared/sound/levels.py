"""How loud a recording is over time, what of it is silence, and the loudness of its parts (BS.1770-4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.sound.loudness_meter import energy_lufs

BINS_PER_S = 100
"""Energies are kept for each 10 ms."""
BIN_MS = 1000 // BINS_PER_S
QUIETEST_LUFS, LOUDEST_SILENCE_LUFS = -60.0, -45.0
BELOW_PROGRAMME_LU = 36.0
"""Silence is so far below the recording's own loudness, within the two limits."""


@dataclass(frozen=True)
class Levels:
    """Of one recording."""

    duration_ms: int
    energy: NDArray[np.float64]
    """K-weighted mean square, summed over the channels, of each 10 ms."""
    integrated_lufs: float
    """Gated, of the whole; ``-inf`` for silence."""

    @property
    def silence_below_lufs(self) -> float:
        """What is softer counts as silence."""
        below = self.integrated_lufs - BELOW_PROGRAMME_LU
        return min(max(below, QUIETEST_LUFS), LOUDEST_SILENCE_LUFS)

    def quiet(self) -> NDArray[np.bool_]:
        """For each 10 ms: is it below what counts as silence?"""
        bins = -(-self.duration_ms // BIN_MS)
        if not bins:
            return np.zeros(0, np.bool_)
        energy = np.pad(self.energy[:bins], (0, max(0, bins - len(self.energy))))
        # Over 50 ms: the zero crossings of a low tone are not silence.
        level = np.convolve(np.pad(energy, 2, mode="edge"), np.full(5, 0.2), "valid")
        return np.asarray(level < 10 ** ((self.silence_below_lufs + 0.691) / 10))

    def quiet_runs(self, min_silence_ms: int) -> NDArray[np.bool_]:
        """For each 10 ms: does it belong to at least ``min_silence_ms`` of quiet?"""
        quiet = self.quiet()
        for first, last in runs(quiet):
            if (last - first) * BIN_MS < min_silence_ms:
                quiet[first:last] = False
        return quiet

    def mean_lufs(self, start_ms: int, end_ms: int) -> float:
        """Of one stretch, without gates; ``-inf`` where there is nothing."""
        part = self.energy[start_ms // BIN_MS : -(-end_ms // BIN_MS)]
        return energy_lufs(float(part.mean()) if len(part) else 0.0)

    def window_loudness(self, window_ms: int) -> list[float | None]:
        """The recording's loudness in LUFS over each ``window_ms``; ``None`` below -70."""
        bins = max(1, window_ms // BIN_MS)
        return [
            _rounded(energy_lufs(float(self.energy[first : first + bins].mean())))
            for first in range(0, len(self.energy), bins)
        ]

    def span_loudness(self, start_ms: int, end_ms: int, window_ms: int) -> float | None:
        """BS.1770-4 over one stretch, its gating block ``window_ms`` long; ``None`` for silence.

        Blocks overlap by 75 %; those below -70 LUFS, and 10 LU below the rest, don't count
        (equations 4 to 7). A stretch shorter than a block is measured whole.
        """
        energy = self.energy[start_ms // BIN_MS : max(end_ms // BIN_MS, 1)]
        bins = max(4, window_ms // BIN_MS)
        if len(energy) <= bins:
            return _rounded(energy_lufs(float(energy.mean()) if len(energy) else 0.0))
        total = np.concatenate([[0.0], np.cumsum(energy)])
        starts = np.arange(0, len(energy) - bins + 1, max(1, bins // 4))
        blocks = (total[starts + bins] - total[starts]) / bins
        loud = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
        if not len(loud):
            return None
        return _rounded(energy_lufs(float(loud[loud > 0.1 * loud.mean()].mean())))


def runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of each run of what is marked."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _rounded(lufs: float) -> float | None:
    return round(lufs, 2) if lufs > -70 else None
