"""What docs/mix.md and docs/timeline.md say of presets, fields and the example is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from functions.render.audio import AudioRenderParams
from functions.render.audio.export_presets import EXPORT_PRESETS, MIX_PRESETS
from functions.render.audio.mix_plan import MONO_LU, STAGES, plan_mix
from shared.contracts.timeline_parts import AudioClip, Automation
from shared.interchange.edl import to_edl
from shared.interchange.otio import from_otio, to_otio

DOCS = Path(__file__).parents[3] / "docs"
TEXT = "\n\n".join((DOCS / name).read_text() for name in ("mix.md", "timeline.md"))
LENGTHS = {"ast_host": 200_000.0, "art_theme": 180_000.0}


def rows(first_column: str) -> list[list[str]]:
    table = TEXT.split(f"| {first_column} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def test_the_example_can_be_planned_and_handed_on() -> None:
    example = json.loads((DOCS / "examples" / "podcast.timeline.json").read_text())
    params = AudioRenderParams.model_validate({"timeline": example, "export_preset": "podcast"})
    plan = plan_mix(params.timeline, LENGTHS, "podcast")
    assert [one.bus.bus_id for one in plan.buses] == ["bus_dialogue", "bus_music"]
    assert from_otio(to_otio(params.timeline, LENGTHS)).timeline == params.timeline
    assert "* LOC: 00:01:35:00 RED     The interview" in to_edl(params.timeline, LENGTHS)


def test_the_export_presets_are_as_documented() -> None:
    documented = {
        row[0].strip("`"): row[1:] for row in rows("preset | LUFS stereo") if len(row) == 8
    }
    assert set(documented) == set(EXPORT_PRESETS)
    for name, preset in EXPORT_PRESETS.items():
        numbers = [
            *(preset.loudnorm_target, preset.loudnorm_target - MONO_LU),
            *(preset.limiter_thresh, preset.headroom),
        ]
        words = [f"{number:g}" for number in numbers]
        words += ["yes" if preset.dither else "no", str(preset.bit_depth), str(preset.channels)]
        assert documented[name] == words


def test_the_buses_are_as_documented() -> None:
    preset, found = "", []
    for row in rows("preset | bus"):
        preset = row[0].strip("`") or preset
        found.append((preset, row[1].strip("`"), row[2], row[3]))
    wanted = [
        (name, bus.bus_id, ", ".join(bus.roles), f"{bus.gain_db:g}")
        for name, buses in MIX_PRESETS.items()
        if name != "flat_mix"
        for bus in buses
    ]
    assert found[:-1] == wanted


def test_every_field_param_and_stage_is_documented() -> None:
    names = {*AudioClip.model_fields, *Automation.model_fields, *AudioRenderParams.model_fields}
    for name in names - {"clip_id", "name"}:
        assert f"`{name}`" in TEXT, name
    assert " → ".join(STAGES) in re.sub(r"\s+", " ", TEXT)
