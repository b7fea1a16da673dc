"""The libraries, listed and described: for the command and the API. Plain JSON.

Both tables are read anew at each call, so that nothing can be told of them that the engine does not do.
"""

from __future__ import annotations

from typing import Any

from functions.transform.fx_chain import Preset
from functions.transform.macros import AMOUNT, MACROS, Macro, MacroStage, macro_named
from functions.transform.presets import PRESETS, preset_named
from shared.audio.parameters import ParameterSpec


def list_presets() -> list[dict[str, Any]]:
    """Every preset, in the library's order: id, title, category, what it does."""
    return [_short(preset.preset_id, preset) for preset in PRESETS.values()]


def describe_preset(preset_id: str) -> dict[str, Any]:
    """One preset with its knobs; raises ``ValidationError`` listing the known ids."""
    preset = preset_named(preset_id)
    return {
        **_short(preset.preset_id, preset),
        "knobs": [_knob(spec) for spec in preset.knobs],
        "stereo_only": preset.stereo,
        "longest_s": preset.longest_s,
    }


def list_macros() -> list[dict[str, Any]]:
    """Every macro: id, title, category, what it does."""
    return [_short(macro.macro_id, macro) for macro in MACROS.values()]


def describe_macro(macro_id: str) -> dict[str, Any]:
    """One macro: its knob, and what that drives; raises ``ValidationError`` listing the known ids."""
    macro = macro_named(macro_id)
    return {
        **_short(macro.macro_id, macro),
        "knobs": [_knob(AMOUNT)],
        "drives": [drive for stage in macro.stages for drive in _drives(stage)],
    }


def _short(identifier: str, row: Preset | Macro) -> dict[str, Any]:
    """What a list shows of either library's row; all of it is text."""
    return {"id": identifier, "title": row.title, "category": row.category, "does": row.does}


def _knob(spec: ParameterSpec) -> dict[str, Any]:
    """Range and default in the knob's ``unit``; ``scale``: how a face spreads it, ``linear`` or ``log``."""
    return {
        "name": spec.name,
        "display_name": spec.display_name,
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "default": spec.default,
        "unit": spec.unit,
        "musical_context": spec.musical_context,
        "scale": spec.scale,
    }


def _drives(stage: MacroStage) -> list[dict[str, Any]]:
    """One row for each knob of the stage that moves, and one, ``wet``, for how much of it is heard."""
    every = {"wet": stage.wet, **stage.drives}
    return [
        {
            "preset_id": stage.preset_id,
            "knob": name,
            "at_0": drive.low,
            "at_1": drive.high,
            "curve": drive.curve,
        }
        for name, drive in every.items()
    ]
