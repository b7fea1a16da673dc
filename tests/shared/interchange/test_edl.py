"""EDLs, as other programs read them: OpenTimelineIO's cmx_3600 adapter is the judge."""

from __future__ import annotations

from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.timeline import Timeline
from shared.errors import ValidationError
from shared.interchange.edl import to_edl
from shared.interchange.timecode import FRAME_RATES, Frames

LENGTH_MS = 100_000.0
RATES = [*FRAME_RATES, "29.97df", "59.94df"]


def timeline_of(*clips: dict[str, Any], **more: Any) -> Timeline:
    made = [{"asset_id": "a", **clip} for clip in clips]
    return Timeline.model_validate({"tracks": [{"clips": made}], **more})


def edl(*clips: dict[str, Any], rate: float | str = 25, **more: Any) -> str:
    return to_edl(timeline_of(*clips, **more), {"a": LENGTH_MS}, rate)


def events(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line[:3].isdigit()]


def read(text: str, rate: float | str = 25) -> list[Any]:
    """The tracks that OpenTimelineIO finds; it refuses what does not add up."""
    rate_hz = float(Frames.called(rate).rate)
    return list(otio.adapters.read_from_string(text, "cmx_3600", rate=rate_hz).tracks)


def placed(track: Any) -> list[tuple[str, int, int, int]]:
    """Of each clip its name, place from the track's first, source in, and length, in frames."""
    found = []
    for clip in track.find_clips():
        start, window = track.range_of_child(clip).start_time, clip.source_range
        times = (start, window.start_time, window.duration)
        found.append((clip.name, *(round(time.value) for time in times)))
    return found


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Up to eight clips: gaps, cuts, crossfades, and overlaps of any kind, at any millisecond."""
    made: list[dict[str, Any]] = []
    last_ms, end_ms, room_ms = 0.0, 0.0, 0.0
    for _ in range(draw(st.integers(1, 8))):
        length_ms = draw(st.floats(1, 9_000))
        speed = draw(st.sampled_from([1.0, 1.0, 1.0, 0.5, 1.05, 2.0]))
        fade_ms = min(room_ms, length_ms / 2, draw(st.floats(1, 3_000)))
        start_ms, fade = draw(
            st.sampled_from(
                [
                    (end_ms, False),
                    (end_ms + 700.7, False),
                    (last_ms + (end_ms - last_ms) * 0.3, False),
                    *([(end_ms - fade_ms, True)] if fade_ms > 0.001 else []),
                ]
            )
        )
        from_ms = draw(st.floats(0, 40_000))
        clip = {"source_start_ms": from_ms, "source_end_ms": from_ms + length_ms * speed}
        made.append(
            {**clip, "start_ms": start_ms, "speed": speed, "clip_id": f"clip_{len(made):02d}"}
        )
        if fade:
            made[-1]["crossfade_in_ms"] = fade_ms
        overlapping = start_ms < end_ms and not fade
        # Whether the next may fade: it must be this clip that ends last.
        room_ms = 0.0 if overlapping else length_ms - (fade_ms if fade else 0.0)
        last_ms, end_ms = start_ms, max(end_ms, start_ms + length_ms)
    return timeline_of(*made)


@settings(max_examples=200, deadline=None)
@given(timelines(), st.sampled_from(RATES))
def test_opentimelineio_reads_every_list_and_finds_the_same_ranges(
    timeline: Timeline, rate: float | str
) -> None:
    text = to_edl(timeline, {"a": LENGTH_MS}, rate)
    frames = Frames.called(rate)
    clips = {str(clip.clip_id): clip for clip in timeline.tracks[0].clips}
    left_out = {line.split(": ")[1] for line in text.splitlines() if "LEFT OUT" in line}
    found = {}
    if events(text):
        for track in read(text, rate):
            names = placed(track)
            first = frames.of(clips[names[0][0]].start_ms) if names[0][0] in clips else 0
            found.update({name: (first + at, start, length) for name, at, start, length in names})
    assert {*found, *left_out} - {"001"} == set(clips)
    for name in clips.keys() - left_out:
        at, start, length = found[name]
        clip = clips[name]
        assert at == frames.of(clip.start_ms)
        assert abs(frames.ms(start) - clip.source_start_ms) <= 1500 / frames.rate
        assert length <= frames.of(clip.start_ms + float(clip.duration_ms or 0)) - at
    for *_, source_in, source_out, record_in, record_out in events(text):
        source, record = (
            frames.frame(end) - frames.frame(start)
            for start, end in ((source_in, source_out), (record_in, record_out))
        )
        assert source == record or "M2" in text


def test_lengths_agree_where_rounding_would_part_them() -> None:
    """From frame 30.25 to 55.75 of the source, 26 of them; from 99.75 to 125.25 here, 25."""
    (event,) = events(edl({"source_start_ms": 1_210, "source_end_ms": 2_230, "start_ms": 3_990}))
    assert event[4:] == ["00:00:01:05", "00:00:02:05", "00:00:04:00", "00:00:05:00"]


def test_a_source_is_never_read_behind_its_end() -> None:
    """From frame 2,376.53 to 2,400, but 24 frames on the timeline: it begins half a frame early."""
    (event,) = events(edl({"source_start_ms": 99_022.0, "start_ms": 15.0}, rate=24))
    assert event[4:6] == ["00:01:39:00", "00:01:40:00"]


def test_a_crossfade_is_two_lines_and_the_clip_before_ends_where_it_begins() -> None:
    text = edl(
        {"source_end_ms": 3_000, "name": "One"},
        {"start_ms": 2_000, "source_end_ms": 4_000, "crossfade_in_ms": 1_000, "name": "Two"},
        {"start_ms": 5_500, "source_end_ms": 1_000, "crossfade_in_ms": 500},
    )
    assert [" ".join(event) for event in events(text)] == [
        "001 AX A C 00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00",
        "002 AX A C 00:00:02:00 00:00:02:00 00:00:02:00 00:00:02:00",
        "002 AX A D 025 00:00:00:00 00:00:03:13 00:00:02:00 00:00:05:13",
        "003 AX A C 00:00:03:13 00:00:03:13 00:00:05:13 00:00:05:13",
        "003 AX A D 012 00:00:00:00 00:00:00:24 00:00:05:13 00:00:06:12",
    ]
    (track,) = read(text)
    kinds = [type(item).__name__ for item in track]
    assert kinds == ["Clip", "Transition", "Clip", "Transition", "Clip"]
    assert track[1].out_offset.value == 25 and track[2].name == "Two"
    assert "* FROM CLIP NAME: One\n* TO CLIP NAME: Two\n* SOURCE FILE: a\n" in text


def test_clips_that_overlap_freely_go_to_channels_of_their_own() -> None:
    overlapping = ({"source_end_ms": 3_000}, {"start_ms": 1_000, "source_end_ms": 1_000})
    text = edl(*overlapping, {"start_ms": 3_000, "source_end_ms": 1_000})
    assert [event[2] for event in events(text)] == ["A", "A", "A2"]
    assert [len(track) for track in read(text)] == [2, 1]


def test_a_crossfade_stays_with_its_clips_where_an_earlier_row_is_free() -> None:
    """The first row is free when the third clip begins, but it fades out of the second."""
    text = edl(
        {"source_end_ms": 3_000},
        {"start_ms": 2_000, "source_end_ms": 3_000},
        {"start_ms": 4_000, "source_end_ms": 3_000, "crossfade_in_ms": 1_000},
    )
    assert [event[2] for event in events(text)] == ["A", "A2", "A2", "A2"]
    read(text)


def test_speeds_are_frames_a_second_and_read_as_such() -> None:
    text = edl({"source_start_ms": 1_000, "source_end_ms": 5_000, "speed": 2.0}, rate="29.97df")
    (track,) = read(text, "29.97df")
    assert track[0].effects[0].time_scalar == pytest.approx(2.0, abs=0.01)
    assert track[0].duration().value == 60


def test_what_has_no_frame_and_what_is_muted_is_left_out_and_said() -> None:
    text = edl({"source_end_ms": 9}, {"start_ms": 1_000, "source_end_ms": 1_000})
    assert len(events(text)) == 1 and "* SHORTER THAN A FRAME, LEFT OUT: clip_1\n" in text
    content = {"tracks": [{"muted": True, "name": "Guide", "clips": [{"asset_id": "a"}]}]}
    text = to_edl(Timeline.model_validate(content), {"a": LENGTH_MS})
    assert "* MUTED TRACK LEFT OUT: Guide\n" in text
    assert [event[1] for event in events(text)] == ["BL"], "readers want an event before remarks"
    read(text)


def test_names_of_any_script_and_length_stay_on_their_line() -> None:
    names = [
        "Grüße, 日本語 🎚",
        "x" * 300,
        "a\u2028b\x0bc\x00d\r\n001  AX",
        "* FROM CLIP: z",
        "'\"\\;",
    ]
    clips = [
        {"name": name, "start_ms": 1_000 * place, "source_end_ms": 1_000}
        for place, name in enumerate(names)
    ]
    markers = [{"time_ms": 40, "name": names[2]}]
    (track,) = read(edl(*clips, name=names[2], markers=markers))
    found = [clip.name for clip in track]
    assert found == [*names[:2], "a b c d 001 AX", *names[3:]]
    assert track[-1].markers[0].name == "a b c d 001 AX"


def test_tracks_without_clips_are_no_events() -> None:
    content = {"tracks": [{}, {"clips": [{"asset_id": "a"}]}]}
    assert len(events(to_edl(Timeline.model_validate(content), {"a": LENGTH_MS}))) == 1


def test_markers_without_clips_can_be_read() -> None:
    timeline = Timeline.model_validate({"markers": [{"time_ms": 2_000, "name": "here"}]})
    (track,) = read(to_edl(timeline, {}))
    assert track[0].markers[0].marked_range.start_time.value == 50


def test_a_crossfade_of_more_than_three_digits_is_as_long_as_they_say() -> None:
    text = edl(
        {"source_end_ms": 60_000},
        {"start_ms": 20_000, "source_end_ms": 60_000, "crossfade_in_ms": 40_000},
        rate=60,
    )
    assert events(text)[2][4] == "999"
    read(text, 60)


@pytest.mark.parametrize("rate", RATES)
def test_timecodes_are_opentimelineios(rate: float | str) -> None:
    frames = Frames.called(rate)
    for frame in (
        0,
        1,
        29,
        59,
        1_799,
        1_800,
        3_599,
        3_600,
        17_981,
        17_982,
        35_964,
        107_892,
        647_352,
    ):
        time = otio.opentime.RationalTime(frame, float(frames.rate))
        told = otio.opentime.to_timecode(time, float(frames.rate), frames.drop)
        assert frames.timecode(frame) == told
        assert frames.frame(told) == frame
        assert frames.of(frames.ms(frame)) == frame


@pytest.mark.parametrize("rate", [23, 0, -25, 29.9, "df", "25df", "nan", "x", "24df"])
def test_other_rates_are_refused(rate: float | str) -> None:
    with pytest.raises(ValidationError, match="frame_rate"):
        to_edl(Timeline(), {}, rate)
