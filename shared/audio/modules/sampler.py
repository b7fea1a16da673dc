"""A sampler: recordings played by touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from shared.audio.config import EngineConfig
from shared.audio.modules.base import AudioModule, Block
from shared.audio.modules.layers import (
    MAX_VELOCITY,
    ClipSampleLayer,
    evened,
    in_order,
    layer_weights,
    likeness,
)
from shared.audio.parameters import ParameterSpec
from shared.errors import ValidationError

__all__ = ["ClipSampleLayer", "ClipSampler"]

_CUT_FADE_MS = 2.0
"""A clip that is entered or left in its midst is faded so long: no click, and hardly softer."""
_LONGEST_S = 240
"""A clip transposed down may not grow longer."""


@dataclass(slots=True)
class _Voice:
    """One layer of one note. ``position`` and ``end`` are frames of the clip."""

    clip: NDArray[np.floating]
    position: int
    end: int
    gain: float
    fade_in: int
    """Frames at the start, and"""
    fade_out: int
    """at the end of the stretch, over which the sound comes and goes."""
    start: int = 0
    dying: int | None = None
    """Frames since a later note took over; ``None`` while this is the sounding note."""
    dying_frames: int = 1

    def next(self, frames: int) -> Block:
        """Up to ``frames`` frames, fewer at the end: ``(frames, channels)``."""
        count = min(frames, self.end - self.position)
        if self.dying is not None:
            count = min(count, self.dying_frames - self.dying)
        sound: Block = np.multiply(
            self.clip[self.position : self.position + count], self.gain, dtype=np.float64
        )
        self._fade_edges(sound, count)
        if self.dying is not None:
            left = 1.0 - np.arange(self.dying, self.dying + count) / self.dying_frames
            sound *= left[:, None]
            self.dying += count
        self.position += count
        return sound

    def _fade_edges(self, sound: Block, count: int) -> None:
        since = self.position - self.start
        if since < self.fade_in:
            rise = np.minimum(np.arange(since, since + count) / self.fade_in, 1.0)
            sound *= rise[:, None]
        left = self.end - self.position
        if self.fade_out and left - count < self.fade_out:
            fall = np.minimum(np.arange(left, left - count, -1) / self.fade_out, 1.0)
            sound *= fall[:, None]

    @property
    def over(self) -> bool:
        return self.position >= self.end or (
            self.dying is not None and self.dying >= self.dying_frames
        )


class ClipSampler(AudioModule):
    """Plays a clip, or the layers that a velocity calls for, at each retrigger.

    Turn ``velocity`` and ``pitch_semitones`` before ``retrigger`` (at the same beat is fine). A new
    note lets the old one go over ``retrigger_fade_ms``; a long one lets tails ring on.
    """

    parameters = (
        ParameterSpec("retrigger", "Play", 0.0, 1.0, 0.0, "", "articulation", "trigger"),
        ParameterSpec(
            "velocity", "Velocity", 0.0, float(MAX_VELOCITY), 100.0, "", "dynamics", "per_note"
        ),
        ParameterSpec("amplitude", "Level", 0.0, 4.0, 1.0, "", "dynamics"),
        ParameterSpec("pitch_semitones", "Transpose", -72.0, 72.0, 0.0, "st", "pitch", "per_note"),
        ParameterSpec("start_percent", "Start", 0.0, 1.0, 0.0, "", "sample", "per_note"),
        ParameterSpec("length_percent", "Length", 0.0, 1.0, 1.0, "", "sample", "per_note"),
        ParameterSpec(
            "velocity_amplitude_min", "Softest level", 0.0, 2.0, 0.0, "", "dynamics", "per_note"
        ),
        ParameterSpec(
            "velocity_amplitude_max", "Loudest level", 0.0, 2.0, 1.0, "", "dynamics", "per_note"
        ),
        ParameterSpec(
            "velocity_start_offset_percent",
            "Soft notes skip",
            0.0,
            1.0,
            0.0,
            "",
            "articulation",
            "per_note",
        ),
        ParameterSpec(
            "velocity_crossfade_width",
            "Layer crossfade",
            0.0,
            float(MAX_VELOCITY),
            0.0,
            "velocities",
            "dynamics",
            "per_note",
        ),
        ParameterSpec(
            "retrigger_fade_ms", "Old note fades", 0.5, 20_000.0, 8.0, "ms", "time", "per_note"
        ),
    )

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        *,
        layers: Sequence[ClipSampleLayer],
        start_percent: float = 0.0,
        length_percent: float = 1.0,
    ) -> None:
        """Starts and lengths are fractions of a clip, 0 to 1. Raises ``ValidationError``."""
        super().__init__(name, config)
        self._layers = in_order(layers)
        self._clips = [layer.clip for layer in self._layers]
        self._alike = likeness(self._clips)
        self._pitched: dict[tuple[int, float], NDArray[np.floating]] = {}
        self.set_parameter("start_percent", start_percent)
        self.set_parameter("length_percent", length_percent)
        self._restart()

    def share_clips(self, other: ClipSampler) -> None:
        """Hold no clips of its own, but those of another sampler with the same layers."""
        if other._layers != self._layers:
            raise ValidationError(self.name, f"has other layers than {other.name!r}")
        self._clips, self._pitched = other._clips, other._pitched

    def _restart(self) -> None:
        self._voices: list[_Voice] = []

    def _turned(self, name: str, value: float) -> None:
        if name == "retrigger" and value > 0.0:
            self._let_go()
            self._play()

    def _let_go(self) -> None:
        frames = max(1, self._frames(self._now["retrigger_fade_ms"]))
        for voice in self._voices:
            if voice.dying is None:
                voice.dying, voice.dying_frames = 0, frames

    def _play(self) -> None:
        now = self._now
        touch = now["velocity"] / MAX_VELOCITY
        low, high = now["velocity_amplitude_min"], now["velocity_amplitude_max"]
        gain = low + (high - low) * touch
        weights = layer_weights(self._layers, now["velocity"], now["velocity_crossfade_width"])
        for index, weight in enumerate(evened(weights, self._alike)):
            if weight and gain:
                self._voices.append(self._voice(index, float(weight) * gain, touch))

    def _voice(self, index: int, gain: float, touch: float) -> _Voice:
        """A note of one layer, from where start, length and velocity have it begin and end."""
        clip = self._clip(index, self._now["pitch_semitones"])
        first = self._now["start_percent"] * len(clip)
        length = min(self._now["length_percent"] * len(clip), len(clip) - first)
        skipped = self._now["velocity_start_offset_percent"] * (1.0 - touch) * length
        start, end = round(first + skipped), round(first + length)
        cut = min(self._frames(_CUT_FADE_MS), max(0, end - start) // 2)
        return _Voice(
            clip,
            start,
            max(start, end),
            gain,
            fade_in=cut if start else 0,
            fade_out=cut if end < len(clip) else 0,
            start=start,
        )

    def _clip(self, index: int, semitones: float) -> NDArray[np.floating]:
        if semitones == 0.0:
            return self._clips[index]
        key = (index, semitones)
        if key not in self._pitched:
            self._pitched[key] = _transposed(
                self._clips[index], semitones, _LONGEST_S * self.config.sample_rate
            )
        return self._pitched[key]

    def _frames(self, time_ms: float) -> int:
        return round(time_ms * self.config.sample_rate / 1_000.0)

    def _render(self, inputs: Sequence[Block], frames: int) -> Block:
        sound = np.zeros((frames, self._clips[0].shape[1]))
        for voice in self._voices:
            part = voice.next(frames)
            sound[: len(part)] += part
        self._voices = [voice for voice in self._voices if not voice.over]
        amplitude = self._moving("amplitude", frames)
        if isinstance(amplitude, np.ndarray):
            return sound * amplitude[:, None]
        return sound if amplitude == 1.0 else sound * amplitude


def _transposed(clip: NDArray[np.float64], semitones: float, longest: int) -> NDArray[np.float32]:
    """The clip played faster or slower, band-limited; within 0.05 cents of the interval.

    In single precision, for a piece may need many.
    """
    from scipy.signal import resample_poly

    ratio = Fraction(2.0 ** (-semitones / 12.0)).limit_denominator(1_000)
    if len(clip) * ratio > longest:
        raise ValidationError("Transpose", f"{semitones:g} st makes this clip too long to play")
    moved = resample_poly(clip, ratio.numerator, ratio.denominator, axis=0)
    return np.asarray(moved, np.float32)
