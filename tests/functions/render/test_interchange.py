"""Timelines to other programs and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.errors import ValidationError
from shared.interchange.edl import to_edl
from shared.interchange.otio import from_otio, to_otio

MEDIA = Path(__file__).parents[3].parent / "shared" / "media" / "timeline"
LENGTHS = {"a": 10_000.0, "b": 8_000.0}

FULL: dict[str, Any] = {
    "name": "Episode 7",
    "sample_rate_hz": 44_100,
    "mix_preset_id": "podcast_mix",
    "buses": [{"bus_id": "bus_fx", "roles": ["fx"], "eq": [{"kind": "peak", "frequency_hz": 99}]}],
    "tags": {"title": "Seven"},
    "markers": [
        {"time_ms": 0, "name": "Hello"},
        {"time_ms": 1234.5678, "name": "x", "kind": "drop"},
    ],
    "tracks": [
        {
            **{"track_id": "voice", "role": "vox", "gain_db": -2, "name": "The voice"},
            "automation": {"gain_db": [{"time_ms": 3.21, "value": -4, "curve": "s_curve"}]},
            "clips": [
                {
                    **{"clip_id": "one", "asset_id": "a", "source_end_ms": 3_000.123, "pan": 0.3},
                    **{"fade_in_ms": 20, "fade_in_curve": "log", "crossfade_out_ms": 500},
                    "automation": {"lowpass_hz": [{"time_ms": 0, "value": 900}]},
                },
                {
                    **{"clip_id": "two", "artifact_id": "b", "start_ms": 2_500.123, "speed": 1.05},
                    **{"name": "Two", "crossfade_curve": "linear"},
                },
            ],
        },
        {
            **{"track_id": "layers", "role": "fx", "muted": True},
            "section_gain_db": [{"time_ms": 0, "value": -3}],
            "clips": [
                {"clip_id": "late", "asset_id": "a", "start_ms": 4_000, "source_start_ms": 77.7},
                {"clip_id": "under", "asset_id": "b", "start_ms": 1_000, "source_end_ms": 5_000},
                {"clip_id": "over", "asset_id": "b", "start_ms": 2_000, "source_end_ms": 2_500},
            ],
        },
        {"track_id": "empty"},
    ],
}


def there_and_back(timeline: Timeline) -> Timeline:
    return from_otio(to_otio(timeline, LENGTHS)).timeline


def test_a_round_trip_loses_nothing() -> None:
    timeline = Timeline.model_validate(FULL)
    assert there_and_back(timeline) == timeline
    assert to_otio(there_and_back(timeline), LENGTHS) == to_otio(timeline, LENGTHS)


times = st.floats(0, 3_000)


@given(st.lists(st.tuples(times, times, st.floats(0.1, 3_000), st.sampled_from([0.5, 1.0, 1.3]))))
def test_a_round_trip_of_any_places_loses_nothing(clips: list[tuple[float, ...]]) -> None:
    made = [
        {"asset_id": "a", "start_ms": a, "source_start_ms": b, "source_end_ms": b + c, "speed": d}
        for a, b, c, d in clips
    ]
    timeline = Timeline.model_validate({"tracks": [{"clips": made}]})
    assert there_and_back(timeline) == timeline


def test_other_programs_see_the_cut_where_it_is() -> None:
    document = otio.adapters.read_from_string(to_otio(Timeline.model_validate(FULL), LENGTHS))
    voice = document.tracks[0]
    kinds = [type(item).__name__ for item in voice]
    assert kinds == ["Clip", "Transition", "Clip"]
    assert voice[0].duration().to_seconds() == pytest.approx(2.750123, abs=1e-4)
    assert voice[2].effects[0].time_scalar == 1.05
    assert voice[2].media_reference.target_url == "rushes:artifact/b"
    assert [track.enabled for track in document.tracks] == [True, *[False] * 3, True]
    assert document.tracks.markers[1].name == "x"


def test_what_another_program_moved_has_moved() -> None:
    document = json.loads(to_otio(Timeline.model_validate(FULL), LENGTHS))
    (gap, *_) = document["tracks"]["children"][1]["children"]
    assert gap["OTIO_SCHEMA"] == "Gap.1"
    gap["source_range"]["duration"]["value"] += 44_100
    moved = from_otio(json.dumps(document)).timeline.tracks[1]
    starts = {clip.clip_id: clip.start_ms for clip in moved.clips}
    assert starts["under"] == pytest.approx(2_000, abs=0.1)
    assert starts["over"] == 2_000, "the other layer stays where it was"


def test_files_of_other_programs_come_in_where_their_media_are_known() -> None:
    path = MEDIA / "simple_cut.otio"
    if not path.exists():
        pytest.skip("the shared timelines are not here")
    with pytest.raises(ValidationError, match=r"titles\.mov is not known here"):
        from_otio(path.read_text())
    read = from_otio(path.read_text(), lambda url, name: SourceRef(asset_id="a")).timeline
    clips = read.tracks[0].clips
    assert [clip.name for clip in clips] == ["Clip-001", "Clip-002", "Clip-003", "Clip-004"]
    assert [round(clip.start_ms) for clip in clips][:2] == [0, 125]
    assert clips[0].source_start_ms == 125 and clips[0].source_end_ms == 250


def test_foreign_transitions_are_crossfades_between_clips_and_fades_at_gaps() -> None:
    schema, time = otio.schema, otio.opentime.RationalTime

    def clip(name: str) -> Any:
        span = otio.opentime.TimeRange(time(24, 24), time(48, 24))
        return schema.Clip(name, schema.ExternalReference("file:x"), span)

    def transition() -> Any:
        return schema.Transition(in_offset=time(6, 24), out_offset=time(12, 24))

    track = schema.Track(kind="Audio")
    track.extend(
        [clip("a"), transition(), clip("b"), transition(), schema.Gap(duration=time(48, 24))]
    )
    document = schema.Timeline(tracks=[track])
    made = from_otio(document.to_json_string(), lambda url, name: SourceRef("a")).timeline
    first, second = made.tracks[0].clips
    assert (first.start_ms, first.duration_ms, first.crossfade_out_ms) == (0, 2_500, 750)
    assert (second.start_ms, second.source_start_ms) == (1_750, 750)
    assert second.fade_out_ms == 750 and second.duration_ms == 2_750


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"OTIO_SCHEMA": "Clip.1"}', "x" * 4_000_000])
def test_what_is_no_timeline_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="otio"):
        from_otio(text)


def test_rules_hold_for_what_is_read() -> None:
    document = json.loads(to_otio(Timeline.model_validate(FULL), LENGTHS))
    document["tracks"]["children"][0]["children"][0]["metadata"]["rushes"]["pan"] = 7
    with pytest.raises(ValidationError, match=r"tracks\.voice\.clips\.one\.pan"):
        from_otio(json.dumps(document))


# -- EDL ----------------------------------------------------------------------------------------


def test_an_edl_lists_cuts_dissolves_speeds_and_markers() -> None:
    heard = {**FULL, "tracks": [{**track, "muted": False} for track in FULL["tracks"]]}
    lines = to_edl(Timeline.model_validate(heard), LENGTHS, 25).splitlines()
    assert lines[:2] == ["TITLE: Episode 7", "FCM: NON-DROP FRAME"]
    events = [line for line in lines if line[:3].isdigit()]
    assert events[:3] == [
        "001  AX       A     C        00:00:00:00 00:00:02:13 00:00:00:00 00:00:02:13",
        "002  AX       A     C        00:00:02:13 00:00:02:13 00:00:02:13 00:00:02:13",
        "002  AX       A     D    012 00:00:00:00 00:00:08:00 00:00:02:13 00:00:10:03",
    ]
    assert "M2   AX       026.2 00:00:00:00" in lines
    assert "* TO CLIP NAME: Two" in lines
    assert "* LOC: 00:00:01:06 RED     x" in lines
    assert [event.split()[2] for event in events[3:]] == ["A2", "A3", "A4"]


def test_odd_frame_rates_and_names_of_several_lines() -> None:
    timeline = Timeline.model_validate({"name": "a\nTITLE: b", "tracks": []})
    assert to_edl(timeline, {}).splitlines()[0] == "TITLE: a TITLE: b"
    with pytest.raises(ValidationError, match="frame_rate"):
        to_edl(timeline, {}, 23)
