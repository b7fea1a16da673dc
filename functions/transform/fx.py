"""``transform.fx``: a recording through one preset of the library (see ``presets``).

    params clamped -> preset's piece of filter graph -> mixed with the recording, gained -> ``effect.render``

It reads the recording's sound alone, and writes ``audio_fx`` and a ``preview``, or an ``audio_excerpt`` of
ten seconds without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from functions.transform.effect import render
from functions.transform.fx_chain import Mix, Stage, chain_of
from functions.transform.presets import preset_named
from functions.transform.sound import Clamps, ffmpeg_backend, knob_meta, open_sound
from functions.transform.spectrum import preview
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams


class EffectParams(SoundParams):
    """What every effect lets its user set.

    Numbers beyond their range are clamped when the effect is made, and its meta says so under
    ``clamped``; here they stand as given, so that each request keeps its own result.
    """

    dry_wet: float = 1.0
    """0: the recording, untouched; 1: the effect alone."""
    gain_db: float = 0.0
    """Level of the result, -24 to 24."""
    tail_ms: float = 0.0
    """So much silence is put behind the recording for echoes to ring out in, 0 to 10,000."""
    excerpt_from_ms: float | None = Field(default=None, ge=0)
    """Make ten seconds from here on, to be tried: an ``audio_excerpt``, which is no result."""


class FxParams(EffectParams):
    """Which preset, how its knobs stand, how much of it is heard."""

    preset_id: str = ""
    """A preset's id; there is no default."""
    knobs: Mapping[str, float] = Field(default_factory=dict)
    """Knob -> value; those that are not named keep their default."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        preset_named(self.preset_id).check(self.knobs)
        return self


def backend() -> Backend:
    """ffmpeg's filters; raises ``MissingDependency``."""
    return ffmpeg_backend("fx-8")


def run(job: Job, params: FxParams, backend: Backend) -> Result:
    """Make it; raises ``UnsupportedMedia`` where the preset can't work on the recording.

    Also what ``effect.render`` raises, and ``ValidationError`` for an excerpt behind the recording's end.
    """
    preset, clamps = preset_named(params.preset_id), Clamps()
    knobs = preset.settle(params.knobs, clamps)
    mix = Mix.settled(params.dry_wet, params.gain_db, params.tail_ms, clamps)
    about = {"preset_id": preset.preset_id, "knob_values": knob_meta(knobs)}
    made = Made("fx", preset.title, about, params.excerpt_from_ms)
    return make(job, [Stage(preset, knobs)], mix, clamps, made)


class Made:
    """How the result of an effect is called: ``audio_{name}``, and what its meta says of the choice."""

    def __init__(
        self, name: str, title: str, about: Mapping[str, Any], excerpt_from_ms: float | None
    ) -> None:
        self.name = name
        self.title = title
        self.about = about
        self.excerpt_from_ms = excerpt_from_ms


def make(job: Job, stages: list[Stage], mix: Mix, clamps: Clamps, made: Made) -> Result:
    """Send the recording through the stages: the audio and its audition picture, or an excerpt alone."""
    sound = open_sound(job, made.excerpt_from_ms)
    rendered = render(job, sound, chain_of(stages, mix, sound), name=made.name)
    meta = {
        **made.about,
        "dry_wet": mix.dry_wet,
        "gain_db": mix.gain_db,
        "tail_ms": mix.tail_ms,
        "clamped": clamps.report,
        "sample_rate_hz": sound.sample_rate_hz,
        "channels": sound.channels,
        **rendered.audio.meta,
    }
    if made.excerpt_from_ms is not None:
        meta["start_ms"] = made.excerpt_from_ms
        return Result([Output("audio_excerpt", made.name, rendered.audio.path, "audio/wav", meta)])
    audio = Output(f"audio_{made.name}", made.name, rendered.audio.path, "audio/wav", meta)
    return Result([audio, preview(job, rendered, made.title)])


ENGINE = Engine(params=FxParams, backend=backend, run=run)
