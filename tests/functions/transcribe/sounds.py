"""Sounds whose truth is known: speech by espeak-ng, music and noise by formula. 16 kHz mono."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Truth = list[tuple[str, float, float]]
"""Kind, start and end in seconds."""

RATE_HZ = 16_000
FIVE = "three music hello seven drums"
FOUR = "play bass stop nine"
TWO = "voice test"


@cache
def spoken(text: str, voice: str = "en-us") -> Samples:
    """As the test model knows it, the silence around it cut away."""
    command = ["espeak-ng", "-v", voice, "-s", "140", "--stdout", text]
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32768
    samples = soxr.resample(samples, 22_050, RATE_HZ)
    loud = np.flatnonzero(np.abs(samples) > 0.004)
    return np.asarray(samples[loud[0] : loud[-1] + 1])


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def noise(seconds: float, slope: float = 1.0, level: float = 0.05) -> Samples:
    """Its power falls with the frequency to the ``slope``: 0 white, 1 pink, 2 brown."""
    count = round(seconds * RATE_HZ)
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum = np.fft.rfft(_random(1).standard_normal(count)) / np.maximum(hz, 20) ** (slope / 2)
    samples = np.fft.irfft(spectrum, count)
    return np.asarray(level * samples / samples.std(), np.float32)


def wind(seconds: float) -> Samples:
    gusts = _random(2).uniform(0.1, 1.0, round(2 * seconds) + 2)
    at = np.arange(round(seconds * RATE_HZ)) * 2 / RATE_HZ
    return np.asarray(
        noise(seconds, 4.0, 0.1) * np.interp(at, np.arange(len(gusts)), gusts), np.float32
    )


def hum(seconds: float) -> Samples:
    """Mains: 50 Hz and its harmonics, over a little noise."""
    at = _time(seconds)
    tone = sum(np.sin(2 * np.pi * 50 * n * at) / n for n in range(1, 12))
    return np.asarray(0.1 * tone, np.float32) + noise(seconds, 0, 0.003)


def steps(seconds: float) -> Samples:
    """Footsteps: 0.35 to 0.8 s apart."""
    return _thrown(seconds, _random(3).uniform(0.35, 0.8, 200), 0.15, 30, 1.0)


def keys(seconds: float) -> Samples:
    """A keyboard."""
    return _thrown(seconds, _random(4).exponential(0.15, 2000), 0.02, 200, 0.3)


def tone_440(seconds: float) -> Samples:
    return np.asarray(0.3 * np.sin(2 * np.pi * 440 * _time(seconds)), np.float32)


def chords(seconds: float) -> Samples:
    """Four chords of four notes, 1.5 s each."""
    tunes = ((48, 60, 64, 67), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 62, 67))
    rows = [sum(_note(pitch, 1.5, 0.8) for pitch in tune) for tune in tunes]
    return _long(np.concatenate(rows), seconds)


def arpeggio(seconds: float) -> Samples:
    return _long(np.concatenate([_note(60 + step, 0.25, 3) for step in (0, 4, 7, 12)]), seconds)


def held_chord(seconds: float) -> Samples:
    at = _time(seconds)
    return np.asarray(
        0.1 * sum(np.sin(2 * np.pi * hz * at) for hz in (220, 277.18, 329.63)), np.float32
    )


def drums(seconds: float, bpm: float = 120) -> Samples:
    """Kick, snare and hats; the first kick at 0."""
    period, draw = 60 / bpm, _random(5)
    made = np.zeros(round(seconds * RATE_HZ) + RATE_HZ)
    for eighth in range(int(seconds / period * 2)):
        first = round(eighth * period / 2 * RATE_HZ)
        _put(made, first, 0.1 * draw.standard_normal(800) * _decay(0.05, 80))
        if eighth % 4 == 0:
            at = _time(0.2)
            _put(
                made,
                first,
                0.6 * np.sin(2 * np.pi * (50 + 100 * np.exp(-30 * at)) * at) * _decay(0.2, 15),
            )
        if eighth % 4 == 2:
            _put(made, first, 0.3 * draw.standard_normal(2400) * _decay(0.15, 25))
    return np.asarray(made[: round(seconds * RATE_HZ)], np.float32)


def band(seconds: float) -> Samples:
    return chords(seconds) + np.float32(0.5) * drums(seconds)


OTHER: Mapping[str, Callable[[float], Samples]] = {
    "white noise": lambda seconds: noise(seconds, 0.0),
    "pink noise": lambda seconds: noise(seconds, 1.0),
    "brown noise": lambda seconds: noise(seconds, 2.0),
    "wind": wind,
    "mains hum": hum,
    "footsteps": steps,
    "keyboard": keys,
    "test tone": tone_440,
}
MUSIC: Mapping[str, Callable[[float], Samples]] = {
    "chords": chords,
    "arpeggio": arpeggio,
    "held chord": held_chord,
    "drums, 120 bpm": drums,
    "drums, 90 bpm": lambda seconds: drums(seconds, 90),
    "band": band,
    "band over noise": lambda seconds: band(seconds) + noise(seconds, 1.0, 0.02),
}


def write(path: Path, *parts: Samples, rate_hz: int = RATE_HZ) -> Path:
    """One after another, resampled to ``rate_hz``."""
    samples = np.concatenate(parts)
    soundfile.write(path, soxr.resample(samples, RATE_HZ, rate_hz), rate_hz, subtype="PCM_16")
    return path


def programme(path: Path, rate_hz: int = 44_100) -> tuple[Path, Truth]:
    """Everything once, and what is where, in seconds."""
    parts = [
        ("silence", silence(1.0)),
        ("speech", spoken(FIVE)),
        ("silence", silence(1.5)),
        ("music", band(8.0)),
        ("silence", silence(0.8)),
        ("speech", spoken(FOUR)),
        ("silence", silence(1.0)),
        ("other", noise(5.0)),
    ]
    write(path, *(part for _, part in parts), rate_hz=rate_hz)
    ends = np.cumsum([len(part) / RATE_HZ for _, part in parts])
    starts = [0.0, *ends[:-1]]
    return path, [(kind, a, b) for (kind, _), a, b in zip(parts, starts, ends, strict=True)]


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def _decay(seconds: float, rate: float) -> NDArray[np.float64]:
    return np.exp(-rate * _time(seconds))


def _note(pitch: int, seconds: float, rate: float) -> NDArray[np.float64]:
    hz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hz * n * _time(seconds)) / n for n in range(1, 6))
    return np.asarray(0.1 * tone * _decay(seconds, rate))


def _long(pattern: NDArray[np.float64], seconds: float) -> Samples:
    return np.resize(pattern, round(seconds * RATE_HZ)).astype(np.float32)


def _thrown(
    seconds: float, gaps_s: NDArray[np.float64], length_s: float, rate: float, level: float
) -> Samples:
    made, draw = np.zeros(round(seconds * RATE_HZ) + RATE_HZ), _random(6)
    for at in np.cumsum(gaps_s):
        if at < seconds:
            burst = draw.standard_normal(round(length_s * RATE_HZ)) * _decay(length_s, rate)
            _put(made, round(at * RATE_HZ), level * burst)
    return np.asarray(made[: round(seconds * RATE_HZ)], np.float32) + noise(seconds, 0, 0.002)


def _put(into: NDArray[np.float64], first: int, sound: NDArray[np.float64]) -> None:
    into[first : first + len(sound)] += sound[: len(into) - first]
