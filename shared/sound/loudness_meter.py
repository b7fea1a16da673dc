"""The one loudness meter: ITU-R BS.1770-4, EBU R 128, EBU Tech 3342.

    K-weighting      the standard's two filters at any sample rate, as pyloudnorm designs them
    channels         weighed by their loudspeakers where a layout names them: 1.41 beside and behind
                     the listener (60 to 120 degrees), LFE not at all, all others, and those of an
                     unknown layout, 1 (BS.1770-4, tables 3 and 4; annex 3 for more than five)
    integrated       blocks of 400 ms every 100 ms, gated at -70 LUFS and 10 LU below their mean
    range            10th to 95th percentile of the full windows of 3 s above -70 LUFS and 20 LU below
                     their mean: windows that are not full yet would widen a short recording's range
    true peak        four times oversampled (annex 2; see ``shared.sound.true_peak``)

All take float audio ``(samples,)`` or ``(samples, channels)``, full scale at 1, without an upper
end: sound far above full scale has its loudness, too. Silence is ``-inf``.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from shared.media.layouts import LFE, channel_names
from shared.media.linear_filter import filtered
from shared.sound.true_peak import PeakMeter

if TYPE_CHECKING:
    from shared.contracts.audio_loudness import Loudness, Undefined

Audio = NDArray[np.floating]

GATE_BLOCK_S = 0.4
GATE_LUFS = -70.0
"""Absolute gate of BS.1770: nothing below it counts."""
_OFFSET_LU = -0.691
_RELATIVE_GATE_LU = -10.0
_RANGE_GATE_LU = -20.0
_SILENCE = 1e-12
"""Mean squares below it (-120 dBFS) count as silence."""
_SURROUND_WEIGHT = 1.41
_BLOCK_HOPS, _SHORT_TERM_HOPS = 4, 30

_BESIDE = frozenset(["SL", "SR", "WL", "WR"])
_BEHIND = frozenset(["BL", "BR"])


def channel_weights(layout: str | None, channels: int) -> NDArray[np.float64]:
    """``(channels,)``; ``layout``: ffmpeg's name of it, ``None`` where it is not known."""
    names = channel_names(layout, channels) or ("",) * channels
    # Where nothing stands beside the listener, the rear pair is the surround pair, at 110 degrees.
    surround = _BESIDE if _BESIDE & set(names) else _BEHIND
    weights = [
        0.0 if name in LFE else _SURROUND_WEIGHT if name in surround else 1.0 for name in names
    ]
    return np.array(weights)


def integrated_lufs(audio: Audio, sample_rate: int, layout: str | None = None) -> float:
    """Integrated loudness, gated; ``-inf`` for silence.

    Audio shorter than one gating block (0.4 s), which the standard leaves open, is measured whole
    and ungated.
    """
    meter = LoudnessMeter(sample_rate, channels=_wide(audio).shape[1], layout=layout)
    meter.add(audio)
    return meter.integrated_lufs()


class LoudnessMeter:
    """Loudness of audio that comes in pieces, of the whole and of any stretch of it."""

    def __init__(self, sample_rate: int, channels: int, layout: str | None = None) -> None:
        self._filters = _k_weighting(sample_rate)
        self._states = [np.zeros((2, channels)) for _ in self._filters]
        self._weights = channel_weights(layout, channels)
        self._hop = round(GATE_BLOCK_S / _BLOCK_HOPS * sample_rate)
        self._energies: list[float] = []
        self._rest = np.zeros(0)
        self.frames = 0

    def add(self, audio: Audio) -> NDArray[np.float64]:
        """Measure the next piece; returns its K-weighted energy, sample by sample: ``(samples,)``."""
        weighted = np.asarray(_wide(audio), np.float64)
        for index, (b, a) in enumerate(self._filters):
            weighted, self._states[index] = filtered(b, a, weighted, self._states[index])
        energy = np.asarray((weighted**2) @ self._weights)
        self._collect(energy)
        return energy

    def _collect(self, energy: NDArray[np.float64]) -> None:
        self.frames += len(energy)
        pending = np.concatenate([self._rest, energy])
        whole = len(pending) // self._hop * self._hop
        self._energies.extend(pending[:whole].reshape(-1, self._hop).mean(axis=1).tolist())
        self._rest = pending[whole:]

    def integrated_lufs(self) -> float:
        """Of all pieces so far."""
        if len(self._energies) < _BLOCK_HOPS:
            rest = float(self._rest.sum()) + sum(self._energies) * self._hop
            return energy_lufs(rest / self.frames) if self.frames else -np.inf
        return gated_lufs(self._energies)

    def loudest_short_term_lufs(self) -> float | None:
        """Of the loudest window of 3 s so far; ``None``: none was full, or all were silent."""
        if len(self._energies) < _SHORT_TERM_HOPS:
            return None
        mean = np.full(_SHORT_TERM_HOPS, 1 / _SHORT_TERM_HOPS)
        loudest = energy_lufs(float(np.convolve(self._energies, mean, "valid").max()))
        return loudest if np.isfinite(loudest) else None

    def lufs_within(self, spans_ms: Sequence[tuple[float, float]]) -> float | None:
        """Of what lies wholly in ``spans_ms``, gated; ``None``: too little, or silence."""
        hop_ms = 1000 * GATE_BLOCK_S / _BLOCK_HOPS
        starts_ms = hop_ms * np.arange(len(self._energies))
        inside = np.zeros(len(starts_ms), bool)
        for start_ms, end_ms in spans_ms:
            inside |= (starts_ms >= start_ms) & (starts_ms + hop_ms <= end_ms)
        energies = np.array(self._energies)[inside]
        lufs = gated_lufs(energies) if len(energies) >= _BLOCK_HOPS else -np.inf
        return float(lufs) if np.isfinite(lufs) else None

    def louder(self, gain_db: float) -> Self:
        """A meter that stands as this one would, had all been so much louder; it takes no more pieces."""
        power, moved = 10.0 ** (gain_db / 10.0), copy(self)
        moved._energies = (power * np.array(self._energies)).tolist()
        moved._rest = power * self._rest
        return moved

    @property
    def has_block(self) -> bool:
        """Did a whole gating block go by?"""
        return len(self._energies) >= _BLOCK_HOPS

    def range_lu(self) -> float | None:
        """Of all pieces so far; ``None``: shorter than 3 s, or nothing above the gates."""
        if len(self._energies) < _SHORT_TERM_HOPS:
            return None
        mean = np.full(_SHORT_TERM_HOPS, 1 / _SHORT_TERM_HOPS)
        windows = np.convolve(self._energies, mean, "valid")
        return loudness_range_lu([energy_lufs(float(energy)) for energy in windows])


class FullMeter:
    """Integrated loudness, range and true peak, in one pass."""

    def __init__(self, sample_rate: int, channels: int, layout: str | None = None) -> None:
        self.loudness_meter = LoudnessMeter(sample_rate, channels, layout)
        self._peaks = PeakMeter(channels)

    def add(self, audio: Audio) -> None:
        """The next piece."""
        self.loudness_meter.add(audio)
        self._peaks.add(np.ascontiguousarray(_wide(audio).T, np.float32))

    def louder(self, gain_db: float) -> Self:
        """A meter that stands as this one would, had all been so much louder; it takes no more pieces."""
        moved = copy(self)
        moved.loudness_meter = self.loudness_meter.louder(gain_db)
        moved._peaks = self._peaks.louder(gain_db)
        return moved

    def result(self) -> Loudness:
        """Of all pieces so far."""
        from shared.contracts.audio_loudness import Loudness

        peak_dbtp = self._peaks.dbtp
        if not np.isfinite(peak_dbtp):
            return _undefined("silent", None)
        told_dbtp = round(peak_dbtp, 2) + 0.0
        if not self.loudness_meter.has_block:
            return _undefined("shorter than 400 ms", told_dbtp)
        lufs = self.loudness_meter.integrated_lufs()
        if lufs <= GATE_LUFS:
            return _undefined("softer than -70 LUFS", told_dbtp)
        return Loudness(
            integrated_lufs=round(lufs, 2) + 0.0,
            loudness_range_lu=self.loudness_meter.range_lu(),
            true_peak_dbtp=told_dbtp,
            undefined=None,
        )


def _undefined(why: Undefined, true_peak_dbtp: float | None) -> Loudness:
    from shared.contracts.audio_loudness import Loudness

    return Loudness(
        integrated_lufs=None,
        loudness_range_lu=None,
        true_peak_dbtp=true_peak_dbtp,
        undefined=why,
    )


def gated_lufs(energies: Sequence[float] | NDArray[np.float64]) -> float:
    """Loudness from the K-weighted mean squares of every 100 ms, at least four; ``-inf``: silence.

    Gating as in BS.1770-4, equations 3 to 7; blocks overlap by 75 %.
    """
    blocks = np.convolve(energies, np.full(_BLOCK_HOPS, 1 / _BLOCK_HOPS), "valid")
    loud = blocks[blocks > _lufs_energy(GATE_LUFS)]
    if not len(loud):
        return -np.inf
    gate = _lufs_energy(energy_lufs(float(loud.mean())) + _RELATIVE_GATE_LU)
    return energy_lufs(float(loud[loud > gate].mean()))


def loudness_range_lu(short_term_lufs: Sequence[float]) -> float | None:
    """EBU Tech 3342: from the 10th to the 95th percentile of what is above both gates."""
    values = np.array(short_term_lufs)
    values = values[values > GATE_LUFS]
    if not values.size:
        return None
    relative_gate_lufs = 10 * np.log10(np.mean(10 ** (values / 10))) + _RANGE_GATE_LU
    low, high = np.percentile(values[values >= relative_gate_lufs], [10, 95])
    return round(float(high - low), 2)


def energy_lufs(energy: float) -> float:
    """Loudness of a K-weighted mean square, summed over the channels (BS.1770-4, equation 2)."""
    return float(_OFFSET_LU + 10.0 * np.log10(energy)) if energy > _SILENCE else -np.inf


def _lufs_energy(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET_LU) / 10.0))


def _k_weighting(sample_rate: int) -> Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The two filters of the K-weighting, numerator and denominator: a high shelf, a high pass.

    Their frequencies and widths are pyloudnorm's, the equations those of Bristow-Johnson's cookbook.
    """
    amplitude = 10.0 ** (4.0 / 40.0)
    more, less = amplitude + 1, amplitude - 1
    cos, alpha = _turned(1500.0, 1 / np.sqrt(2), sample_rate)
    bend = 2 * np.sqrt(amplitude) * alpha
    shelf = (
        amplitude
        * np.array([more + less * cos + bend, -2 * (less + more * cos), more + less * cos - bend]),
        np.array([more - less * cos + bend, 2 * (less - more * cos), more - less * cos - bend]),
    )
    cos, alpha = _turned(38.0, 0.5, sample_rate)
    high_pass = (
        (1 + cos) / 2 * np.array([1.0, -2.0, 1.0]),
        np.array([1 + alpha, -2 * cos, 1 - alpha]),
    )
    return [(b / a[0], a / a[0]) for b, a in (shelf, high_pass)]


def _turned(frequency_hz: float, q: float, sample_rate: int) -> tuple[float, float]:
    """The cosine of the frequency's angle, and the cookbook's alpha."""
    angle = 2.0 * np.pi * (frequency_hz / sample_rate)
    return float(np.cos(angle)), float(np.sin(angle) / (2.0 * q))


def _wide(audio: Audio) -> Audio:
    return audio[:, None] if audio.ndim == 1 else audio
