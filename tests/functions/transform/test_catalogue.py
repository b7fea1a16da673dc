"""The libraries as people see them: listed and described."""

from __future__ import annotations

import json

import pytest

from functions.transform import catalogue
from functions.transform.macros import MACROS
from functions.transform.presets import PRESETS
from shared.errors import ValidationError


def test_about_twenty_presets_of_every_category() -> None:
    listed = catalogue.list_presets()
    assert len(listed) >= 20
    assert {row["category"] for row in listed} == {"voice", "music", "sound design"}
    assert {row["category"] for row in catalogue.list_macros()} == {
        "voice",
        "music",
        "sound design",
    }


@pytest.mark.parametrize("preset_id", PRESETS)
def test_preset_is_described_with_usable_knobs(preset_id: str) -> None:
    described = catalogue.describe_preset(preset_id)
    json.dumps(described, allow_nan=False)
    assert described["does"].endswith(".")
    assert described["knobs"]
    for knob in described["knobs"]:
        assert knob["minimum"] <= knob["default"] <= knob["maximum"]
        assert knob["display_name"] and knob["musical_context"]


@pytest.mark.parametrize("macro_id", MACROS)
def test_macro_drives_several_knobs_and_rests_at_zero(macro_id: str) -> None:
    drives = catalogue.describe_macro(macro_id)["drives"]
    assert len({(drive["preset_id"], drive["knob"]) for drive in drives}) >= 4
    assert all(drive["at_0"] == 0 for drive in drives if drive["knob"] == "wet")
    for stage in MACROS[macro_id].stages:
        PRESETS[stage.preset_id].check(dict.fromkeys(stage.drives, 0.0))


def test_unknown_ids_list_the_known() -> None:
    with pytest.raises(ValidationError, match="telephone"):
        catalogue.describe_preset("x")
    with pytest.raises(ValidationError, match="vintage"):
        catalogue.describe_macro("x")
