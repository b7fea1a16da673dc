"""Loudness beat by beat, and the rows that a tracker shows.

A beat lasts 0.3 to 0.6 s, too short for the gated loudness of BS.1770. So a beat's loudness here is
the K-weighted level of just its own span, ungated (what a momentary meter would show, with the beat
for its window); the filters run on from beat to beat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.audio.metrics import power_db
from shared.audio.tempo import TempoMap
from shared.sound.loudness_meter import LoudnessMeter, energy_lufs

PEAK_HOLD_S = 2.0


@dataclass(frozen=True, slots=True)
class BeatLoudness:
    """One beat. Levels are ``-inf`` for silence."""

    beat: int
    """Counted from 0 through the whole piece."""
    bar: int
    beat_in_bar: int
    """Both from 1, as musicians count."""
    start_ms: float
    lufs: float
    rms_dbfs: tuple[float, ...]
    """By channel."""
    peak_dbfs: float
    crest_factor_db: float
    peak_hold_dbfs: float
    """The highest sample of the 2 s up to this beat's end."""


class BeatMeter:
    """Collects the loudness of each beat from audio that comes in pieces."""

    def __init__(self, tempo_map: TempoMap, sample_rate: int, beats: int, channels: int) -> None:
        self._tempo_map = tempo_map
        self._sample_rate = sample_rate
        self._edges = [tempo_map.frame_at(beat, sample_rate) for beat in range(beats + 1)]
        self._squares = np.zeros((beats, channels))
        self._energy = np.zeros(beats)
        self._peaks = np.zeros(beats)
        self._step = max(1, sample_rate // 20)
        self._step_peaks = np.zeros(self._edges[-1] // self._step + 1)
        self._meter = LoudnessMeter(sample_rate, channels)
        self._position = 0

    def add(self, audio: NDArray[np.float32]) -> None:
        """Measure the next piece, ``(samples, channels)``; what follows the last beat counts for the
        integrated loudness alone."""
        energy = self._meter.add(audio)
        loudest = np.abs(audio).max(axis=1)
        start, stop = self._position, self._position + len(audio)
        self._hold(loudest, start)
        first = max(0, int(np.searchsorted(self._edges, start, "right")) - 1)
        for beat in range(first, len(self._energy)):
            low, high = max(start, self._edges[beat]), min(stop, self._edges[beat + 1])
            if low >= stop:
                break
            part = slice(low - start, high - start)
            self._squares[beat] += np.square(audio[part], dtype=np.float64).sum(axis=0)
            self._energy[beat] += energy[part].sum()
            self._peaks[beat] = max(self._peaks[beat], loudest[part].max(initial=0.0))
        self._position = stop

    def _hold(self, loudest: NDArray[np.float32], start: int) -> None:
        steps = np.arange(start, start + len(loudest)) // self._step
        known = steps < len(self._step_peaks)
        np.maximum.at(self._step_peaks, steps[known], loudest[known])

    def integrated_lufs(self) -> float:
        """Of everything so far, tail included."""
        return self._meter.integrated_lufs()

    def beats(self, gain_db: float = 0.0) -> list[BeatLoudness]:
        """All beats, as they are after a gain."""
        return [self._beat(beat, 10.0 ** (gain_db / 20.0)) for beat in range(len(self._energy))]

    def _beat(self, beat: int, gain: float) -> BeatLoudness:
        frames = max(1, self._edges[beat + 1] - self._edges[beat])
        squares = self._squares[beat] / frames * gain**2
        peak_power = (self._peaks[beat] * gain) ** 2
        mean = float(squares.max())
        last = (self._edges[beat + 1] - 1) // self._step
        held = self._step_peaks[max(0, last + 1 - round(PEAK_HOLD_S * 20)) : last + 1]
        bar = self._tempo_map.bar_at(beat)
        return BeatLoudness(
            beat,
            bar.bar + 1,
            int(bar.beat) + 1,
            float(self._tempo_map.seconds_at(beat) * 1_000),
            # In a silent beat, what is left of the K-weighting's ringing is no loudness.
            energy_lufs(float(self._energy[beat]) / frames * gain**2) if mean > 1e-12 else -np.inf,
            tuple(power_db(squares).tolist()),
            float(power_db(peak_power)),
            float(power_db(peak_power) - power_db(mean)) if mean > 1e-12 else 0.0,
            float(power_db((held.max(initial=0.0) * gain) ** 2)),
        )


def tracker_loudness_rows(beats: Iterable[BeatLoudness]) -> list[dict[str, Any]]:
    """Rows for a tracker or a notebook: ``label`` and ``text``, and the numbers behind them.

    Numbers are rounded to 0.01 dB; silence is ``None``, and ``silent`` in the text.
    """
    return [
        {
            "beat": one.beat,
            "label": f"{one.bar}.{one.beat_in_bar}",
            "text": _text(one),
            "start_ms": round(one.start_ms, 3),
            "lufs": level(one.lufs),
            "rms_dbfs": [level(channel) for channel in one.rms_dbfs],
            "peak_dbfs": level(one.peak_dbfs),
            "crest_factor_db": level(one.crest_factor_db),
            "peak_hold_dbfs": level(one.peak_hold_dbfs),
        }
        for one in beats
    ]


def level(value: float) -> float | None:
    """Rounded for tables and JSON: ``None`` for silence."""
    return round(value, 2) if np.isfinite(value) else None


def _text(one: BeatLoudness) -> str:
    if not np.isfinite(one.lufs):
        return "silent"
    return (
        f"{one.lufs:.1f} LUFS, RMS {_levels(one.rms_dbfs)} dBFS, "
        f"crest {one.crest_factor_db:.1f} dB, peak hold {one.peak_hold_dbfs:.1f} dBFS"
    )


def _levels(channels: Sequence[float]) -> str:
    return "/".join(f"{channel:.1f}" for channel in channels)
