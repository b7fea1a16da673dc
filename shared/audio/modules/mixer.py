"""The mixing desk: any number of sources into one, at a level and a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.parameters import ParameterSpec

_SILENT_DB = -96.0


class MixBus(AudioModule):
    """Adds its sources up and sets their level and place: a channel strip, a send, a group, a master.

    Pan keeps the power (left ``sqrt(1 - pan)``, right ``sqrt(1 + pan)``) and leaves the middle
    untouched: a source panned hard to one side is 3 dB louder there. -96 dB is silence.
    """

    parameters = (
        ParameterSpec("gain_db", "Fader", _SILENT_DB, 24.0, 0.0, "dB", "dynamics"),
        ParameterSpec("pan", "Pan", -1.0, 1.0, 0.0, "", "space"),
    )

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        sources: Sequence[AudioModule],
        *,
        gain_db: float = 0.0,
        pan: float = 0.0,
    ) -> None:
        super().__init__(name, config, sources)
        self.set_parameter("gain_db", gain_db)
        self.set_parameter("pan", pan)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        total, gain = self._sum(inputs, frames), self._gain(frames)
        pan = self._moving("pan", frames)
        # As wide as the engine, panned or not, so that what follows has one width to work on.
        shape = (frames, max(total.shape[1], self.config.channels))
        wide = np.broadcast_to(total, shape)
        if isinstance(gain, float) and isinstance(pan, float) and (gain, pan) == (1.0, 0.0):
            return wide
        moved = np.empty(shape)
        for channel in range(shape[1]):
            side = np.sqrt(1.0 + pan if channel else 1.0 - pan) if shape[1] == 2 else 1.0
            np.multiply(wide[:, channel], gain * side, out=moved[:, channel])
        return moved

    def _gain(self, frames: int) -> float | NDArray[np.float64]:
        gain_db = self._moving("gain_db", frames)
        if isinstance(gain_db, np.ndarray):
            return np.where(gain_db > _SILENT_DB, np.exp(gain_db * (np.log(10.0) / 20.0)), 0.0)
        return float(np.exp(gain_db * (np.log(10.0) / 20.0))) if gain_db > _SILENT_DB else 0.0

    def _sum(self, inputs: Sequence[Block], frames: int) -> Block:
        if len(inputs) == 1:
            return inputs[0]
        widest = max((block.shape[1] for block in inputs), default=1)
        total = np.zeros((frames, widest))
        for block in inputs:
            total += block
        return total
