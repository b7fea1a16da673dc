"""Recordings whose truth is exact, because they are made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """A mono recording, where its sounds begin and where its beats are."""

    samples: Mono
    rate_hz: int
    onsets_s: NDArray[np.float64]
    beats_s: NDArray[np.float64]


def decay(rate_hz: int, seconds: float, half_life_s: float) -> NDArray[np.float64]:
    """Falls by half each ``half_life_s``, and ends without a click."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return 0.5 ** (t / half_life_s) * np.minimum((seconds - t) / (0.3 * seconds), 1.0)


def kick(rate_hz: int) -> Mono:
    t = np.arange(round(rate_hz * 0.3)) / rate_hz
    sweep = np.cos(2 * np.pi * (55 * t + 6 * (1 - np.exp(-t / 0.03))))
    return (0.9 * sweep * decay(rate_hz, 0.3, 0.05)[: t.size]).astype(np.float32)


def snare(rate_hz: int, seed: int = 1) -> Mono:
    noise = np.random.default_rng(seed).standard_normal(round(rate_hz * 0.2))
    t = np.arange(noise.size) / rate_hz
    body = 0.4 * np.sin(2 * np.pi * 190 * t)
    return ((0.25 * noise + body) * decay(rate_hz, 0.2, 0.03)[: t.size]).astype(np.float32)


def hat(rate_hz: int, seed: int = 2) -> Mono:
    noise = np.diff(np.random.default_rng(seed).standard_normal(round(rate_hz * 0.06) + 1))
    return (0.12 * noise * decay(rate_hz, 0.06, 0.012)[: noise.size]).astype(np.float32)


def note(rate_hz: int, pitch_hz: float, seconds: float = 0.4, attack_s: float = 0.01) -> Mono:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    wave = sum(np.sin(2 * np.pi * pitch_hz * k * t) / k for k in range(1, 8))
    shape = np.minimum(t / attack_s, 1.0) * decay(rate_hz, seconds, 0.15)[: t.size]
    return (0.2 * wave * shape).astype(np.float32)


def place(into: Mono, sound: Mono, at: int, gain: float = 1.0) -> None:
    """Add ``sound`` at sample ``at``, as far as ``into`` reaches."""
    end = min(into.size, at + sound.size)
    into[at:end] += gain * sound[: end - at]


def noise_floor(samples: Mono, dbfs: float, seed: int = 3) -> Mono:
    noise = np.random.default_rng(seed).standard_normal(samples.size)
    return (samples + 10 ** (dbfs / 20) * noise).astype(np.float32)


def drums(
    *,
    rate_hz: int = 44_100,
    bars: int = 8,
    bpm: float = 120.0,
    bpm_end: float | None = None,
    swing: float = 0.5,
    noise_dbfs: float = -60.0,
    lead_s: float = 0.5,
    seed: int = 0,
) -> Truth:
    """Kick, snare and hats in eighths. ``swing`` 0.5 is straight, 0.66 a shuffle.

    The tempo moves evenly from ``bpm`` to ``bpm_end``. Hits vary in level from one to the next.
    """
    rng = np.random.default_rng(seed)
    beats = bars * 4
    tempos = np.linspace(bpm, bpm_end or bpm, beats)
    beats_s = lead_s + np.concatenate([[0.0], np.cumsum(60.0 / tempos)])
    out = np.zeros(round(rate_hz * (beats_s[-1] + (0.0 if lead_s == 0 else 0.5))), np.float32)
    onsets: list[int] = []
    for beat in range(beats):
        start, length = beats_s[beat], beats_s[beat + 1] - beats_s[beat]
        on, off = round(rate_hz * start), round(rate_hz * (start + swing * length))
        place(out, kick(rate_hz) if beat % 2 == 0 else snare(rate_hz), on, rng.uniform(0.6, 1.0))
        place(out, hat(rate_hz), on, rng.uniform(0.5, 1.0))
        place(out, hat(rate_hz), off, rng.uniform(0.5, 1.0))
        onsets += [on, off]
    samples = noise_floor(out, noise_dbfs, seed + 100)
    return Truth(samples, rate_hz, np.array(onsets) / rate_hz, beats_s[:-1])


def melody(*, attack_s: float, noise_dbfs: float = -60.0, notes: int = 40, seed: int = 0) -> Truth:
    """Notes of many pitches and levels, some overlapping, 0.15 to 0.45 s apart."""
    rate_hz, rng = 44_100, np.random.default_rng(seed)
    starts_s = 0.5 + np.cumsum(rng.uniform(0.15, 0.45, notes))
    out = np.zeros(round(rate_hz * (starts_s[-1] + 1.0)), np.float32)
    for start_s in starts_s:
        pitch_hz = 110 * 2 ** (rng.integers(0, 36) / 12)
        sound = note(rate_hz, pitch_hz, 0.5, attack_s)
        place(out, sound, round(rate_hz * start_s), rng.uniform(0.2, 1.0))
    return Truth(noise_floor(out, noise_dbfs, seed + 7), rate_hz, starts_s, np.zeros(0))


ROCK = {"kick": "x...x...", "snare": "..x...x.", "hat": "xxxxxxxx"}
"""Eighths of a bar of four: ``x`` a stroke, ``o`` a soft one."""
BUSY = {"kick": "x..x..x.", "snare": "..x...x.", "hat": "xxxxxxxx"}
SIXTEENTHS = {
    "kick": "x.........x.....",
    "snare": "....x.......x...",
    "hat": "xoxoxoxoxoxoxoxo",
}
HOUSE = {"kick": "x.x.x.x.", "snare": "..x...x.", "hat": ".x.x.x.x"}
WALTZ = {"kick": "x.....", "snare": "..o.o.", "hat": "x.x.x."}
SIX_EIGHT = {"kick": "x.....", "snare": "...x..", "hat": "xooxoo"}
"""Two beats of three eighths each."""


def groove(
    pattern: Mapping[str, str],
    bpm: float,
    *,
    steps_per_beat: int = 2,
    bars: int = 8,
    rate_hz: int = 44_100,
    lead_s: float = 0.3,
    noise_dbfs: float = -60.0,
    swing: float = 0.5,
    seed: int = 0,
) -> Truth:
    """A bar played over and over, each stroke a little louder or softer than the last."""
    rng = np.random.default_rng(seed)
    steps = len(next(iter(pattern.values())))
    step_s = 60.0 / bpm / steps_per_beat
    out = np.zeros(round(rate_hz * (lead_s + bars * steps * step_s)), np.float32)
    sounds = {"kick": kick(rate_hz), "snare": snare(rate_hz), "hat": hat(rate_hz)}
    onsets = set()
    for step in range(bars * steps):
        late = (2 * swing - 1) * step_s if step % 2 else 0.0
        at = round(rate_hz * (lead_s + step * step_s + late))
        for name, strokes in pattern.items():
            stroke = strokes[step % steps]
            if stroke != ".":
                place(out, sounds[name], at, rng.uniform(0.8, 1.0) * (0.4 if stroke == "o" else 1))
                onsets.add(at)
    beats_s = lead_s + np.arange(bars * steps // steps_per_beat) * 60.0 / bpm
    samples = noise_floor(out, noise_dbfs, seed + 50)
    return Truth(samples, rate_hz, np.array(sorted(onsets)) / rate_hz, beats_s)


def pad(seconds: float, *, vibrato_hz: float = 5.0, rate_hz: int = 44_100) -> Truth:
    """A chord with vibrato and tremolo: it moves all the time, and nothing in it begins."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    depth = 0.006 / vibrato_hz
    wave = sum(
        np.sin(2 * np.pi * hertz * k * (t + depth * np.sin(2 * np.pi * vibrato_hz * t))) / k
        for hertz in (220.0, 277.2, 329.6)
        for k in range(1, 5)
    )
    shape = np.minimum(np.minimum(t, seconds - t) / 0.8, 1.0)
    tremolo = 1 + 0.2 * np.sin(2 * np.pi * vibrato_hz * t + 1.0)
    return Truth(
        (0.06 * wave * shape * tremolo).astype(np.float32), rate_hz, np.zeros(0), np.zeros(0)
    )


def swell(
    pitches_hz: Sequence[float], seconds: float, *, tremolo_hz: float = 0.0, rate_hz: int = 44_100
) -> Mono:
    """A chord of sines that comes out of silence and goes back, half a second of it before and after.

    ``tremolo_hz``: so often a second it falls to half.
    """
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    wave = sum(np.sin(2 * np.pi * hertz * t) for hertz in pitches_hz)
    shape = np.sin(np.pi * t / seconds) ** 2 * (1 + 0.33 * np.sin(2 * np.pi * tremolo_hz * t))
    return np.pad(0.12 * wave * shape, rate_hz // 2).astype(np.float32)


def swaying(
    pitches_hz: Sequence[float],
    seconds: float,
    *,
    vibrato_hz: float,
    cents: float,
    partials: int = 8,
    rate_hz: int = 44_100,
) -> Mono:
    """A chord with a vibrato so far up and down, half a second of silence before and after."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    moving = 2 ** (cents / 1200 * np.sin(2 * np.pi * vibrato_hz * t))
    wave = np.zeros(t.size)
    for hertz in pitches_hz:
        phase = 2 * np.pi * np.cumsum(hertz * moving) / rate_hz
        wave += sum(np.sin(k * phase + k) / k for k in range(1, partials + 1))
    shape = np.minimum(np.minimum(t, seconds - t) / 0.8, 1.0)
    return np.pad(0.06 * wave * shape, rate_hz // 2).astype(np.float32)


def trembling(
    pitches_hz: Sequence[float],
    seconds: float,
    *,
    tremolo_hz: float,
    lowest: float,
    partials: int = 12,
    rate_hz: int = 44_100,
) -> Mono:
    """A chord whose level falls to ``lowest`` of its highest and comes back; silence before and after."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    wave = sum(
        np.sin(2 * np.pi * hertz * k * t + k) / k
        for hertz in pitches_hz
        for k in range(1, partials + 1)
    )
    swing = lowest + (1 - lowest) * (0.5 + 0.5 * np.sin(2 * np.pi * tremolo_hz * t))
    shape = np.minimum(np.minimum(t / 0.3, (seconds - t) / 0.5), 1.0)
    return np.pad(0.06 * wave * swing * shape, rate_hz // 2).astype(np.float32)


def choir(pitches_hz: Sequence[float], seconds: float = 4.0, rate_hz: int = 44_100) -> Mono:
    """Four voices a note that swell for a second, each with a vibrato of its own, singing "ah"."""
    t, rng = np.arange(round(rate_hz * seconds)) / rate_hz, np.random.default_rng(0)
    wave = np.zeros(t.size)
    for hertz in np.repeat(pitches_hz, 4):
        speed, depth, begin = rng.uniform([4.5, 0.003, 0.0], [6.2, 0.012, 6.3])
        vibrato = depth / (2 * np.pi * speed) * np.cos(2 * np.pi * speed * t + begin)
        phase = 2 * np.pi * hertz * (1 + 0.003 * rng.standard_normal()) * (t - vibrato)
        for k in range(1, 12):
            formants = ((600, 200), (1000, 250), (2600, 500))
            gain = 0.02 + sum(np.exp(-(((hertz * k - at) / wide) ** 2)) for at, wide in formants)
            wave += gain * np.sin(k * phase) / np.sqrt(k)
    shape = np.minimum(np.minimum(t, seconds - t), 1.0)
    return np.pad(0.04 * wave * shape, rate_hz // 2).astype(np.float32)


def strings(notes: int = 20, *, attack_s: float = 0.06, seed: int = 0) -> Truth:
    """Bowed notes with vibrato and a quarter of a second's end, each into the next, of many levels."""
    rate_hz, rng = 44_100, np.random.default_rng(seed)
    starts_s = 0.5 + np.cumsum(rng.uniform(0.2, 0.6, notes))
    out = np.zeros(round(rate_hz * (starts_s[-1] + 1.5)), np.float32)
    for start_s in starts_s:
        pitch_hz, held_s = 110 * 2 ** (rng.integers(0, 36) / 12), rng.uniform(0.35, 0.9)
        t = np.arange(round(rate_hz * (held_s + 0.25))) / rate_hz
        at = pitch_hz * (t + 0.004 / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * t))
        wave = sum(np.sin(2 * np.pi * k * at + k) / k for k in range(1, 10))
        shape = np.minimum(t / attack_s, 1.0) * np.clip((held_s + 0.25 - t) / 0.25, 0.0, 1.0)
        sound = (0.15 * wave * shape).astype(np.float32)
        place(out, sound, round(rate_hz * start_s), rng.uniform(0.3, 1.0))
    return Truth(noise_floor(out, -60, seed + 7), rate_hz, starts_s, np.zeros(0))


def by_telephone(samples: Mono, rate_hz: int) -> tuple[Mono, int]:
    """300 to 3,400 Hz, at 8 kHz and in the 256 steps of G.711's mu-law."""
    band = butter(4, (300, 3_400), "bandpass", fs=rate_hz, output="sos")
    narrow = np.clip(soxr.resample(sosfilt(band, samples), rate_hz, 8_000), -1, 1)
    pressed = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    steps = np.round(127 * pressed) / 127
    return np.asarray(np.sign(steps) * (256 ** np.abs(steps) - 1) / 255, np.float32), 8_000


def in_hiss(samples: Mono, rate_hz: int) -> tuple[Mono, int]:
    """In white noise of -39 dBFS."""
    hiss = np.random.default_rng(1).uniform(-0.02, 0.02, samples.size)
    return np.asarray(samples + hiss, np.float32), rate_hz
