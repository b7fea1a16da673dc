"""How loud it is: RMS, crest factor, peak hold; and loudness, by ``shared.sound.loudness_meter``.

All take float audio ``(samples,)`` or ``(samples, channels)``, full scale at 1. Silence is ``-inf``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.sound.loudness_meter import LoudnessMeter, integrated_lufs

__all__ = [
    "LoudnessMeter",
    "crest_factor_db",
    "integrated_lufs",
    "peak_dbfs",
    "peak_hold_dbfs",
    "power_db",
    "rms_dbfs",
]

Audio = NDArray[np.floating]

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
