"""``transform.macro``: a recording through several presets that one knob drives (see ``macros``).

The presets stand one after the other in one filter graph, each mixed with what came into it by its own
``wet``; ``dry_wet`` then mixes all of them with the recording. What comes out is as ``transform.fx`` has it,
an ``audio_macro`` whose meta says under ``driven`` where every knob stood.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from functions.transform.fx import EffectParams, Made, make
from functions.transform.fx_chain import Mix
from functions.transform.macros import AMOUNT, macro_named
from functions.transform.sound import Clamps, ffmpeg_backend, knob_meta
from shared.contracts.step_engine import Backend, Engine, Job, Result


class MacroParams(EffectParams):
    """Which macro, and how far it is turned up."""

    macro_id: str = ""
    """A macro's id; there is no default."""
    amount: float = AMOUNT.default
    """The one knob, 0 to 1. At 0 the recording stays as it is."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        macro_named(self.macro_id)
        return self


def backend() -> Backend:
    """ffmpeg's filters; raises ``MissingDependency``."""
    return ffmpeg_backend("macro-8")


def run(job: Job, params: MacroParams, backend: Backend) -> Result:
    """Make it; raises ``UnsupportedMedia`` where one of its presets can't work on the recording.

    ``knob_values`` holds the one knob, ``preset_id`` the macro's id.
    """
    macro, clamps = macro_named(params.macro_id), Clamps()
    amount = clamps.take("amount", params.amount, AMOUNT.minimum, AMOUNT.maximum)
    mix = Mix.settled(params.dry_wet, params.gain_db, params.tail_ms, clamps)
    stages = macro.at(amount)
    about = {
        "preset_id": macro.macro_id,
        "knob_values": knob_meta({"amount": amount}),
        "driven": [
            {
                "preset_id": stage.preset.preset_id,
                "wet": round(stage.wet, 6),
                "knob_values": knob_meta(stage.knobs),
            }
            for stage in stages
        ],
    }
    made = Made("macro", macro.title, about, params.excerpt_from_ms)
    return make(job, stages, mix, clamps, made)


ENGINE = Engine(params=MacroParams, backend=backend, run=run)
