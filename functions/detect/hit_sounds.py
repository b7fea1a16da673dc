"""What is told of each hit's sound: its kind, pitch and brightness, and whether it was played before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.detect.hit_kinds import kind_of, numbers, power_of
from functions.detect.segments import Samples
from shared.sound.pitch import note_name, pitch_of

SAME_DB = 2.0
"""Two hits whose spectra differ by less than this on average are one sound played twice."""
_MOST_COMPARED = 1024
"""Takes are sought among the first so many sounds."""
_BANDS = 24
_ATTACK_S, _PRINTED_S = 0.06, 0.2
_DEEPEST_DB = -40.0


class HitSounds:
    """Describes a recording's hits one after the other, in order of time."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._prints = np.zeros((_MOST_COMPARED, 2 * _BANDS), np.float32)
        self._firsts_ms: list[float] = []
        self._takes: list[int] = []

    def describe(self, sound: Samples, onset_ms: float) -> dict[str, Any]:
        """The fields of its segment; ``sound``: ``(samples, channels)`` from its attack to its cut."""
        pitch = pitch_of(sound, self._rate)
        kind = kind_of(sound, self._rate, pitch is not None)
        told: dict[str, Any] = {
            "hit_kind": kind.name,
            "hit_kind_probability": round(kind.probability, 3),
            "brightness_hz": round(brightness_hz(sound, self._rate), 1),
            **self._take(fingerprint(sound, self._rate), onset_ms),
        }
        if pitch is not None:
            told |= {"pitch_hz": round(pitch.hz, 2), "note": note_name(pitch.note)}
        return told

    def _take(self, printed: NDArray[np.float32], onset_ms: float) -> dict[str, Any]:
        """Which take of which sound; a sound that was not heard before begins anew."""
        known = len(self._firsts_ms)
        apart_db = np.abs(self._prints[:known] - printed).mean(axis=1)
        if known and float(apart_db.min()) < SAME_DB:
            first = int(np.argmin(apart_db))
            self._takes[first] += 1
            return {"take": self._takes[first], "take_of_ms": self._firsts_ms[first]}
        if known < _MOST_COMPARED:
            self._prints[known] = printed
            self._firsts_ms.append(onset_ms)
            self._takes.append(1)
        return {"take": 1}


def brightness_hz(sound: Samples, sample_rate_hz: int) -> float:
    """The spectrum's centre in the first 200 ms, each frequency by its magnitude."""
    channels = numbers(sound[: round(_PRINTED_S * sample_rate_hz)].T)
    size = max(2, len(sound[: round(_PRINTED_S * sample_rate_hz)]))
    power = _mean_power(channels, size)
    hz = np.fft.rfftfreq(size, 1 / sample_rate_hz)
    magnitude = np.sqrt(power)
    return float((hz * magnitude).sum() / max(float(magnitude.sum()), 1e-12))


def fingerprint(sound: Samples, sample_rate_hz: int) -> NDArray[np.float32]:
    """Levels in dB below the strongest, of 24 bands of the first 60 ms and of what follows up to 200 ms.

    They tell one drum from another, not how hard it was struck.
    """
    channels = numbers(sound[: round(_PRINTED_S * sample_rate_hz)].T)
    size = 1 << max(6, (round(_PRINTED_S * sample_rate_hz) - 1).bit_length())
    hz = np.arange(size // 2 + 1) * (sample_rate_hz / size)
    edges = np.searchsorted(hz, np.geomspace(50.0, min(11_025.0, sample_rate_hz / 2), _BANDS + 1))
    parts = np.split(channels, [round(_ATTACK_S * sample_rate_hz)], axis=1)
    power = np.stack([_mean_power(part, size) for part in parts])
    level_db = 10.0 * np.log10(np.maximum(np.add.reduceat(power, edges[:-1], axis=1), 1e-14))
    deep = np.maximum(level_db - level_db.max(), _DEEPEST_DB)
    return np.asarray(deep, np.float32).ravel()


def _mean_power(part: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Of a sample of ``(channels, samples)``: a part that is cut short is not the quieter for it."""
    count = part.shape[1]
    if not count:
        return np.zeros(size // 2 + 1)
    spectra = np.fft.rfft(part - part.mean(axis=1, keepdims=True), n=size)
    return np.asarray(power_of(spectra).mean(axis=0) / count, np.float64)
