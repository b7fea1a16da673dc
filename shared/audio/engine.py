"""Rendering without a clock: blocks of audio from modules, with automation to the frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.audio.automation import AutomationTimeline
from shared.audio.config import EngineConfig
from shared.audio.curves import Curve
from shared.audio.modules.base import AudioModule
from shared.audio.tempo import Number, TempoMap
from shared.errors import ValidationError

__all__ = ["EngineConfig", "OfflineAudioEngine"]

MAX_DURATION_S = 3_600


class OfflineAudioEngine:
    """Modules, a timeline of changes, and one output.

    Every rendering starts afresh at beat 0, so the same engine gives the same samples again.
    """

    def __init__(self, config: EngineConfig, tempo_map: TempoMap | None = None) -> None:
        self.config = config
        self.timeline = AutomationTimeline(tempo_map or TempoMap())
        self._modules: dict[str, AudioModule] = {}
        self._output: AudioModule | None = None

    @property
    def tempo_map(self) -> TempoMap:
        """The tempo by which beats become frames."""
        return self.timeline.tempo_map

    @property
    def modules(self) -> tuple[AudioModule, ...]:
        """All modules, in the order they were added."""
        return tuple(self._modules.values())

    def add_module(self, module: AudioModule, *, as_output: bool = False) -> AudioModule:
        """Make a module known by its name, and perhaps what is heard; raises on a name twice."""
        if module.name in self._modules:
            raise ValidationError("module", f"there is a {module.name!r} already")
        if module.config.sample_rate != self.config.sample_rate:
            raise ValidationError("module", f"{module.name!r} runs at another sample rate")
        self._modules[module.name] = module
        if as_output:
            self._output = module
        return module

    def module(self, name: str) -> AudioModule:
        """The module of that name; raises ``ValidationError`` listing the known ones."""
        if name not in self._modules:
            known = ", ".join(self._modules) or "none yet"
            raise ValidationError("module", f"there is no {name!r}; modules: {known}")
        return self._modules[name]

    def schedule_parameter_change(
        self,
        module: str,
        parameter: str,
        *,
        beats: Number,
        value: float,
        fade_beats: Number = 0,
        curve: Curve = "linear",
    ) -> None:
        """Turn a control at a beat, at once or over ``fade_beats``.

        Raises ``ValidationError`` for an unknown module or control, a value out of its range, a
        fade on a control that doesn't glide, or a control that can't be turned while playing.
        """
        self.module(module).check_change(parameter, value, fades=bool(fade_beats))
        self.timeline.schedule(
            module, parameter, beats=beats, value=value, fade_beats=fade_beats, curve=curve
        )

    def render(self, duration_s: Number) -> NDArray[np.float32]:
        """Render from beat 0: float32 ``(samples, channels)``.

        Raises ``ValidationError`` where no module is the output, or for a duration that is not
        above 0 and within an hour.
        """
        frames = self.frames_of(duration_s)
        audio = np.empty((frames, self.config.channels), np.float32)
        start = 0
        for (part,) in self._parts(frames, ()):
            audio[start : start + len(part)] = part
            start += len(part)
        return audio

    def render_blocks(self, duration_s: Number) -> Iterator[NDArray[np.float32]]:
        """The same, handed out in blocks of ``block_size`` (the last may be shorter)."""
        size = self.config.block_size
        for (part,) in self._parts(self.frames_of(duration_s), ()):
            for start in range(0, len(part), size):
                yield part[start : start + size]

    def render_with_taps(
        self, duration_s: Number, taps: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.float32], ...]]:
        """Pieces of the output and, beside it, of the named modules: stems in one pass.

        A tap must feed the output, directly or not.
        """
        yield from self._parts(self.frames_of(duration_s), [self.module(tap) for tap in taps])

    def frames_of(self, duration_s: Number) -> int:
        """Whole frames of a duration; raises ``ValidationError`` unless it is 0 to 3,600 s."""
        if not 0 < duration_s <= MAX_DURATION_S:
            raise ValidationError("duration", f"{float(duration_s):g} s is not within 0 to 3,600 s")
        return max(1, round(duration_s * self.config.sample_rate))

    def _parts(
        self, frames: int, taps: Sequence[AudioModule]
    ) -> Iterator[tuple[NDArray[np.float32], ...]]:
        output = self._rewound_output()
        for start in range(0, frames, self.config.call_frames):
            count = min(self.config.call_frames, frames - start)
            heard = output.read(start, count)
            yield tuple(
                self._to_border(block, count)
                for block in (heard, *(tap.read(start, count) for tap in taps))
            )

    def _to_border(self, block: NDArray[np.float64], count: int) -> NDArray[np.float32]:
        """float32, and as many channels as the engine has."""
        if block.shape[1] > self.config.channels:
            block = block.mean(axis=1, keepdims=True)
        border = np.empty((count, self.config.channels), np.float32)
        border[:] = block
        border += 0.0  # no negative zeros: equal samples have equal bytes
        return border

    def _rewound_output(self) -> AudioModule:
        """Every module at its start, with its changes ahead of it."""
        if self._output is None:
            raise ValidationError("output", "no module was added with as_output=True")
        heard = {*self._modules.values(), *self._output.upstream()}
        for module in heard:
            module.reset()
        for name, change in self.timeline.changes(self.config.sample_rate):
            self._modules[name].schedule(change)
        return self._output
