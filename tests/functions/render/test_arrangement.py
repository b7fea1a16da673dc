"""Sections and roles on their way to tracks."""

from __future__ import annotations

from typing import Any

import pytest

from functions.render.audio.arrangement import structure_of_bars, with_arrangement, with_structure
from functions.render.audio.export_presets import routes
from shared.contracts.timeline import Arrangement, BarStructure, Structure, Timeline
from shared.errors import ValidationError

TIMELINE = Timeline.model_validate(
    {
        "tracks": [
            {"track_id": "beat", "clips": [{"asset_id": "a", "source_end_ms": 8_000}]},
            {"track_id": "voice", "role": "vox"},
        ],
        "markers": [{"time_ms": 500, "name": "cough"}],
    }
)
SONG = structure_of_bars(
    BarStructure(bars=(("intro", 1), ("verse", 2), ("drop", 1)), tempo_bpm=120)
)


def arranged(*levels: dict[str, Any], **roles: str) -> Timeline:
    arrangement = Arrangement.model_validate({"roles": roles, "levels": levels})
    return with_arrangement(TIMELINE, SONG, arrangement)


def test_sections_become_markers_beside_the_timelines_own() -> None:
    markers = with_structure(TIMELINE, SONG).markers
    assert [(one.time_ms, one.name, one.kind) for one in markers] == [
        (0, "intro 1", "intro"),
        (500, "cough", None),
        (2_000, "verse 2", "verse"),
        (6_000, "drop 3", "drop"),
    ]
    again = with_structure(with_structure(TIMELINE, SONG), SONG)
    assert again.markers == markers


def test_roles_go_to_tracks_and_tracks_to_their_buses() -> None:
    made = arranged(beat="drums")
    assert [routes(made)[name].bus_id for name in ("beat", "voice")] == [
        "bus_drums",
        "bus_dialogue",
    ]


def test_levels_turn_a_role_down_for_its_section_alone() -> None:
    level = {"section": "verse", "role": "drums", "gain_db": -12, "ramp_ms": 100}
    beat, voice = arranged(level, beat="drums").tracks
    lane = [(one.time_ms, one.value) for one in beat.section_gain_db]
    assert lane == [(2_000, 0), (2_100, -12), (6_000, -12), (6_020, 0)]
    assert voice.section_gain_db == ()


def test_a_ramp_is_clamped_to_its_section_and_the_later_level_counts() -> None:
    levels = [
        {"section": "drop", "role": "drums", "gain_db": -3},
        {"section": "drop 3", "role": "drums", "gain_db": -6, "ramp_ms": 60_000},
    ]
    (beat, _) = arranged(*levels, beat="drums").tracks
    assert [(one.time_ms, one.value) for one in beat.section_gain_db][:2] == [
        (6_000, 0),
        (8_000, -6),
    ]


def test_a_section_that_reaches_into_the_next_is_cut_there() -> None:
    sections = [
        {"name": "b", "start_ms": 1_000, "end_ms": 3_000},
        {"name": "a", "start_ms": 0, "end_ms": 2_000},
    ]
    structure = Structure.model_validate({"sections": sections})
    assert [(one.name, one.end_ms) for one in structure.sections] == [("a", 1_000), ("b", 3_000)]


@pytest.mark.parametrize(
    ("levels", "roles", "field"),
    [
        ([], {"ghost": "drums"}, "roles.ghost"),
        ([{"section": "outro", "role": "vox", "gain_db": 0}], {}, "levels.0.section"),
        ([{"section": "drop", "role": "bass", "gain_db": 0}], {}, "levels.0.role"),
        ([{"section": "drop", "role": "vox", "gain_db": 99}], {}, "tracks.voice.section_gain_db"),
    ],
)
def test_what_is_not_there_is_refused(levels: Any, roles: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        arranged(*levels, **roles)
    assert caught.value.fields["details"]["field"].startswith(field)


@pytest.mark.parametrize("times", [(0, 0), (500, 400), (-1, 5)])
def test_sections_without_a_length_are_refused(times: tuple[int, int]) -> None:
    section = {"name": "a", "start_ms": times[0], "end_ms": times[1]}
    with pytest.raises(ValidationError, match=r"sections\.a"):
        Structure.model_validate({"sections": [section]})
