"""Drums and what is no drum, synthesised by seed: what the classifier of hits' kinds is trained on.

Each recipe draws its sizes, materials and strokes anew, so that a thousand kicks are a thousand
drums: analogue machines (a swept sine, square waves, shaped noise), skins and shells (modes that decay,
a beater, wires), and the plain noises of toys. ``other`` is what people record beside drums: knocks,
clangs, notes, bells, clicks, shakers, chirps, vowels and hisses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

RATE_HZ = 44_100
LENGTH_S = 0.6

Sound = NDArray[np.floating[Any]]
Random = np.random.Generator
Recipe = Callable[[Random], Sound]

_TIME = np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ


def _between(rng: Random, low: float, high: float) -> float:
    """Log-uniform: as likely between 50 and 100 as between 100 and 200."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _decay(fall_s: float) -> Sound:
    return np.exp(-_TIME / fall_s)


def _noise(rng: Random, low_hz: float, high_hz: float, order: int = 2) -> Sound:
    edges = [max(low_hz, 20.0), min(high_hz, 0.48 * RATE_HZ)]
    sos = signal.butter(order, edges, "bandpass", fs=RATE_HZ, output="sos")
    noise = np.asarray(signal.sosfilt(sos, rng.standard_normal(len(_TIME))))
    return np.asarray(noise / np.abs(noise).max())


def _swept(from_hz: float, to_hz: float, fall_s: float, phase: float = 0.0) -> Sound:
    gone = (from_hz - to_hz) * fall_s * (1 - np.exp(-_TIME / fall_s))
    return np.asarray(np.sin(2 * np.pi * (to_hz * _TIME + gone) + phase))


def _modes(rng: Random, hz: float, ratios: Sound, fall_s: float, damp: float) -> Sound:
    """Partials that decay the faster the higher they are."""
    total = np.zeros(len(_TIME))
    for ratio in ratios:
        if hz * ratio < 0.45 * RATE_HZ:
            level = rng.uniform(0.2, 1.0) / ratio**damp
            wave = np.sin(2 * np.pi * hz * ratio * _TIME + rng.uniform(0, 6.28))
            total += level * wave * _decay(fall_s / ratio ** (0.5 * damp))
    return total


_SKIN = np.array([1.0, 1.59, 2.14, 2.30, 2.65, 2.92, 3.16, 3.50])
"""A round membrane's modes."""
_BAR = np.array([1.0, 2.76, 5.40, 8.93])
"""A free bar's."""


def kick(rng: Random) -> Sound:
    base = _between(rng, 36, 90)
    if rng.random() < 0.55:
        body = _swept(base * _between(rng, 1.3, 8), base, _between(rng, 0.008, 0.06))
        body *= _decay(_between(rng, 0.04, 0.45))
    else:
        body = _modes(rng, base, _SKIN[: rng.integers(2, 6)], _between(rng, 0.05, 0.25), 1.5)
        body += _swept(base * 1.5, base, 0.02) * _decay(_between(rng, 0.04, 0.15))
    beater = _noise(rng, _between(rng, 200, 2_000), _between(rng, 2_500, 9_000))
    click = rng.uniform(0, 0.6) * beater * _decay(_between(rng, 0.0015, 0.015))
    drive = _between(rng, 1, 5)
    return np.asarray(np.tanh(drive * (body / np.abs(body).max() + click)) / np.tanh(drive))


def snare(rng: Random) -> Sound:
    base = _between(rng, 140, 340)
    skin = _modes(rng, base, _SKIN[: rng.integers(2, 7)], _between(rng, 0.025, 0.12), 1.0)
    skin *= 1 if rng.random() < 0.6 else _swept(2.0, 1.0, 0.01) ** 2
    wires = _noise(rng, _between(rng, 600, 3_000), _between(rng, 6_000, 16_000), 1)
    wires *= _decay(_between(rng, 0.035, 0.2))
    crack = _noise(rng, 900, 7_000) * _decay(_between(rng, 0.002, 0.012))
    sound = rng.uniform(0.25, 1.0) * skin / np.abs(skin).max()
    return np.asarray(sound + rng.uniform(0.4, 1.2) * wires + rng.uniform(0.0, 0.8) * crack)


def _metal(rng: Random, low_hz: float, high_hz: float, count: int) -> Sound:
    """Square waves that share no pitch, or very many modes, above ``low_hz``."""
    if rng.random() < 0.4:
        base = _between(rng, 180, 700)
        ratios = np.array([1.0, 1.34, 1.47, 1.79, 2.08, 2.55]) * rng.uniform(0.95, 1.05, 6)
        rough = sum(np.sign(np.sin(2 * np.pi * base * one * _TIME)) for one in ratios)
    else:
        rough = np.zeros(len(_TIME))
        for hz in np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), count)):
            rough = rough + np.sin(2 * np.pi * hz * _TIME + rng.uniform(0, 6.28)) / count**0.5
    rough = np.asarray(rough) + rng.uniform(0.2, 1.5) * rng.standard_normal(len(_TIME))
    sos = signal.butter(rng.integers(1, 5), low_hz, "highpass", fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sos, rough))


def _stick(rng: Random) -> Sound:
    """What wood on metal adds, down to the body of the stick and the stand."""
    wood = _noise(rng, _between(rng, 100, 2_000), _between(rng, 3_000, 9_000), 1)
    return np.asarray(rng.uniform(0, 1.2) * wood * _decay(_between(rng, 0.002, 0.02)))


def hat(rng: Random) -> Sound:
    sound = _metal(rng, _between(rng, 3_000, 8_000), 15_000, 40)
    closed = rng.random() < 0.6
    fall = _decay(_between(rng, 0.008, 0.08) if closed else _between(rng, 0.08, 0.3))
    if not closed and rng.random() < 0.3:  # choked by the foot
        fall = fall * (rng.uniform(0.1, 0.4) > _TIME)
    return np.asarray(sound / np.abs(sound).max() * fall + _stick(rng))


def cymbal(rng: Random) -> Sound:
    low_hz = _between(rng, 350, 2_500)
    sound = _metal(rng, low_hz, 14_000, 90)
    swell = np.minimum(_TIME / _between(rng, 0.001, 0.03), 1.0)
    ping = _modes(rng, _between(rng, 400, 2_500), _SKIN, _between(rng, 0.05, 0.6), 0.3)
    ping *= rng.uniform(0, 2.0) if rng.random() < 0.5 else 0.0
    wash = (sound / np.abs(sound).max() + ping / 4) * _decay(_between(rng, 0.25, 2.5)) * swell
    burst = _metal(rng, low_hz, 15_000, 60) * _decay(_between(rng, 0.006, 0.06))
    return np.asarray(wash + _stick(rng) + rng.uniform(0, 4) * burst / np.abs(burst).max())


def tom(rng: Random) -> Sound:
    base = _between(rng, 65, 300)
    if rng.random() < 0.5:
        body = _swept(base * rng.uniform(1.05, 1.8), base, _between(rng, 0.03, 0.15))
        body *= _decay(_between(rng, 0.05, 0.5))
        body += rng.uniform(0, 0.4) * _modes(rng, base, _SKIN[1:4], 0.08, 1.0)
    else:
        body = _modes(
            rng, base, _SKIN[: rng.integers(3, 8)], _between(rng, 0.05, 0.5), rng.uniform(0.6, 1.4)
        )
    stick = _noise(rng, 300, _between(rng, 1_500, 9_000)) * _decay(_between(rng, 0.002, 0.02))
    return np.asarray(body / np.abs(body).max() + rng.uniform(0, 1.2) * stick)


def clap(rng: Random) -> Sound:
    middle = _between(rng, 800, 2_200)
    noise = _noise(rng, middle * rng.uniform(0.4, 0.8), middle * rng.uniform(1.6, 6), 1)
    count = int(rng.integers(1, 6))
    starts = np.concatenate([[0.0], np.cumsum(rng.uniform(0.006, 0.014, count - 1))])
    shape = np.zeros(len(_TIME))
    for start in starts[:-1]:
        shape += (start <= _TIME) * np.exp(
            -np.maximum(_TIME - start, 0) / _between(rng, 0.002, 0.006)
        )
    tail = np.exp(-np.maximum(_TIME - starts[-1], 0) / _between(rng, 0.004, 0.1))
    return np.asarray(noise * (shape + (starts[-1] <= _TIME) * rng.uniform(0.5, 1.1) * tail))


# -- what is no drum -------------------------------------------------------------------------------


def _knock(rng: Random) -> Sound:
    """Knuckles and sticks on wood, boxes, doors; claves; wood blocks; rims."""
    count = rng.integers(2, 7)
    ratios = np.sort(np.concatenate([[1.0], rng.uniform(1.2, 6, count)]))
    sound = _modes(rng, _between(rng, 180, 2_600), ratios, _between(rng, 0.008, 0.06), 0.6)
    sound += rng.uniform(0, 0.7) * _noise(rng, 150, 3_000) * _decay(_between(rng, 0.003, 0.02))
    return sound


def _clang(rng: Random) -> Sound:
    """Pipes, pans, bells, glasses, cowbells."""
    ratios = _BAR if rng.random() < 0.4 else np.sort(rng.uniform(1, 9, rng.integers(3, 12)))
    sound = _modes(rng, _between(rng, 250, 2_500), ratios, _between(rng, 0.1, 1.2), 0.3)
    return sound + rng.uniform(0, 0.3) * _noise(rng, 1_000, 9_000) * _decay(0.005)


def _note(rng: Random) -> Sound:
    """Strings, keys, basses, synthesisers: harmonics, plucked or swelling."""
    hz = _between(rng, 45, 1_200)
    ratios = np.arange(1, rng.integers(2, 24)).astype(float)
    sound = _modes(rng, hz, ratios, _between(rng, 0.15, 3.0), rng.uniform(0.5, 1.4))
    return sound * np.minimum(_TIME / _between(rng, 0.001, 0.08), 1.0)


def _click(rng: Random) -> Sound:
    noise = _noise(rng, _between(rng, 100, 3_000), _between(rng, 4_000, 15_000), 1)
    return noise * _decay(_between(rng, 0.0006, 0.005))


def _hiss(rng: Random) -> Sound:
    """Shakers, brushes, breath, steps in leaves, fricatives: noise that rises slowly."""
    noise = _noise(rng, _between(rng, 200, 5_000), _between(rng, 6_000, 16_000), 1)
    rise = np.minimum(_TIME / _between(rng, 0.012, 0.15), 1.0)
    return noise * rise * _decay(_between(rng, 0.04, 1.0))


def _jingle(rng: Random) -> Sound:
    """Tambourines, keys, coins: small plates that meet one after the other."""
    total = np.zeros(len(_TIME))
    for start in np.cumsum(rng.uniform(0.004, 0.03, rng.integers(3, 10))):
        plate = _metal(rng, _between(rng, 3_000, 8_000), 15_000, 12)
        fall = (start <= _TIME) * np.exp(-np.maximum(_TIME - start, 0) / _between(rng, 0.01, 0.09))
        total += rng.uniform(0.3, 1.0) * plate / np.abs(plate).max() * fall
    return total


def _chirp(rng: Random) -> Sound:
    from_hz, to_hz = _between(rng, 900, 7_000), _between(rng, 900, 7_000)
    sound = _swept(from_hz, to_hz, _between(rng, 0.02, 0.2))
    return sound * np.sin(np.pi * np.minimum(_TIME / _between(rng, 0.04, 0.4), 1.0))


def _vowel(rng: Random) -> Sound:
    hz = _between(rng, 85, 300)
    pulses = signal.sawtooth(2 * np.pi * hz * _TIME * (1 + rng.uniform(-0.1, 0.1) * _TIME))
    sound = 0.05 * rng.standard_normal(len(_TIME))
    for low, high in ((280, 850), (800, 2_500), (2_300, 3_200)):
        middle = _between(rng, low, high)
        sos = signal.butter(1, [middle * 0.9, middle * 1.1], "bandpass", fs=RATE_HZ, output="sos")
        sound = sound + signal.sosfilt(sos, pulses) * rng.uniform(0.3, 1.0)
    return np.asarray(sound) * np.minimum(_TIME / _between(rng, 0.005, 0.06), 1.0)


_OTHERS: tuple[Recipe, ...] = (
    *(_knock, _knock, _clang, _note, _note),
    *(_click, _hiss, _jingle, _chirp, _vowel),
)


def other(rng: Random) -> Sound:
    return _OTHERS[rng.integers(len(_OTHERS))](rng)


RECIPES: Mapping[str, Recipe] = {
    "kick": kick,
    "snare": snare,
    "hat": hat,
    "cymbal": cymbal,
    "tom": tom,
    "clap": clap,
    "other": other,
}


def recorded(sound: Sound, rng: Random) -> Sound:
    """As it might be cut out of a recording: in a room, through a dull or thin microphone, too loud,
    under another's tail, or cut off by the next sound. Full scale is 1."""
    sound = sound / max(float(np.abs(sound).max()), 1e-9)
    if rng.random() < 0.35:
        room = rng.standard_normal(RATE_HZ // 4) * np.exp(
            -np.arange(RATE_HZ // 4) / RATE_HZ / _between(rng, 0.02, 0.15)
        )
        wet = signal.fftconvolve(sound, room)[: len(sound)]
        sound = sound + rng.uniform(0.05, 0.4) * wet / max(float(np.abs(wet).max()), 1e-9)
    if rng.random() < 0.4:
        kind, hz = ("lowpass", (3_400, 16_000)) if rng.random() < 0.7 else ("highpass", (30, 120))
        sos = signal.butter(rng.integers(1, 4), _between(rng, *hz), kind, fs=RATE_HZ, output="sos")
        sound = np.asarray(signal.sosfilt(sos, sound))
    if rng.random() < 0.15:
        sound = np.tanh(sound * _between(rng, 1.5, 6))
    hiss, rumble = rng.standard_normal((2, len(sound)))
    rumble = np.asarray(signal.lfilter([1.0], [1.0, -0.995], rumble))
    sound = sound + 10 ** (rng.uniform(-90, -40) / 20) * hiss
    sound = sound + 10 ** (rng.uniform(-90, -35) / 20) * rumble / rumble.std()
    if rng.random() < 0.35:
        sound = sound[: round(rng.uniform(0.06, 0.3) * RATE_HZ)]
    return np.pad(sound, (int(rng.integers(0, RATE_HZ // 1000)), 0))
