"""What a preset is, and how presets become one filter graph.

A piece of graph begins with a filter that takes the sound and ends with one that gives it, so that
pieces join with a comma, whatever is between. Labels inside a piece begin with its scene's ``tag``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from functions.transform.sound import Clamps, Sound
from shared.audio.parameters import MusicalContext, ParameterSpec, Scale
from shared.contracts.plurals import many
from shared.errors import UnsupportedMedia, ValidationError
from shared.media.ffmpeg_filters import joined, number

Category = Literal["voice", "music", "sound design"]
Knobs = Mapping[str, float]

GAIN_RANGE_DB = (-24.0, 24.0)
MAX_TAIL_MS = 10_000
"""As long as the longest ``cathedral`` takes to die."""


@dataclass(frozen=True)
class Scene:
    """What a preset must know of the sound it works on."""

    sample_rate_hz: int
    channels: int
    tag: str = "x"
    """What labels of the graph begin with, so that two pieces never share one."""

    def hz(self, frequency_hz: float) -> str:
        """A filter's frequency as ffmpeg reads it: at most 0.45 of the sample rate, short of its half."""
        return number(min(frequency_hz, 0.45 * self.sample_rate_hz))


def _not_late(knobs: Knobs, scene: Scene) -> int:
    return 0


@dataclass(frozen=True)
class Preset:
    """One row of the library."""

    preset_id: str
    title: str
    category: Category
    does: str
    """What it does, for people."""
    knobs: tuple[ParameterSpec, ...]
    build: Callable[[Knobs, Scene], str]
    """Knob values -> piece of filter graph. Pure."""
    late_samples: Callable[[Knobs, Scene], int] = _not_late
    """By how much the result comes after the sound, so that mixing can set it right: what it is mixed with
    would cancel some of it otherwise (a comb filter)."""
    stereo: bool = False
    """Makes sense for two channels alone."""
    longest_s: float | None = None
    """It holds the whole recording in memory, so none longer than this."""

    def check(self, values: Knobs) -> None:
        """Raise ``ValidationError`` for a knob that it doesn't have, listing those it has."""
        known = [spec.name for spec in self.knobs]
        for name in values:
            if name not in known:
                raise ValidationError(
                    f"knobs.{name}",
                    f"{self.preset_id} has no such knob; it has: {', '.join(known)}",
                )

    def settle(self, values: Knobs, clamps: Clamps) -> dict[str, float]:
        """Every knob's value: the given one, within its range, or the default."""
        return {
            spec.name: clamps.take(
                spec.name, float(values.get(spec.name, spec.default)), spec.minimum, spec.maximum
            )
            for spec in self.knobs
        }

    def check_sound(self, sound: Sound) -> None:
        """Raise ``UnsupportedMedia`` for a recording that it cannot work on."""
        if self.stereo and sound.channels != 2:
            raise UnsupportedMedia(
                f"{self.preset_id} works on stereo, the recording has {many(sound.channels, 'channel')}"
            )
        if self.longest_s is None:
            return
        if sound.duration_ms is None or sound.duration_ms > 1000 * self.longest_s:
            raise UnsupportedMedia(
                f"{self.preset_id} works on recordings of up to {self.longest_s / 60:g} minutes"
            )


def knob(  # noqa: PLR0913, PLR0917 - a table's columns
    name: str,
    title: str,
    span: tuple[float, float],
    default: float,
    unit: str = "",
    context: MusicalContext = "tone",
    scale: Scale = "linear",
) -> ParameterSpec:
    """A preset's knob, chosen before the sound starts."""
    return ParameterSpec(name, title, *span, default, unit, context, "setup", scale)


@dataclass(frozen=True)
class Stage:
    """A preset with its knobs set, and how much of it is heard."""

    preset: Preset
    knobs: Mapping[str, float]
    """All of the preset's, within their ranges."""
    wet: float = 1.0
    """0: nothing of it, 1: nothing of what came in."""

    def piece(self, scene: Scene) -> str:
        """Its piece of graph, mixed with what came in."""
        late = self.preset.late_samples(self.knobs, scene)
        return mixed(self.preset.build(self.knobs, scene), self.wet, scene.tag, late)


@dataclass(frozen=True)
class Mix:
    """What is done with the effect as a whole."""

    dry_wet: float = 1.0
    """0: the recording alone, 1: the effect alone."""
    gain_db: float = 0.0
    tail_ms: float = 0.0

    @classmethod
    def settled(cls, dry_wet: float, gain_db: float, tail_ms: float, clamps: Clamps) -> Mix:
        """Within the ranges."""
        return cls(
            clamps.take("dry_wet", dry_wet, 0.0, 1.0),
            clamps.take("gain_db", gain_db, *GAIN_RANGE_DB),
            clamps.take("tail_ms", tail_ms, 0.0, MAX_TAIL_MS),
        )


def chain_of(stages: Sequence[Stage], mix: Mix, sound: Sound) -> str:
    """The whole piece of graph; empty where nothing would change.

    Tail, then presets in order, then all of them against the recording, then gain. A stage of which nothing
    is heard is left out, and may then be one that could not work on the sound; a tail without any effect,
    too. Raises ``UnsupportedMedia``.
    """
    scene = Scene(sound.sample_rate_hz, sound.channels)
    heard = [stage for stage in stages if stage.wet > 0] if mix.dry_wet > 0 else []
    for stage in heard:
        stage.preset.check_sound(sound)
    pieces = [stage.piece(replace(scene, tag=f"s{index}")) for index, stage in enumerate(heard)]
    effect = joined(pieces)
    if effect and mix.dry_wet < 1:
        effect = mixed(effect, mix.dry_wet, "all")
    tail_samples = round(mix.tail_ms * sound.sample_rate_hz / 1000) if effect else 0
    return joined(
        [
            f"apad=pad_len={tail_samples}" if tail_samples else "",
            effect,
            f"volume={number(mix.gain_db)}dB" if mix.gain_db else "",
        ]
    )


def mixed(piece: str, wet: float, tag: str, late_samples: int = 0) -> str:
    """``piece`` and what goes into it, in time with each other and of the very same length.

    ``wet`` of the one, 1 - ``wet`` of the other, in amplitude: sounds that are alike keep their level. A
    piece that turns phases cancels some of what it is mixed with.
    """
    if late_samples:
        # Silence behind pushes the end out of filters that hold it back.
        begin, end = f"apad=pad_len={late_samples},", f",atrim=start_sample={late_samples}"
        piece = f"{begin}{piece}{end},asetpts=N/SR/TB"
    return (
        f"asplit[{tag}dry][{tag}in];[{tag}in]{piece},apad[{tag}wet];"
        f"[{tag}wet][{tag}dry]{added(wet, 1 - wet)}"
    )


def beside(piece: str, level: float, tag: str) -> str:
    """The sound, and ``piece`` of it added at ``level`` (in amplitude): as long as the sound, a tail cut off.

    Whoever wants the tail has ``tail_ms`` put behind the sound first.
    """
    return (
        f"asplit[{tag}a][{tag}b];[{tag}b]{piece},apad[{tag}c];[{tag}c][{tag}a]{added(level, 1.0)}"
    )


def added(padded: float, first: float) -> str:
    """Two sounds into one, with their levels: an endless one, and one that says how long it lasts.

    In this order, for ``amix`` loses the end of its first input where the second is slow to come.
    """
    weights = f"{number(padded)} {number(first)}"
    return f"amix=inputs=2:duration=shortest:normalize=0:weights='{weights}'"
