"""Rooms and repeats: delay and reverb."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.modules.dsp import one_pole
from shared.audio.parameters import ParameterSpec

MIX = ParameterSpec("mix", "Wet", 0.0, 1.0, 0.35, "", "space")
_INAUDIBLE = 1e-12


def _mixed(dry: Block, wet: Block, mix: float | NDArray[np.float64]) -> Block:
    share = mix[:, None] if isinstance(mix, np.ndarray) else mix
    return dry * (1.0 - share) + wet * share


class Delay(AudioModule):
    """Repeats of its source, each ``feedback`` times as loud as the one before."""

    parameters = (
        ParameterSpec("time_ms", "Time", 1.0, 4_000.0, 375.0, "ms", "time", "setup"),
        ParameterSpec("feedback", "Feedback", 0.0, 0.95, 0.35, "", "space"),
        MIX,
    )

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        source: AudioModule,
        *,
        time_ms: float = 375.0,
        feedback: float = 0.35,
        mix: float = 0.35,
    ) -> None:
        super().__init__(name, config, [source])
        self.set_parameter("time_ms", time_ms)
        self.set_parameter("feedback", feedback)
        self.set_parameter("mix", mix)
        self._restart()

    def _restart(self) -> None:
        frames = max(1, round(self._chosen["time_ms"] * self.config.sample_rate / 1_000.0))
        # As long as the delay: what is read at a place is what was written there one delay ago.
        self._ring = np.zeros((frames, self.config.channels))
        self._place = 0

    def _settle(self) -> None:
        if np.abs(self._ring).max() < _INAUDIBLE:
            self._ring[:] = 0.0

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        x = np.broadcast_to(inputs[0], (frames, self.config.channels))
        feedback = np.broadcast_to(self._moving("feedback", frames), (frames,))[:, None]
        repeats = np.empty((frames, self.config.channels))
        done = 0
        while done < frames:
            count = min(frames - done, len(self._ring) - self._place)
            ring, now = self._ring[self._place : self._place + count], slice(done, done + count)
            repeats[now] = ring
            ring *= feedback[now]
            ring += x[now]
            self._place = (self._place + count) % len(self._ring)
            done += count
        return _mixed(x, repeats, self._moving("mix", frames))


class Reverb(AudioModule):
    """A room: eight delay lines that feed one another.

    A feedback delay network after Jot and Chaigne, "Digital delay networks for designing artificial
    reverberators" (AES 90, 1991): a Hadamard matrix keeps the energy, and each line loses in one
    pass what the decay time asks of its length. ``damping`` takes the highs away sooner.
    """

    parameters = (
        ParameterSpec("decay_s", "Decay", 0.1, 20.0, 1.8, "s", "space", "setup", "log"),
        ParameterSpec("damping", "Damping", 0.0, 0.9, 0.25, "", "tone", "setup"),
        MIX,
    )
    _LINES_MS = (29.7, 34.1, 38.3, 42.9, 47.3, 52.1, 58.7, 63.1)

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        source: AudioModule,
        *,
        decay_s: float = 1.8,
        damping: float = 0.25,
        mix: float = 0.35,
    ) -> None:
        super().__init__(name, config, [source])
        self.set_parameter("decay_s", decay_s)
        self.set_parameter("damping", damping)
        self.set_parameter("mix", mix)
        self._lengths = _coprime_lengths(self._LINES_MS, config.sample_rate)
        self._restart()

    def _restart(self) -> None:
        rate = self.config.sample_rate
        self._gains = 10.0 ** (-3.0 * np.array(self._lengths) / (rate * self._chosen["decay_s"]))
        self._past = max(self._lengths)
        self._history = np.zeros((8, self._past + 4 * self._past))
        self._write = self._past
        self._highs = np.zeros(8)

    def _settle(self) -> None:
        recent = self._history[:, self._write - self._past : self._write]
        if max(np.abs(recent).max(), np.abs(self._highs).max()) < _INAUDIBLE:
            recent[:] = 0.0
            self._highs = np.zeros(8)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        x = np.broadcast_to(inputs[0], (frames, self.config.channels))
        wet = np.empty((frames, self.config.channels))
        done = 0
        while done < frames:
            count = min(frames - done, self._lengths[0])
            wet[done : done + count] = self._pass(x[done : done + count], count)
            done += count
        return _mixed(x, wet, self._moving("mix", frames))

    def _pass(self, x: Block, count: int) -> Block:
        """Once through the lines, for no more frames than the shortest holds."""
        if self._write + count > self._history.shape[1]:
            self._history[:, : self._past] = self._history[
                :, self._write - self._past : self._write
            ].copy()
            self._write = self._past
        lines = np.empty((8, count))
        damping = self._chosen["damping"]
        for index, length in enumerate(self._lengths):
            start = self._write - length
            lines[index] = self._history[index, start : start + count]
        if damping:
            lines = one_pole(lines.T * (1.0 - damping), damping, self._highs).T
            self._highs = lines[:, -1].copy()
        fed = _hadamard(np.multiply(lines, self._gains[:, None], order="C"))
        fed[0::2] += x[:, 0]
        fed[1::2] += x[:, -1]
        self._history[:, self._write : self._write + count] = fed
        self._write += count
        heard = np.stack([_alternating_sum(lines[0::2]), _alternating_sum(lines[1::2])], axis=1)
        heard *= 0.5
        return heard if self.config.channels == 2 else heard.mean(axis=1, keepdims=True)


def _coprime_lengths(lines_ms: Sequence[float], sample_rate: int) -> tuple[int, ...]:
    """Line lengths in frames, without common divisors, so that no echoes coincide."""
    lengths: list[int] = []
    for time_ms in lines_ms:
        length = round(time_ms * sample_rate / 1_000.0)
        while any(gcd(length, other) > 1 for other in lengths):
            length += 1
        lengths.append(length)
    return tuple(lengths)


def _hadamard(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthogonal 8 x 8 Hadamard matrix times ``(8, frames)``, by butterflies, in place."""
    for cube in (
        lines.reshape(4, 2, 1, -1),
        lines.reshape(2, 2, 2, -1),
        lines.reshape(1, 2, 4, -1),
    ):
        first, second = cube[:, 0], cube[:, 1]
        difference = first - second
        first += second
        second[:] = difference
    lines *= 8.0**-0.5
    return lines


def _alternating_sum(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lines added and taken away in turn, which sets left and right apart."""
    return np.asarray(lines[0] - lines[1] + lines[2] - lines[3])
