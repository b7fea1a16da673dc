"""What is told of each hit's sound: kind, pitch, brightness, and whether it was played before.

A hit is compared by a fingerprint (levels of 24 bands in two stretches of its first 200 ms) with
the first take of each sound so far; one that is near enough is another take of it. Prints are not
averaged, so that a sound doesn't drift as it is played. Sounds are float32 ``(samples, channels)``
that begin with their attack.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.detect.hit_kinds import kind_of, numbers, power_of
from functions.detect.segments import Samples
from shared.sound.pitch import note_name, pitch_of

SAME_DB = 2.0
"""Mean difference of fingerprints, in dB: larger takes two drums for one, smaller one for two.

Two hits whose spectra differ by less than this on average are one sound played twice."""
_MOST_COMPARED = 1024
"""Takes are sought among the first so many sounds, which bounds memory and the cost of each hit."""
_BANDS = 24
"""Evenly spaced in octaves, from 50 Hz to 11,025 Hz or half the sample rate."""
_ATTACK_S, _PRINTED_S = 0.06, 0.2
"""Seconds: the border of the two stretches, and the end of the second."""
_DEEPEST_DB = -40.0
"""What lies further below the strongest band counts as this: noise tells no sound."""


class HitSounds:
    """Describes a recording's hits one after the other, in order of time.

    Takes 200 KB of prints.
    """

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
        """Which take of which sound; a sound that was not heard before begins anew.

        ``printed`` is ``(48,)``. ``take_of_ms`` is the onset of the sound's first take, in ms.
        """
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
    """The spectrum's centre in the first 200 ms, each frequency by its magnitude.

    0 for silence. The whole stretch is one spectrum, without a window.
    """
    channels = numbers(sound[: round(_PRINTED_S * sample_rate_hz)].T)
    size = max(2, len(sound[: round(_PRINTED_S * sample_rate_hz)]))
    power = _mean_power(channels, size)
    hz = np.fft.rfftfreq(size, 1 / sample_rate_hz)
    magnitude = np.sqrt(power)
    return float((hz * magnitude).sum() / max(float(magnitude.sum()), 1e-12))


def fingerprint(sound: Samples, sample_rate_hz: int) -> NDArray[np.float32]:
    """Levels of 24 bands of the first 60 ms and of what follows up to 200 ms: ``(48,)``, -40 to 0.

    In dB below the strongest of all. They tell one drum from another, not how hard it was struck.
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
    """Of a sample of ``(channels, samples)``: a part that is cut short is not the quieter for it.

    ``(size // 2 + 1,)``, the mean over channels; zeros for no samples.
    """
    count = part.shape[1]
    if not count:
        return np.zeros(size // 2 + 1)
    spectra = np.fft.rfft(part - part.mean(axis=1, keepdims=True), n=size)
    return np.asarray(power_of(spectra).mean(axis=0) / count, np.float64)
