"""What every module is: named controls, sources, and blocks that don't show where they were cut.

A module computes each sample from whole numbers of frames since something happened (a note, a turn
of a control), never from where a block started. So any block size gives the same bits.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.audio.automation import Change
from shared.audio.config import EngineConfig
from shared.audio.curves import SHAPES, Curve
from shared.audio.parameters import ParameterSpec
from shared.errors import ValidationError

Block = NDArray[np.float64]
"""``(frames, channels)``; a mono module gives one channel, which whoever needs two spreads."""

SETTLE_FRAMES = 8_192
"""Every so many frames a module may drop state too small to hear: on a grid of its own, so that
block sizes make no difference. It keeps decaying tails out of denormal numbers, which are slow."""

_ARRIVAL, _STEP, _TRIGGER = range(3)
"""The order of what happens at one frame."""


@dataclass(slots=True)
class _Fade:
    """A control on its way."""

    start_frame: int
    frames: int
    start: float
    target: float
    curve: Curve

    def values(self, position: int, frames: int) -> NDArray[np.float64]:
        first = position - self.start_frame
        gone = np.arange(first, first + frames) / self.frames
        return self.start + (self.target - self.start) * SHAPES[self.curve](gone)

    def ends(self, arrival: Change) -> bool:
        return self.start_frame + self.frames == arrival.frame


@dataclass(frozen=True, slots=True)
class _Modulation:
    """A module's first channel, moving a control of another."""

    source: AudioModule
    depth: float
    unit: Literal["value", "octaves"]


class AudioModule:
    """Base of all modules. Subclasses give ``parameters``, ``_restart`` and ``_render``."""

    parameters: tuple[ParameterSpec, ...] = ()

    def __init__(
        self, name: str, config: EngineConfig, sources: Sequence[AudioModule] = ()
    ) -> None:
        if not name:
            raise ValidationError("module", "needs a name")
        self.name = name
        self.config = config
        self.sources = tuple(sources)
        self._specs = {spec.name: spec for spec in self.parameters}
        self._chosen = {spec.name: spec.default for spec in self.parameters}
        self._now = dict(self._chosen)
        self._fades: dict[str, _Fade] = {}
        self._modulations: dict[str, list[_Modulation]] = {}
        self._modulators: dict[AudioModule, Block] = {}
        self._queue: list[tuple[int, int, int, Change]] = []
        self._order = itertools.count()
        self._position = 0
        self._block: Block | None = None
        self._block_start = 0

    # -- what musicians turn -------------------------------------------------------------------

    def spec(self, parameter: str) -> ParameterSpec:
        """The control of that name; raises ``ValidationError`` listing the module's controls."""
        if parameter not in self._specs:
            known = ", ".join(self._specs) or "none"
            raise ValidationError(self.name, f"has no control {parameter!r}; controls: {known}")
        return self._specs[parameter]

    @property
    def controls(self) -> tuple[str, ...]:
        """The names of its controls."""
        return tuple(self._specs)

    def value(self, parameter: str) -> float:
        """Where a control stands."""
        return self._now[self.spec(parameter).name]

    def set_parameter(self, name: str, value: float) -> None:
        """Turn a control now and for every later rendering; raises ``ValidationError``.

        A trigger acts at once and is not kept.
        """
        spec = self.spec(name)
        number = spec.check(self.name, value)
        if spec.motion != "trigger":
            self._chosen[name] = number
        self._apply(Change(self._position, name, number))

    def check_change(self, parameter: str, value: float, *, fades: bool = False) -> None:
        """Raise ``ValidationError`` unless automation may turn this control so."""
        spec = self.spec(parameter)
        spec.check(self.name, value)
        where = f"{self.name}: {spec.display_name}"
        if spec.motion == "setup":
            raise ValidationError(where, "is chosen before the sound starts and can't be automated")
        if fades and spec.motion != "glides":
            raise ValidationError(where, "moves in steps and can't be faded")

    def modulate(
        self,
        parameter: str,
        by: AudioModule,
        *,
        depth: float,
        unit: Literal["value", "octaves"] = "value",
    ) -> None:
        """Let another module's signal (-1 to 1) move a control, around where it stands.

        ``depth`` is in the control's own unit, or in octaves. The sum stays within the control's
        range. Raises ``ValidationError`` for a control that doesn't glide, and for a circle.
        """
        spec = self.spec(parameter)
        if spec.motion != "glides":
            raise ValidationError(f"{self.name}: {spec.display_name}", "can't be modulated")
        if self in by.upstream():
            raise ValidationError(self.name, f"would modulate itself through {by.name!r}")
        self._modulations.setdefault(parameter, []).append(_Modulation(by, float(depth), unit))

    def upstream(self) -> set[AudioModule]:
        """This module and all that it hears, directly or not."""
        moving = [one.source for group in self._modulations.values() for one in group]
        return {self}.union(*(one.upstream() for one in (*self.sources, *moving)))

    # -- what the engine does ------------------------------------------------------------------

    def reset(self) -> None:
        """Back to the start: controls as chosen, nothing sounding, nothing scheduled."""
        self._position = 0
        self._block = None
        self._now = dict(self._chosen)
        self._fades.clear()
        self._queue.clear()
        self._restart()

    def schedule(self, change: Change) -> None:
        """Have a control turned at a frame. Of one frame's changes, triggers act last."""
        last = self._specs[change.parameter].motion == "trigger"
        self._enqueue(change, _TRIGGER if last else _STEP)

    def _enqueue(self, change: Change, turn: int) -> None:
        heapq.heappush(self._queue, (change.frame, turn, next(self._order), change))

    def read(self, position: int, frames: int) -> Block:
        """The frames from ``position`` on, computed once however many modules listen."""
        if position == self._position:
            return self.process(frames)
        if self._block is None or (position, frames) != (self._block_start, len(self._block)):
            raise ValidationError(self.name, "is out of step with the modules that listen to it")
        return self._block

    def process(self, frames: int) -> Block:
        """The next ``frames`` frames: float64 ``(frames, channels)``, not to be written into."""
        start, stop = self._position, self._position + frames
        inputs = [source.read(start, frames) for source in self.sources]
        moving = self._read_modulators(start, frames)
        parts = []
        while self._position < stop:
            self._apply_due()
            until = min(stop, self._next_cut())
            piece = slice(self._position - start, until - start)
            self._modulators = {source: block[piece] for source, block in moving.items()}
            parts.append(self._render([block[piece] for block in inputs], until - self._position))
            self._position = until
        self._block = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._block_start = start
        return self._block

    def _read_modulators(self, start: int, frames: int) -> dict[AudioModule, Block]:
        if not self._modulations:
            return {}
        wanted = {one.source for group in self._modulations.values() for one in group}
        return {source: source.read(start, frames) for source in wanted}

    def _next_cut(self) -> int:
        grid = (self._position // SETTLE_FRAMES + 1) * SETTLE_FRAMES
        return min(grid, self._queue[0][0]) if self._queue else grid

    def _apply_due(self) -> None:
        while self._queue and self._queue[0][0] <= self._position:
            _, turn, _, change = heapq.heappop(self._queue)
            fade = self._fades.get(change.parameter)
            # A fade that another turn has cut off does not arrive.
            if turn != _ARRIVAL or (fade and fade.ends(change)):
                self._apply(change)
        if self._position % SETTLE_FRAMES == 0:
            self._settle()

    def _apply(self, change: Change) -> None:
        name = change.parameter
        fade = self._fades.pop(name, None)
        if change.fade_frames:
            start = fade.values(self._position, 1)[0] if fade else self._now[name]
            self._fades[name] = _Fade(
                change.frame, change.fade_frames, float(start), change.value, change.curve
            )
            arrival = Change(change.frame + change.fade_frames, name, change.value)
            self._enqueue(arrival, _ARRIVAL)
        else:
            self._now[name] = change.value
            self._turned(name, change.value)

    # -- what subclasses have ------------------------------------------------------------------

    def _moving(self, name: str, frames: int) -> float | NDArray[np.float64]:
        """A control over the next frames: a number while it stands still, else ``(frames,)``."""
        fade = self._fades.get(name)
        value = fade.values(self._position, frames) if fade else self._now[name]
        if name not in self._modulations:
            return value
        for one in self._modulations[name]:
            signal = self._modulators[one.source][:, 0] * one.depth
            value = value * np.exp2(signal) if one.unit == "octaves" else value + signal
        spec = self._specs[name]
        return np.clip(value, spec.minimum, spec.maximum)

    def _restart(self) -> None:
        """Forget all sound."""

    def _settle(self) -> None:
        """Drop state that is too small to hear (a chance to, every ``SETTLE_FRAMES``)."""

    def _turned(self, name: str, value: float) -> None:
        """A control was set (not faded) at the current position."""

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        """Frames between which no control steps; ``inputs`` are the sources' same frames."""
        raise NotImplementedError
