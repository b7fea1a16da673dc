"""What moves other controls: the low-frequency oscillator. (An envelope without a source is the other.)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.modules.oscillators import Phasor
from shared.audio.parameters import ParameterSpec
from shared.errors import ValidationError

LfoShape = Literal["sine", "triangle", "square", "ramp"]

_WAVES: Mapping[LfoShape, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sine": lambda phase: np.sin(2.0 * np.pi * phase),
    "triangle": lambda phase: 1.0 - 4.0 * np.abs((phase + 0.25) % 1.0 - 0.5),
    "square": lambda phase: np.where(phase < 0.5, 1.0, -1.0),
    "ramp": lambda phase: 2.0 * phase - 1.0,
}


class Lfo(AudioModule):
    """A slow wave, -1 to 1, to hand to another module's ``modulate``."""

    parameters = (
        ParameterSpec("rate_hz", "Rate", 0.01, 50.0, 2.0, "Hz", "modulation", "glides", "log"),
        ParameterSpec("depth", "Depth", 0.0, 1.0, 1.0, "", "modulation"),
    )

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        *,
        rate_hz: float = 2.0,
        depth: float = 1.0,
        shape: LfoShape = "sine",
    ) -> None:
        super().__init__(name, config)
        if shape not in _WAVES:
            raise ValidationError(
                f"{name}: shape", f"{shape!r} is unknown; shapes: {', '.join(get_args(LfoShape))}"
            )
        self.shape = shape
        self._phasor = Phasor(config.sample_rate)
        self.set_parameter("rate_hz", rate_hz)
        self.set_parameter("depth", depth)

    def _restart(self) -> None:
        self._phasor.restart()

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        phase = self._phasor.advance(self._moving("rate_hz", frames), frames)
        wave = _WAVES[self.shape](phase - np.floor(phase)) * self._moving("depth", frames)
        return np.asarray(wave)[:, None]
