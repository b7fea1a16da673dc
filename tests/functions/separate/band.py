"""A band that synthesis plays: drums, bass, chords and a voice, each known by itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
RATE_HZ = 44_100
STEMS = ("drums", "bass", "other", "vocals")
_SCALE = np.array([0, 2, 3, 5, 7, 8, 10])


def play(seconds: float, seed: int, bpm: float | None = None) -> dict[str, Sound]:
    """A song: stem -> ``(samples, 2)``. The same seed gives the same song."""
    draw = np.random.default_rng(seed)
    beat_s = 60 / (bpm or draw.uniform(80, 150))
    tracks = {name: np.zeros(round(seconds * RATE_HZ)) for name in STEMS}
    first_s, root = draw.uniform(0, beat_s), int(draw.integers(28, 40))
    for beat in range(int(seconds / beat_s) + 2):
        _play_beat(draw, tracks, beat, (first_s + beat * beat_s, beat_s, root))
    return {name: _panned(draw, name, track) for name, track in tracks.items()}


def mixed(stems: Mapping[str, Sound]) -> Sound:
    return np.sum(list(stems.values()), axis=0, dtype=np.float32)


def sdr_db(truth: Sound, found: Sound) -> float:
    """Signal to distortion, over all samples and channels."""
    error = np.square(truth - found, dtype=np.float64).sum()
    return float(10 * np.log10(np.square(truth, dtype=np.float64).sum() / error))


def _play_beat(
    draw: np.random.Generator,
    tracks: Mapping[str, NDArray[np.float64]],
    beat: int,
    place: tuple[float, float, int],
) -> None:
    at_s, beat_s, root = place
    _add(tracks["drums"], at_s, _kick() if beat % 2 == 0 else _snare(draw))
    for half in range(2):
        _add(tracks["drums"], at_s + half * beat_s / 2, _hat(draw))
    _add(tracks["bass"], at_s, _bass(_hz(root + draw.choice(_SCALE)), 0.95 * beat_s))
    if beat % 2 == 0:
        lowest = root + 24 + draw.choice(_SCALE)
        third = 4 if draw.random() < 0.5 else 3
        for interval in (0, third, 7):
            _add(tracks["other"], at_s, _organ(draw, _hz(lowest + interval), 2 * beat_s))
    if draw.random() < 0.7:
        length_s = beat_s * draw.uniform(0.4, 0.95)
        note = _voice(draw, _hz(root + 19 + draw.choice(_SCALE)), length_s)
        _add(tracks["vocals"], at_s + 0.1 * beat_s, note)


def _kick() -> NDArray[np.float64]:
    t = _times(0.3)
    hz = 50 + 120 * np.exp(-t / 0.03)
    return np.asarray(0.9 * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) * np.exp(-t / 0.09))


def _snare(draw: np.random.Generator) -> NDArray[np.float64]:
    t = _times(0.3)
    return np.asarray(0.5 * draw.standard_normal(t.size) * np.exp(-t / 0.06))


def _hat(draw: np.random.Generator) -> NDArray[np.float64]:
    t = _times(0.08)
    noise = np.diff(draw.standard_normal(t.size), prepend=0)
    return np.asarray(0.25 * noise * np.exp(-t / 0.02))


def _bass(hz: float, seconds: float) -> NDArray[np.float64]:
    t = _times(seconds)
    wave = sum(level * np.sin(2 * np.pi * hz * n * t) for n, level in ((1, 1), (2, 0.4), (3, 0.2)))
    return np.asarray(0.45 * wave * np.minimum(1, t / 0.01) * np.exp(-t / 0.5))


def _organ(draw: np.random.Generator, hz: float, seconds: float) -> NDArray[np.float64]:
    t = _times(seconds)
    wave = sum(np.sin(2 * np.pi * hz * n * t + draw.uniform(0, 6)) / n**1.5 for n in range(1, 6))
    return np.asarray(0.12 * wave * _ramps(t, 0.03, 0.05))


def _voice(draw: np.random.Generator, hz: float, seconds: float) -> NDArray[np.float64]:
    """A buzz with three formants and vibrato."""
    t = _times(seconds)
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * t))) / RATE_HZ
    formants = [
        (draw.uniform(low, high), width)
        for low, high, width in ((350, 800, 90), (1000, 2200, 120), (2400, 3000, 180))
    ]
    wave = np.zeros(t.size)
    for n in range(1, int(5000 / hz)):
        gain = 0.01 + sum(1 / (1 + ((n * hz - at) / width) ** 2) for at, width in formants)
        wave += gain * np.sin(n * phase)
    return np.asarray(0.35 * wave / (np.abs(wave).max() + 1e-9) * _ramps(t, 0.02, 0.03))


def _times(seconds: float) -> NDArray[np.float64]:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _ramps(t: NDArray[np.float64], in_s: float, out_s: float) -> NDArray[np.float64]:
    return np.minimum(1, t / in_s) * np.minimum(1, (t.size / RATE_HZ - t) / out_s)


def _hz(note: float) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def _add(track: NDArray[np.float64], at_s: float, sound: NDArray[np.float64]) -> None:
    first = int(at_s * RATE_HZ)
    room = track[first : first + sound.size]
    room += sound[: room.size]


def _panned(draw: np.random.Generator, name: str, track: NDArray[np.float64]) -> Sound:
    place = 0.0 if name in ("drums", "bass") else draw.uniform(-0.3, 0.3)
    angle = (place + 1) * np.pi / 4
    sides = np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(0.6 * track[:, None] * sides, np.float32)
