"""Sources that sound by themselves: sine, saw, square, noise.

Saw and square are read from tables that hold the harmonics below half the sample rate and no
others, so nothing folds back. One table serves a third of an octave: it has the harmonics that fit
at the top of it, and at the bottom still reaches 0.79 of half the sample rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.parameters import ParameterSpec

Signal = NDArray[np.float64]

FREQUENCY = ParameterSpec(
    "frequency_hz", "Pitch", 1.0, 20_000.0, 440.0, "Hz", "pitch", "glides", "log"
)
AMPLITUDE = ParameterSpec("amplitude", "Level", 0.0, 1.0, 1.0, "", "dynamics")

_TABLE_FRAMES = 16_384
"""Sixteen points and more for the highest harmonic of 20 Hz at 48 kHz."""
_LOWEST_HZ = 20.0
_STEP = 2.0 ** (1.0 / 3.0)


class Phasor:
    """A phase in cycles that runs at a frequency which may step or glide."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self.restart()

    def restart(self) -> None:
        """Begin anew, at phase 0."""
        self._origin = 0.0
        self._frequency = 0.0
        self._frames = 0
        self._gliding = False

    def advance(self, frequency: float | Signal, frames: int) -> Signal:
        """The phases of the next frames, in cycles, growing without wrapping."""
        if isinstance(frequency, np.ndarray):
            return self._glide(frequency)
        if self._gliding or frequency != self._frequency:
            self._origin = self._current() % 1.0
            self._frequency, self._frames, self._gliding = float(frequency), 0, False
        first, self._frames = self._frames, self._frames + frames
        steps = np.arange(first, self._frames, dtype=np.float64)
        steps *= self._frequency / self._sample_rate
        steps += self._origin
        return steps

    def _current(self) -> float:
        return self._origin + self._frames * (self._frequency / self._sample_rate)

    def _glide(self, frequency: Signal) -> Signal:
        if not self._gliding:
            self._origin = self._current() % 1.0
            self._frequency, self._frames, self._gliding = 0.0, 0, True
        phases = np.empty(len(frequency) + 1)
        phases[0] = self._origin
        np.divide(frequency, self._sample_rate, out=phases[1:])
        np.cumsum(phases, out=phases)
        self._origin = float(phases[-1])
        return phases[:-1]


class _Oscillator(AudioModule):
    """A source with pitch and level."""

    parameters: tuple[ParameterSpec, ...] = (FREQUENCY, AMPLITUDE)

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        *,
        frequency_hz: float = FREQUENCY.default,
        amplitude: float = AMPLITUDE.default,
    ) -> None:
        super().__init__(name, config)
        self._phasor = Phasor(config.sample_rate)
        self.set_parameter("frequency_hz", frequency_hz)
        self.set_parameter("amplitude", amplitude)

    def _restart(self) -> None:
        self._phasor.restart()

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        frequency = self._moving("frequency_hz", frames)
        wave = self._wave(self._phasor.advance(frequency, frames), frequency, frames)
        wave *= self._moving("amplitude", frames)
        return wave[:, None]

    def _wave(self, phase: Signal, frequency: float | Signal, frames: int) -> Signal:
        """A new array of values, -1 to 1, for phases in cycles."""
        raise NotImplementedError


class SineOscillator(_Oscillator):
    """A pure tone."""

    def _wave(self, phase: Signal, frequency: float | Signal, frames: int) -> Signal:
        phase -= np.floor(phase)
        phase *= 2.0 * np.pi
        return np.sin(phase, out=phase)


class SawOscillator(_Oscillator):
    """A saw without aliasing: all harmonics that fit, each at one over its number."""

    def _wave(self, phase: Signal, frequency: float | Signal, frames: int) -> Signal:
        return _saw(phase, frequency, self.config.sample_rate)


class SquareOscillator(_Oscillator):
    """A pulse without aliasing: two saws, one pulse width apart."""

    parameters = (
        FREQUENCY,
        AMPLITUDE,
        ParameterSpec("pulse_width", "Pulse width", 0.05, 0.95, 0.5, "", "tone"),
    )

    def _wave(self, phase: Signal, frequency: float | Signal, frames: int) -> Signal:
        width = self._moving("pulse_width", frames)
        rate = self.config.sample_rate
        pulse = _saw(phase, frequency, rate) - _saw(phase - width, frequency, rate)
        pulse += 2.0 * np.asarray(width) - 1.0
        return pulse


class NoiseOscillator(AudioModule):
    """White noise, the same each time for the same seed."""

    parameters = (AMPLITUDE,)

    def __init__(
        self, name: str, config: EngineConfig, *, seed: int = 0, amplitude: float = 1.0
    ) -> None:
        super().__init__(name, config)
        self._seed = seed
        self.set_parameter("amplitude", amplitude)
        self._restart()

    def _restart(self) -> None:
        self._random = np.random.default_rng(self._seed)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        wave = self._random.random(frames)
        wave *= 2.0
        wave -= 1.0
        wave *= self._moving("amplitude", frames)
        return wave[:, None]


def _saw(phase: Signal, frequency: float | Signal, sample_rate: int) -> Signal:
    """Falling saw values at ``phase``, from the tables that fit ``frequency``, by straight lines."""
    position = (phase - np.floor(phase)) * _TABLE_FRAMES
    index = position.astype(np.intp)
    position -= index
    level = _level(frequency, sample_rate)
    if isinstance(level, int):
        table, slope = _saw_table(level, sample_rate)
        return table[index] + slope[index] * position
    value = np.empty(len(phase))
    for one in np.unique(level):
        here = level == one
        table, slope = _saw_table(int(one), sample_rate)
        value[here] = table[index[here]] + slope[index[here]] * position[here]
    return value


def _level(frequency: float | Signal, sample_rate: int) -> int | NDArray[np.intp]:
    """Which third of an octave, counted down from half the sample rate."""
    thirds = np.log2(np.maximum(frequency, _LOWEST_HZ) / (sample_rate / 2.0)) / np.log2(_STEP)
    level = np.floor(-thirds)
    return level.astype(np.intp) if isinstance(level, np.ndarray) else int(level)


@cache
def _saw_table(level: int, sample_rate: int) -> tuple[Signal, Signal]:
    """One cycle, ``(_TABLE_FRAMES,)``, and the step from each point to the next.

    A third of an octave that ends at half the sample rate over ``_STEP ** level`` has room for
    ``_STEP ** level`` harmonics.
    """
    harmonics = np.arange(1, max(1, int(_STEP**level + 1e-9)) + 1)
    spectrum = np.zeros(_TABLE_FRAMES // 2 + 1, np.complex128)
    spectrum[harmonics] = -1j / harmonics
    table = np.fft.irfft(spectrum) * _TABLE_FRAMES / np.pi
    return table, np.roll(table, -1) - table
