"""Loudness over a note's life: attack, decay, sustain, release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.parameters import ParameterSpec

_FALL = float(np.log(1_000.0))
"""Decay and release fall as rooms do, by 60 dB over their time, and then reach their end exactly."""


@dataclass(slots=True)
class _Stage:
    """A stretch of the envelope: ``frames`` long (``None``: until the gate moves)."""

    frames: int | None
    start: float
    target: float
    falling: bool = False
    gone: int = 0

    def levels(self, frames: int) -> NDArray[np.float64]:
        assert self.frames is not None
        time = np.arange(self.gone, self.gone + frames, dtype=np.float64)
        time /= self.frames
        if not self.falling:
            return self.start + (self.target - self.start) * time
        left = (np.exp(-_FALL * time) - np.exp(-_FALL)) / (1.0 - np.exp(-_FALL))
        return np.asarray(self.target + (self.start - self.target) * left)


class AmplitudeEnvelope(AudioModule):
    """Shapes its source's level, note by note; without a source it gives the level itself.

    The gate opening starts the attack from wherever the level is, so retriggers don't click. The
    attack is a straight line to ``peak``; decay goes to ``sustain`` times ``peak``.
    """

    parameters = (
        ParameterSpec("gate", "Gate", 0.0, 1.0, 0.0, "", "articulation", "trigger"),
        ParameterSpec("attack_ms", "Attack", 0.0, 10_000.0, 5.0, "ms", "articulation", "per_note"),
        ParameterSpec("decay_ms", "Decay", 0.0, 20_000.0, 0.0, "ms", "articulation", "per_note"),
        ParameterSpec("sustain", "Sustain", 0.0, 1.0, 1.0, "", "dynamics", "per_note"),
        ParameterSpec(
            "release_ms", "Release", 0.0, 20_000.0, 80.0, "ms", "articulation", "per_note"
        ),
        ParameterSpec("peak", "Note level", 0.0, 1.0, 1.0, "", "dynamics", "per_note"),
    )

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        source: AudioModule | None = None,
        *,
        attack_ms: float = 5.0,
        release_ms: float = 80.0,
    ) -> None:
        super().__init__(name, config, [source] if source else [])
        self.set_parameter("attack_ms", attack_ms)
        self.set_parameter("release_ms", release_ms)
        self._restart()

    def _restart(self) -> None:
        self._open = False
        self._stages: list[_Stage] = [_Stage(None, 0.0, 0.0)]

    def _turned(self, name: str, value: float) -> None:
        if name != "gate" or self._open == (value > 0.0):
            return
        self._open = value > 0.0
        level = self._level_now()
        self._stages = self._notes_start(level) if self._open else self._notes_end(level)

    def _notes_start(self, level: float) -> list[_Stage]:
        peak = self._now["peak"]
        held = peak * self._now["sustain"]
        return [
            _Stage(self._frames("attack_ms"), level, peak),
            _Stage(self._frames("decay_ms"), peak, held, falling=True),
            _Stage(None, held, held),
        ]

    def _notes_end(self, level: float) -> list[_Stage]:
        return [
            _Stage(self._frames("release_ms"), level, 0.0, falling=True),
            _Stage(None, 0.0, 0.0),
        ]

    def _frames(self, name: str) -> int:
        return round(self._now[name] * self.config.sample_rate / 1_000.0)

    def _level_now(self) -> float:
        for stage in self._stages:
            if stage.frames is None:
                return stage.target
            if stage.gone < stage.frames:
                return float(stage.levels(1)[0])
        raise AssertionError("the last stage has no end")

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        level = self._levels(frames)
        if not inputs:
            return np.full((frames, 1), level) if isinstance(level, float) else level[:, None]
        if isinstance(level, float):
            return _held(inputs[0], level)
        return inputs[0] * level[:, None]

    def _levels(self, frames: int) -> float | NDArray[np.float64]:
        """The next frames' level: one number where it stands still."""
        pieces: list[NDArray[np.float64]] = []
        wanted = frames
        while wanted:
            stage = self._stages[0]
            if stage.frames is None:
                if wanted == frames:
                    return stage.target
                pieces.append(np.full(wanted, stage.target))
                break
            count = min(wanted, stage.frames - stage.gone)
            if count:
                pieces.append(stage.levels(count))
            stage.gone += count
            wanted -= count
            if stage.gone == stage.frames:
                self._stages.pop(0)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _held(sound: Block, level: float) -> Block:
    """The sound at a level that stands still, without work where it is all or nothing."""
    if level == 0.0:
        return np.zeros_like(sound)
    return sound if level == 1.0 else sound * level
