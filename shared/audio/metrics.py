"""How loud it is: RMS, BS.1770 loudness, crest factor, peak hold.

All take float audio ``(samples,)`` or ``(samples, channels)``, full scale at 1. Silence is ``-inf``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.floating]

GATE_BLOCK_S = 0.4
_OFFSET_LU = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_SILENCE = 1e-12
"""Mean squares below it (-120 dBFS) count as silence."""


def rms_dbfs(audio: Audio) -> NDArray[np.float64]:
    """RMS level of each channel in dBFS: ``(channels,)``."""
    return power_db(_mean_square(audio))


def peak_dbfs(audio: Audio) -> NDArray[np.float64]:
    """Highest sample of each channel in dBFS: ``(channels,)``."""
    return power_db(np.abs(_wide(audio)).max(axis=0, initial=0.0).astype(np.float64) ** 2)


def crest_factor_db(audio: Audio) -> NDArray[np.float64]:
    """Peak over RMS of each channel in dB: ``(channels,)``; 0 for silence. 3.01 for a sine."""
    peak, rms = peak_dbfs(audio), rms_dbfs(audio)
    silent = np.isneginf(peak) | np.isneginf(rms)
    return np.where(silent, 0.0, np.where(silent, 0.0, peak) - np.where(silent, 0.0, rms))


def peak_hold_dbfs(
    audio: Audio, sample_rate: int, *, hold_s: float = 2.0, step_s: float = 0.05
) -> NDArray[np.float64]:
    """What a peak-hold meter shows at each step: ``(steps,)`` dBFS, all channels together.

    The reading at a step is the highest sample of the last ``hold_s`` up to the end of that step.
    """
    step = max(1, round(step_s * sample_rate))
    loudest = np.abs(_wide(audio)).max(axis=1, initial=0.0)
    padded = np.pad(loudest, (0, -len(loudest) % step))
    steps = padded.reshape(-1, step).max(axis=1)
    held = max(1, round(hold_s / step_s))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(steps, (held - 1, 0)), held)
    return power_db(windows.max(axis=1).astype(np.float64) ** 2)


def integrated_lufs(audio: Audio, sample_rate: int) -> float:
    """Integrated loudness after ITU-R BS.1770-4, gated; ``-inf`` for silence.

    Audio shorter than one gating block (0.4 s), which the standard leaves open, is measured whole
    and ungated.
    """
    meter = LoudnessMeter(sample_rate, channels=_wide(audio).shape[1])
    meter.add(audio)
    return meter.integrated_lufs()


class LoudnessMeter:
    """BS.1770 loudness of audio that comes in pieces, of the whole and of any stretch of it."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._filters = _k_weighting(sample_rate)
        self._states = [np.zeros((2, channels)) for _ in self._filters]
        self._hop = round(GATE_BLOCK_S / 4 * sample_rate)
        self._energies: list[float] = []
        self._rest = np.zeros(0)
        self._frames = 0

    def add(self, audio: Audio) -> NDArray[np.float64]:
        """Measure the next piece; returns its K-weighted energy, sample by sample: ``(samples,)``."""
        from scipy.signal import lfilter

        weighted = np.asarray(_wide(audio), np.float64)
        for index, (numerator, denominator) in enumerate(self._filters):
            weighted, self._states[index] = lfilter(
                numerator, denominator, weighted, axis=0, zi=self._states[index]
            )
        energy = np.asarray((weighted**2).sum(axis=1))
        self._collect(energy)
        return energy

    def _collect(self, energy: NDArray[np.float64]) -> None:
        self._frames += len(energy)
        pending = np.concatenate([self._rest, energy])
        whole = len(pending) // self._hop * self._hop
        self._energies.extend(pending[:whole].reshape(-1, self._hop).mean(axis=1).tolist())
        self._rest = pending[whole:]

    def integrated_lufs(self) -> float:
        """Of all pieces so far."""
        if len(self._energies) < 4:
            rest = float(self._rest.sum()) + sum(self._energies) * self._hop
            return energy_lufs(rest / self._frames) if self._frames else -np.inf
        return gated_lufs(self._energies)


def gated_lufs(energies: Sequence[float] | NDArray[np.float64]) -> float:
    """Loudness from the K-weighted mean squares of every 100 ms, at least four; ``-inf``: silence.

    Gating as in BS.1770-4, equations 3 to 7; blocks overlap by 75 %.
    """
    blocks = np.convolve(energies, np.full(4, 0.25), "valid")
    loud = blocks[blocks > _lufs_energy(_ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return -np.inf
    gate = _lufs_energy(energy_lufs(float(loud.mean())) + _RELATIVE_GATE_LU)
    return energy_lufs(float(loud[loud > gate].mean()))


def energy_lufs(energy: float) -> float:
    """Loudness of a K-weighted mean square, summed over the channels (BS.1770-4, equation 2)."""
    return float(_OFFSET_LU + 10.0 * np.log10(energy)) if energy > _SILENCE else -np.inf


def _lufs_energy(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET_LU) / 10.0))


def _k_weighting(sample_rate: int) -> Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The two filters of the K-weighting, as pyloudnorm designs them for any sample rate."""
    from pyloudnorm import IIRfilter

    shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
    high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
    return [(one.b, one.a) for one in (shelf, high_pass)]


def _wide(audio: Audio) -> Audio:
    return audio[:, None] if audio.ndim == 1 else audio


def _mean_square(audio: Audio) -> NDArray[np.float64]:
    wide = _wide(audio)
    if not len(wide):
        return np.zeros(wide.shape[1] or 1)
    return np.asarray(np.square(wide, dtype=np.float64).mean(axis=0))


def power_db(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Mean squares, or squared peaks, in dBFS."""
    quiet = np.less_equal(power, _SILENCE)
    return np.where(quiet, -np.inf, 10.0 * np.log10(np.where(quiet, 1.0, power)))
