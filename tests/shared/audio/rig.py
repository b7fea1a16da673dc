"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules import AudioModule
from shared.audio.parameters import ParameterSpec

RATE = 48_000
CONFIG = EngineConfig(sample_rate=RATE)
BLOCK_SIZES = (1, 64, 128, 4_096)


class Feed(AudioModule):
    """Plays an array, ``(frames,)`` or ``(frames, channels)``, then silence."""

    parameters: tuple[ParameterSpec, ...] = ()

    def __init__(self, audio: NDArray[np.float64], name: str = "feed") -> None:
        super().__init__(name, CONFIG)
        self._audio = np.asarray(audio, np.float64).reshape(len(audio), -1)

    def _render(self, inputs: Sequence[NDArray[np.float64]], frames: int) -> NDArray[np.float64]:
        block = np.zeros((frames, self._audio.shape[1]))
        part = self._audio[self._position : self._position + frames]
        block[: len(part)] = part
        return block


def noise(frames: int, channels: int = 1, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (frames, channels))


def pull(module: AudioModule, frames: int, block: int | None = None) -> NDArray[np.float64]:
    """Frames from the start, in blocks."""
    module.reset()
    size = block or frames
    parts = [module.process(min(size, frames - at)) for at in range(0, frames, size)]
    return np.concatenate(parts)


def biggest_step(audio: NDArray[np.floating]) -> float:
    """The largest jump from one sample to the next: what a click is made of."""
    return float(np.abs(np.diff(audio, axis=0)).max())
