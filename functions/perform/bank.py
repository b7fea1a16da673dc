"""The sounds that come with the product: every sample synthesised here, the same each time.

Pitched sounds are recorded, so to speak, at C4 in three layers (soft, body, bold) that differ in
brightness, not in loudness: the sampler's velocity sees to that. A recipe is a function of time and
brightness; what it gives is brought to its level, which leaves its peaks room, and faded out.
Noise is drawn from numbered seeds. The sampler transposes by playing faster or slower, so far above
C4 a sound is short and bright.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.audio.families import InstrumentFamily
from shared.audio.modules.layers import ClipSampleLayer
from shared.audio.sounds import Sound, Wave
from shared.errors import ValidationError

Signal = NDArray[np.float64]
"""Mono, ``(samples,)``; full scale is 1.0."""

VERSION = "bank-2"
"""Raise it when any sound changes."""

ROOT_HZ = 440.0 * 2.0 ** (-9 / 12)
"""C4: nine semitones below A4, in equal temperament."""

_BOUNDS: Mapping[InstrumentFamily, tuple[int, int]] = {
    "strings": (64, 104),
    "pads": (64, 104),
    "voice": (64, 104),
    "keys": (54, 100),
    "plucked": (54, 96),
    "bass": (54, 96),
    "drums": (54, 100),
}
"""The last velocity of the soft and of the body layer (docs/listening.md)."""
_BRIGHTNESS = (0.35, 0.6, 1.0)
"""Of the soft, the body and the bold layer, handed to the recipe."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a sampled sound is made: ``(seconds, brightness 0 to 1) -> mono`` at a rate."""

    make: Callable[[Signal, float], Signal]
    seconds: float
    """Length of the sample; notes that are held longer fall silent."""
    family: InstrumentFamily
    level_dbfs: float = -15.0
    """RMS of the loudest 0.1 s of each layer at full velocity, so low that no sample passes
    full scale: a sound with a sharp click is a soft one."""
    attack_ms: float = 0.0
    """How long a note takes to full level. 0 where the recipe brings its own attack."""
    release_ms: float = 60.0
    """How long it takes to fall silent once the key is up."""


@dataclass(frozen=True, slots=True)
class _WaveRecipe:
    """A sound that an oscillator makes as it goes: as long as the key is held."""

    wave: Wave
    family: InstrumentFamily
    attack_ms: float = 4.0
    decay_ms: float = 0.0
    """From full level down to ``sustain``."""
    sustain: float = 1.0
    """Level while the key is held, 0 to 1 of full level."""
    release_ms: float = 90.0


def names() -> tuple[str, ...]:
    """All sounds of the bank."""
    return (*_SAMPLED, *_WAVES)


@cache
def sound(name: str, sample_rate: int) -> Sound:
    """A sound of the bank; raises ``ValidationError`` listing all of them.

    Made when it is first asked for and kept as long as the process: its arrays are shared by all
    who ask, and not to be written to. ``sample_rate`` is in Hz.
    """
    if name in _WAVES:
        wave = _WAVES[name]
        return Sound(
            name,
            wave.family,
            wave=wave.wave,
            attack_ms=wave.attack_ms,
            decay_ms=wave.decay_ms,
            sustain=wave.sustain,
            release_ms=wave.release_ms,
        )
    if name not in _SAMPLED:
        raise ValidationError(
            "sound", f"{name!r} is not in the bank, which has: {', '.join(names())}"
        )
    recipe = _SAMPLED[name]
    return Sound(
        name,
        recipe.family,
        layers=_layers(recipe, sample_rate),
        attack_ms=recipe.attack_ms,
        release_ms=recipe.release_ms,
    )


def sounds_for_s(name: str) -> float:
    """Seconds after which a sampled sound, held down, is silent. Raises ``KeyError`` for others."""
    return _SAMPLED[name].seconds


def _layers(recipe: _Recipe, sample_rate: int) -> tuple[ClipSampleLayer, ...]:
    """Three layers that together answer the velocities 0 to 127, each exactly once."""
    soft, body = _BOUNDS[recipe.family]
    time = np.arange(round(recipe.seconds * sample_rate)) / sample_rate
    ranges = ((0, soft), (soft + 1, body), (body + 1, 127))
    return tuple(
        ClipSampleLayer(_finished(recipe, time, brightness, sample_rate), low, high)
        for brightness, (low, high) in zip(_BRIGHTNESS, ranges, strict=True)
    )


def _finished(recipe: _Recipe, time: Signal, brightness: float, sample_rate: int) -> Signal:
    """A layer at its level, fading out over its last 20 ms so that it stops without a click.

    The level is the RMS of the loudest tenth of a second, of tenths counted from the start.
    """
    clip = recipe.make(time, brightness)
    whole = np.pad(clip, (0, -len(clip) % (sample_rate // 10))).reshape(-1, sample_rate // 10)
    power = np.square(whole).mean(axis=1)
    clip *= 10.0 ** (recipe.level_dbfs / 20.0) / np.sqrt(power.max())
    fade = min(len(clip), sample_rate // 50)
    clip[-fade:] *= np.linspace(1.0, 0.0, fade)
    return clip


# -- recipes -------------------------------------------------------------------------------------


def _noise(time: Signal, seed: int) -> Signal:
    """White noise, uniform between -1 and 1; ``seed`` tells one sound's noise from another's."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, len(time))


def _highs(noise: Signal, amount: float) -> Signal:
    """Differences stress the highs; ``amount`` 0 to 1.

    The filter ``y[n] = x[n] - amount x[n - 1]``: at 1 nothing is left at 0 Hz, and there is twice
    the amplitude at half the sample rate.
    """
    return noise - amount * np.concatenate([[0.0], noise[:-1]])


def _lows(noise: Signal, frames: int) -> Signal:
    """A moving average over so many samples keeps the lows.

    Its first zero is at the sample rate over ``frames``.
    """
    return np.convolve(noise, np.full(frames, 1.0 / frames), "same")


def _swept(time: Signal, start_hz: float, end_hz: float, fall_s: float) -> Signal:
    """A sine that falls from one pitch towards another.

    Its frequency is ``end_hz + (start_hz - end_hz) exp(-time / fall_s)``; the phase is the integral
    of it.
    """
    drop = (start_hz - end_hz) * fall_s * (1.0 - np.exp(-time / fall_s))
    return np.sin(2.0 * np.pi * (end_hz * time + drop))


def _kick(time: Signal, bright: float) -> Signal:
    """A sine that falls to 48 Hz within some 0.1 s, and a click of noise, loudest when bold."""
    body = _swept(time, 160.0 + 80.0 * bright, 48.0, 0.035) * np.exp(-time / 0.16)
    return body + 0.5 * bright * _noise(time, 1) * np.exp(-time / 0.004)


def _snare(time: Signal, bright: float) -> Signal:
    """The skin, a sine that falls to 185 Hz, and the wires: noise, longer the brighter."""
    body = _swept(time, 260.0, 185.0, 0.03) * np.exp(-time / 0.09)
    wires = _highs(_noise(time, 2), 0.4 + 0.5 * bright) * np.exp(-time / (0.08 + 0.06 * bright))
    return body + (0.4 + 0.6 * bright) * wires


def _metal(time: Signal, bright: float, ring_s: float) -> Signal:
    """Cymbals: squares at pitches that make no chord, and noise, both thinned of lows.

    The way of the Roland TR-808, which mixes six squares (Kurt Werner, Jonathan Abel and Julius
    Smith, The TR-808 Cymbal, ICMC 2014). ``ring_s`` is the time in which it falls to 1/e.
    """
    tones = sum(
        np.sign(np.sin(2.0 * np.pi * hz * time)) for hz in (2_051, 3_069, 3_662, 4_129, 5_441)
    )
    mixed = 0.08 * tones + _highs(_noise(time, 3), 0.9)
    return np.asarray(_highs(mixed, 0.7 + 0.25 * bright) * np.exp(-time / ring_s))


def _clap(time: Signal, bright: float) -> Signal:
    """Hands not quite together: bursts of noise at 0, 11 and 23 ms, and the room's tail."""
    noise = _highs(_noise(time, 4), 0.3 + 0.5 * bright)
    bursts = sum(
        np.exp(-np.maximum(time - start, 0.0) / 0.006) * (time >= start)
        for start in (0.0, 0.011, 0.023)
    )
    return np.asarray(noise * (bursts + (time > 0.023) * np.exp(-time / 0.09)))


def _rim(time: Signal, bright: float) -> Signal:
    """A stick on the rim: tones at 1,720 and 523 Hz of 18 ms, and a click."""
    tone = np.sin(2.0 * np.pi * 1_720.0 * time) + 0.6 * np.sin(2.0 * np.pi * 523.0 * time)
    click = bright * _highs(_noise(time, 5), 0.5) * np.exp(-time / 0.003)
    return np.asarray(tone * np.exp(-time / 0.018) + click)


def _tom(time: Signal, bright: float) -> Signal:
    """As the kick, higher and more slowly falling: 190 to 110 Hz."""
    skin = 0.3 * bright * _noise(time, 6) * np.exp(-time / 0.012)
    return _swept(time, 190.0, 110.0, 0.06) * np.exp(-time / 0.22) + skin


def _shaker(time: Signal, bright: float) -> Signal:
    """Noise without lows that swells for 12 ms and then falls."""
    swell = np.minimum(time / 0.012, 1.0) * np.exp(-time / 0.05)
    return np.asarray(_highs(_noise(time, 7), 0.6 + 0.35 * bright) * swell)


def _partials(
    time: Signal, bright: float, count: int, *, roll_off: float, fall_s: float | None = None
) -> Signal:
    """Harmonics of C4, softer (and, with ``fall_s``, shorter) the higher they are.

    Partial ``n`` has the level ``n ** -roll_off`` times ``(0.25 + 0.75 bright) ** (n - 1)``, and
    falls to 1/e in ``2 fall_s / (n + 1)`` seconds: the fundamental in ``fall_s``. Phases are spread
    by 2.4 radians a partial, for together they would make one peak.

    The sum over ``n`` of ``level[n] z**n`` by Horner's rule: ``z`` turns once a cycle, and falls.
    So all partials cost one complex exponential a sample.
    """
    number = np.arange(1, count + 1)
    levels = number**-roll_off * (0.25 + 0.75 * bright) ** (number - 1)
    turn = 2.0j * np.pi * ROOT_HZ - (0.0 if fall_s is None else 0.5 / fall_s)
    z = np.exp(turn * time)
    total = np.zeros(len(time), np.complex128)
    for level, phase in zip(levels[::-1], 2.4 * number[::-1], strict=True):
        total += level * np.exp(1.0j * phase)
        total *= z
    wave = np.asarray(total.imag)
    return np.asarray(wave if fall_s is None else wave * np.exp(-time * 0.5 / fall_s))


def _keys(time: Signal, bright: float) -> Signal:
    """An electric piano: a sine bent by a bell-like one, as FM does.

    Two modulators bend its phase, by more the brighter: one at its own pitch, whose depth falls to
    1/e in 0.9 s, and one at 14 times that pitch, gone in 0.35 s (John Chowning, The Synthesis of
    Complex Audio Spectra by Means of Frequency Modulation, JAES 21, 1973).
    """
    bell = bright * 2.2 * np.exp(-time / 0.35) * np.sin(2.0 * np.pi * ROOT_HZ * 14.0 * time) * 0.25
    bend = (0.4 + 1.4 * bright) * np.exp(-time / 0.9) * np.sin(2.0 * np.pi * ROOT_HZ * time)
    return np.asarray(np.sin(2.0 * np.pi * ROOT_HZ * time + bend + bell) * np.exp(-time / 1.6))


def _organ(time: Signal, bright: float) -> Signal:
    """Drawbars, as (multiple of the pitch, level): 16, 8, 5 1/3, 4, 2 2/3 and 2 foot."""
    draws = (
        (0.5, 0.8),
        (1, 1.0),
        (1.5, 0.6),
        (2, 0.7 * bright),
        (3, 0.5 * bright),
        (4, bright / 2),
    )
    return np.asarray(
        sum(level * np.sin(2.0 * np.pi * ROOT_HZ * part * time) for part, level in draws)
    )


def _pluck(time: Signal, bright: float) -> Signal:
    """A string that is plucked: the fundamental falls to 1/e in 0.9 s, the rest sooner."""
    return _partials(time, bright, 24, roll_off=0.9, fall_s=0.9)


def _bass(time: Signal, bright: float) -> Signal:
    """As the pluck, with fewer partials and more than twice as long."""
    return _partials(time, bright, 14, roll_off=1.1, fall_s=2.2)


def _ensemble(time: Signal, bright: float, *, swell_s: float, spread: float) -> Signal:
    """Three players, a little apart in pitch and moving against one another.

    ``swell_s`` is the time constant of the rise. ``spread`` is how far the vibrato shifts the sound
    in time, in ms: 0.1 ms at 5 Hz is a swing of 5 cents in pitch.
    """
    players = []
    for player, cents in enumerate((-5.0, 0.0, 6.0)):
        vibrato = spread * np.sin(2.0 * np.pi * (4.6 + 0.4 * player) * time + player)
        warped = time * 2.0 ** (cents / 1_200.0) + vibrato / 1_000.0
        players.append(_partials(warped, bright, 16, roll_off=1.0))
    rise = 1.0 - np.exp(-time / swell_s)
    return np.asarray(sum(players) * rise)


def _strings(time: Signal, bright: float) -> Signal:
    """Three players with a vibrato of some 6 cents."""
    return _ensemble(time, bright, swell_s=0.08, spread=0.12)


def _pad(time: Signal, bright: float) -> Signal:
    """As the strings, darker, slower to rise and calmer."""
    return _ensemble(time, 0.7 * bright, swell_s=0.35, spread=0.05)


def _choir(time: Signal, bright: float) -> Signal:
    """As the pad with the widest vibrato, a quicker rise, and breath: noise without highs."""
    breath = 0.05 * _lows(_noise(time, 8), 12) * (1.0 - np.exp(-time / 0.2))
    return _ensemble(time, 0.6 * bright, swell_s=0.15, spread=0.2) + breath


_SAMPLED: Mapping[str, _Recipe] = {
    "kick": _Recipe(_kick, 0.9, "drums", -10.0),
    "snare": _Recipe(_snare, 0.6, "drums", -14.0),
    "hat": _Recipe(lambda time, bright: _metal(time, bright, 0.035), 0.25, "drums", -20.0),
    "open_hat": _Recipe(lambda time, bright: _metal(time, bright, 0.28), 1.4, "drums", -20.0),
    "clap": _Recipe(_clap, 0.6, "drums", -16.2),
    "rim": _Recipe(_rim, 0.2, "drums", -20.5),
    "tom": _Recipe(_tom, 1.1, "drums", -13.0),
    "shaker": _Recipe(_shaker, 0.3, "drums", -22.0),
    "keys": _Recipe(_keys, 5.0, "keys", -17.0, release_ms=180.0),
    "organ": _Recipe(_organ, 6.0, "keys", -19.0, attack_ms=4.0, release_ms=60.0),
    "pluck": _Recipe(_pluck, 3.0, "plucked", -17.0, release_ms=120.0),
    "bass": _Recipe(_bass, 4.0, "bass", -15.0, release_ms=70.0),
    "strings": _Recipe(_strings, 6.0, "strings", -19.0, attack_ms=12.0, release_ms=350.0),
    "pad": _Recipe(_pad, 6.0, "pads", -20.0, attack_ms=30.0, release_ms=900.0),
    "choir": _Recipe(_choir, 6.0, "voice", -20.0, attack_ms=40.0, release_ms=400.0),
}
"""Name -> recipe. A new name needs nothing else; a changed one raises ``VERSION``."""

_WAVES: Mapping[str, _WaveRecipe] = {
    "sine": _WaveRecipe("sine", "other"),
    "saw": _WaveRecipe("saw", "other"),
    "square": _WaveRecipe("square", "other"),
    "noise": _WaveRecipe("noise", "other"),
    "lead": _WaveRecipe("saw", "lead", 3.0, 180.0, 0.7, 120.0),
}
"""Name -> what the oscillator is given. The first four are plain, for filters and LFOs to work
on."""
