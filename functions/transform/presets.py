"""The preset library: one table, which the engine, the listing and the docs read.

A new preset is a row in one of the three modules and a line in docs/transforms.md, which a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping

from functions.transform.fx_chain import Preset
from functions.transform.presets_music import MUSIC
from functions.transform.presets_sound_design import SOUND_DESIGN
from functions.transform.presets_voice import VOICE
from shared.errors import ValidationError

PRESETS: Mapping[str, Preset] = {
    preset.preset_id: preset for preset in (*VOICE, *MUSIC, *SOUND_DESIGN)
}


def preset_named(preset_id: str) -> Preset:
    """The row; raises ``ValidationError`` that lists the known ids."""
    if preset_id not in PRESETS:
        told = f"{preset_id!r} is unknown" if preset_id else "is needed"
        raise ValidationError("preset_id", f"{told}; known: {', '.join(PRESETS)}")
    return PRESETS[preset_id]
