"""What a timeline refuses, and that it says where."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.curves import SHAPES
from shared.contracts.curve_names import Curve
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_checks import LANE_RANGES, RANGES
from shared.contracts.timeline_parts import Track
from shared.errors import ValidationError

CLIP = {"clip_id": "intro", "asset_id": "a", "source_end_ms": 1_000.0}


def timeline(*clips: dict[str, Any], **track: Any) -> Timeline:
    tracks = [{"track_id": "voice", "clips": [{**CLIP, **clip} for clip in clips], **track}]
    return Timeline.model_validate({"tracks": tracks})


def refused(*clips: dict[str, Any], **track: Any) -> tuple[str, str]:
    """The field and the reason."""
    with pytest.raises(ValidationError) as caught:
        timeline(*clips, **track)
    details = caught.value.fields["details"]
    return details["field"], details["reason"]


def keys(*times: float, value: float = 0.0) -> list[dict[str, float]]:
    return [{"time_ms": at, "value": value} for at in times]


@pytest.mark.parametrize(
    ("clip", "field", "reason"),
    [
        ({"asset_id": None}, "asset_id", "either"),
        ({"artifact_id": "b"}, "asset_id", "either"),
        ({"start_ms": -1}, "start_ms", "-1 is not within"),
        ({"speed": 0}, "speed", "0.25 to 4"),
        ({"pan": 1.01}, "pan", "-1 to 1"),
        ({"gain_db": 25}, "gain_db", "24"),
        ({"fade_in_ms": -5}, "fade_in_ms", "-5"),
        ({"source_start_ms": 1_000}, "source_end_ms", "greater than source_start_ms"),
        ({"fade_in_ms": 600, "fade_out_ms": 500}, "fade_in_ms", "do not fit into 1000 ms"),
        ({"fade_in_ms": 500, "fade_out_ms": 600}, "fade_out_ms", "do not fit"),
        ({"speed": 2, "fade_in_ms": 501}, "fade_in_ms", "500 ms"),
        ({"crossfade_in_ms": 10}, "crossfade_in_ms", "no clip to crossfade with"),
        ({"crossfade_out_ms": 10}, "crossfade_out_ms", "no clip to crossfade with"),
        ({"automation": {"pan": keys(0, 5, 5)}}, "automation.pan.2.time_ms", "two keyframes"),
        ({"automation": {"pan": keys(5, 0)}}, "automation.pan.1.time_ms", "order"),
        ({"automation": {"gain_db": keys(1_001)}}, "automation.gain_db.0.time_ms", "1000 ms"),
        ({"automation": {"gain_db": keys(-1)}}, "automation.gain_db.0.time_ms", "-1"),
        ({"automation": {"pan": keys(0, value=2)}}, "automation.pan.0.value", "-1 to 1"),
        ({"automation": {"lowpass_hz": keys(0, value=5)}}, "automation.lowpass_hz.0.value", "5"),
    ],
)
def test_errors_name_track_clip_and_field(clip: dict[str, Any], field: str, reason: str) -> None:
    place, why = refused(clip)
    assert place == f"tracks.voice.clips.intro.{field}"
    assert reason in why


NEXT = {"clip_id": "next", "start_ms": 800.0}


@pytest.mark.parametrize(
    ("first", "second", "field", "reason"),
    [
        ({"crossfade_out_ms": 200}, {"crossfade_in_ms": 100}, "next.crossfade_in_ms", "conflicts"),
        ({}, {"crossfade_in_ms": 300}, "next.crossfade_in_ms", "overlap by 300 ms, and do by 200"),
        ({"crossfade_out_ms": 100}, {}, "intro.crossfade_out_ms", "overlap"),
        ({}, {"crossfade_in_ms": 200, "fade_in_ms": 200}, "next.fade_in_ms", "crossfade"),
        ({"fade_out_ms": 50}, {"crossfade_in_ms": 200}, "intro.fade_out_ms", "crossfade"),
        ({"fade_in_ms": 900}, {"crossfade_in_ms": 200}, "intro.fade_in_ms", "do not fit"),
        ({}, {"clip_id": "intro"}, "intro.clip_id", "twice"),
    ],
)
def test_crossfades_must_agree(
    first: dict[str, Any], second: dict[str, Any], field: str, reason: str
) -> None:
    place, why = refused(first, {**NEXT, **second})
    assert place == f"tracks.voice.clips.{field}"
    assert reason in why


def test_one_side_of_a_crossfade_is_enough_and_overlaps_without_one_are_mixed() -> None:
    assert timeline({"crossfade_out_ms": 200}, NEXT)
    assert timeline({}, {**NEXT, "crossfade_in_ms": 200.3}), "rounded by half a millisecond"
    assert timeline({}, NEXT)


def test_tracks_sort_their_automation_and_refuse_what_is_there_twice() -> None:
    lane = timeline(automation={"pan": keys(900, 0, 400)}).tracks[0].automation.pan
    assert [one.time_ms for one in lane] == [0, 400, 900]
    assert refused(automation={"pan": keys(3, 3)})[0] == "tracks.voice.automation.pan.1.time_ms"


def test_names_are_given_where_there_are_none() -> None:
    made = Timeline.model_validate({"tracks": [{"clips": [{"asset_id": "a"}] * 2}, {}]})
    assert [track.track_id for track in made.tracks] == ["track_1", "track_2"]
    assert [clip.clip_id for clip in made.tracks[0].clips] == ["clip_1", "clip_2"]


def test_a_clip_to_its_sources_end_is_checked_once_that_is_known() -> None:
    open_end = timeline({"source_end_ms": None, "fade_in_ms": 700})
    assert open_end.with_lengths({"a": 700.0}).tracks[0].clips[0].duration_ms == 700
    with pytest.raises(ValidationError, match=r"intro\.fade_in_ms"):
        open_end.with_lengths({"a": 600.0})
    with pytest.raises(ValidationError, match=r"intro\.source_end_ms: 1000 is behind"):
        timeline({}).with_lengths({"a": 500.0})
    with pytest.raises(ValidationError, match=r"intro\.source_start_ms: is behind"):
        timeline({"source_start_ms": 600}).with_lengths({"a": 500.0})


@pytest.mark.parametrize(
    ("bus", "field"),
    [
        ({"gain_db": 99}, "gain_db"),
        ({"eq": [{"kind": "peak", "frequency_hz": 1}]}, "eq.0.frequency_hz"),
        ({"duck": {"under": ["b"]}}, "duck.under"),
        ({"duck": {"under": ["c"], "attack_ms": 0}}, "duck.attack_ms"),
    ],
)
def test_buses_are_checked_too(bus: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Timeline.model_validate({"buses": [{"bus_id": "b", **bus}]})
    assert caught.value.fields["details"]["field"] == f"buses.b.{field}"


@pytest.mark.heavy
def test_a_timeline_that_no_message_could_carry_is_refused() -> None:
    lane = keys(*(float(n) for n in range(20_000)))
    with pytest.raises(ValidationError, match="bytes of JSON"):
        Timeline.model_validate({"tracks": [{"automation": {"pan": lane}}]})


def test_each_curve_has_its_shape_and_each_range_its_field() -> None:
    assert set(SHAPES) == set(get_args(Curve))
    assert set(LANE_RANGES) == set(timeline().tracks[0].automation.__class__.model_fields)
    assert set(RANGES["track"]) <= set(Track.model_fields)


# -- whatever is built, either it holds or it says where it does not -----------------------------

times = st.floats(-10, 1_200, allow_nan=False)
lanes = st.lists(st.fixed_dictionaries({"time_ms": times, "value": st.floats(-2, 2)}), max_size=4)
clips = st.lists(
    st.fixed_dictionaries(
        {
            "asset_id": st.just("a"),
            "start_ms": times,
            "source_start_ms": times,
            "source_end_ms": st.none() | times,
            "fade_in_ms": times,
            "fade_out_ms": times,
            "crossfade_in_ms": st.just(0.0) | times,
            "automation": st.fixed_dictionaries({"pan": lanes}),
        }
    ),
    max_size=3,
)


@given(clips)
def test_what_is_accepted_keeps_every_rule(made: list[dict[str, Any]]) -> None:
    try:
        accepted = Timeline.model_validate({"tracks": [{"clips": made}]})
    except ValidationError as error:
        assert error.fields["details"]["field"].startswith("tracks.track_1.clips.clip_")
        return
    for clip in accepted.tracks[0].clips:
        keyframes = [one.time_ms for one in clip.automation.pan]
        assert keyframes == sorted(set(keyframes))
        assert clip.start_ms >= 0
        if clip.duration_ms is not None:
            assert clip.duration_ms > 0
            assert clip.fade_in_ms + clip.fade_out_ms <= clip.duration_ms + 0.5
            assert all(0 <= at <= clip.duration_ms for at in keyframes)


@given(st.lists(st.integers(0, 8_000).map(lambda n: n / 8), unique=True, max_size=6))
def test_ordered_keyframes_inside_the_clip_are_accepted(at: list[float]) -> None:
    kept = timeline({"automation": {"pan": keys(*sorted(at))}}).tracks[0].clips[0].automation.pan
    assert [one.time_ms for one in kept] == sorted(at)


def test_json_there_and_back_is_the_same() -> None:
    made = timeline({"automation": {"gain_db": keys(0, 1_000)}}, {**NEXT, "crossfade_in_ms": 200})
    assert Timeline.model_validate_json(made.model_dump_json()) == made
