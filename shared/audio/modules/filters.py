"""Filters: the one-pole low-pass, and the multi-mode filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.modules.dsp import one_pole, two_states
from shared.audio.parameters import ParameterSpec
from shared.errors import ValidationError

Signal = NDArray[np.float64]
FilterMode = Literal["lowpass", "highpass", "bandpass", "notch"]

CUTOFF = ParameterSpec(
    "cutoff_hz", "Cutoff", 20.0, 20_000.0, 20_000.0, "Hz", "tone", "glides", "log"
)
RESONANCE = ParameterSpec("resonance", "Resonance", 0.0, 1.0, 0.0, "", "tone")

_INAUDIBLE = 1e-12
_HIGHEST = 0.49
"""Of the sample rate: a cutoff above it is held there."""


class OnePoleLowPass(AudioModule):
    """Takes the edge off, by 6 dB an octave above the cutoff.

    ``y[n] = y[n-1] + a (x[n] - y[n-1])``, ``a = 1 - exp(-2 pi cutoff / rate)``: the impulse response
    is that of the RC circuit, sampled.
    """

    parameters = (CUTOFF,)

    def __init__(
        self, name: str, config: EngineConfig, source: AudioModule, *, cutoff_hz: float = 20_000.0
    ) -> None:
        super().__init__(name, config, [source])
        self.set_parameter("cutoff_hz", cutoff_hz)
        self._restart()

    def _restart(self) -> None:
        self._state = np.zeros(1)

    def _settle(self) -> None:
        self._state = np.where(np.abs(self._state) < _INAUDIBLE, 0.0, self._state)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        (x,) = inputs
        cutoff = self._moving("cutoff_hz", frames)
        if not self._state.any() and not x.any():
            return x
        pole = np.exp(-2.0 * np.pi / self.config.sample_rate * cutoff)
        y = one_pole((x.T * (1.0 - pole)).T, pole, self._state)
        self._state = y[-1].copy()
        return y


class StateVariableFilter(AudioModule):
    """Low-pass, high-pass, band-pass or notch, 12 dB an octave, steady under fast sweeps.

    The trapezoidal state-variable filter of Andrew Simper, "Solving the continuous SVF equations
    using trapezoidal integration and equivalent currents" (Cytomic, 2013); names as there. Resonance
    0 to 1 is Q from 0.71 (flat) to 20, evenly in octaves. The band-pass peaks at 0 dB.
    """

    parameters = (CUTOFF, RESONANCE)

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        source: AudioModule,
        *,
        mode: FilterMode = "lowpass",
        cutoff_hz: float = 20_000.0,
        resonance: float = 0.0,
    ) -> None:
        super().__init__(name, config, [source])
        if mode not in _MIX:
            raise ValidationError(
                f"{name}: mode", f"{mode!r} is unknown; modes: {', '.join(get_args(FilterMode))}"
            )
        self.mode = mode
        self.set_parameter("cutoff_hz", cutoff_hz)
        self.set_parameter("resonance", resonance)
        self._restart()

    def _restart(self) -> None:
        self._state = np.zeros((1, 2))

    def _settle(self) -> None:
        if np.abs(self._state).max() < _INAUDIBLE:
            self._state = np.zeros_like(self._state)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        (x,) = inputs
        cutoff, resonance = self._moving("cutoff_hz", frames), self._moving("resonance", frames)
        if not self._state.any() and not x.any():
            return x
        g = np.tan(np.pi * np.minimum(np.divide(cutoff, self.config.sample_rate), _HIGHEST))
        k = 1.0 / (np.sqrt(0.5) * np.exp2(resonance * np.log2(20.0 * np.sqrt(2.0))))
        y, self._state = state_variable(x, g, k, self._state, self.mode)
        return y.T


def state_variable(
    x: Block, g: float | Signal, k: float | Signal, state: Signal, mode: FilterMode
) -> tuple[Signal, Signal]:
    """The filter itself: what comes out, ``(channels, frames)``, and the state after it.

    ``x`` is ``(frames, channels)``, ``state`` ``(channels, 2)``; ``g = tan(pi cutoff / rate)`` and the
    damping ``k = 1 / Q`` are numbers or ``(frames,)``.
    """
    a1 = 1.0 / (1.0 + g * (g + k))
    a2 = g * a1
    a3 = g * a2
    matrix = (2.0 * a1 - 1.0, -2.0 * a2, 2.0 * a2, 1.0 - 2.0 * a3)
    states = two_states(x, matrix, (2.0 * a2, 2.0 * a3), state)
    ic1, ic2 = states[:, :-1, 0], states[:, :-1, 1]
    v3 = x.T - ic2
    band = a1 * ic1 + a2 * v3
    low = ic2 + a2 * ic1 + a3 * v3
    m0, m1, m2 = _MIX[mode]
    return np.asarray(m0 * x.T + m1 * (k * band) + m2 * low), states[:, -1].copy()


_MIX: Mapping[FilterMode, tuple[float, float, float]] = {
    "lowpass": (0.0, 0.0, 1.0),
    "highpass": (1.0, -1.0, -1.0),
    "bandpass": (0.0, 1.0, 0.0),
    "notch": (1.0, -1.0, 0.0),
}
"""How much of input, damped band and low each mode hears (Simper's m0, m1, m2)."""
