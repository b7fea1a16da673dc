"""OpenTimelineIO of other programs: which window of a recording their clips play, or why none."""

from __future__ import annotations

import json
from typing import Any

import opentimelineio as otio
import pytest

from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_parts import AudioClip
from shared.errors import ValidationError
from shared.interchange.otio import Imported, from_otio, to_otio

schema = otio.schema
HOUR = 86_400
"""01:00:00:00 in frames of 24 a second."""


def time(value: float, rate: float = 24) -> Any:
    return otio.opentime.RationalTime(value, rate)


def span(start: float, length: float, rate: float = 24) -> Any:
    return otio.opentime.TimeRange(time(start, rate), time(length, rate))


def clip(source: Any, available: Any = None, name: str = "a.wav", **more: Any) -> Any:
    reference = schema.ExternalReference("file:///a.wav", available)
    return schema.Clip(name, reference, source, **more)


def track(*items: Any, **more: Any) -> Any:
    effects = more.pop("effects", [])
    made = schema.Track(kind="Audio", name="A1", **more)
    made.effects.extend(effects)
    made.extend(items)
    return made


def read(*items: Any) -> Imported:
    document = schema.Timeline("cut")
    document.tracks.extend(items if isinstance(items[0], schema.Track) else [track(*items)])
    return from_otio(document.to_json_string(), lambda url, name: SourceRef(asset_id="a"))


def windows(imported: Imported) -> list[tuple[float, float, float | None]]:
    return [_window(one) for track in imported.timeline.tracks for one in track.clips]


def _window(one: AudioClip) -> tuple[float, float, float | None]:
    return one.start_ms, one.source_start_ms, one.source_end_ms


@pytest.mark.parametrize(
    ("available", "source"),
    [
        (span(HOUR, 240), span(HOUR + 120, 48)),
        (span(0, 240), span(120, 48)),
        (span(HOUR, 240), span(1_800_000 * 2 + 5_000, 2_000, 1_000)),
        (span(37_425.678 * 48_000, 480_000, 48_000), span(37_430.678 * 48_000, 96_000, 48_000)),
        (
            span(107_892, 300, 30_000 / 1_001),
            span(107_892 + 5 * 29.97003, 59.94006, 30_000 / 1_001),
        ),
        (span(-240, 480), span(-120, 48)),
    ],
)
def test_windows_count_from_the_start_of_the_recording(available: Any, source: Any) -> None:
    """Media at a timecode, at a time of day (BWF), in another rate than the cut: 5 to 7 s in."""
    imported = read(clip(source, available))
    ((at_ms, start_ms, end_ms),) = windows(imported)
    assert (at_ms, start_ms) == (0, pytest.approx(5_000, abs=0.01))
    assert end_ms == pytest.approx(7_000, abs=0.01) and imported.notices == ()


def test_without_a_source_range_all_that_is_available_plays() -> None:
    imported = read(clip(None, span(HOUR, 240)), clip(span(HOUR, 24), span(HOUR, 240)))
    assert windows(imported) == [(0, 0, 10_000), (10_000, 0, 1_000)]


def test_without_an_available_range_times_are_taken_as_they_are_and_that_is_said() -> None:
    imported = read(clip(span(120, 48)))
    assert windows(imported) == [(0, 5_000, 7_000)]
    assert imported.notices == ("media without available_range: their source times count from 0",)


def test_transitions_reach_into_media_that_start_at_a_timecode() -> None:
    parts = [clip(span(HOUR + 24, 48), span(HOUR, 240)) for _ in range(2)]
    fade = schema.Transition(in_offset=time(12), out_offset=time(12))
    assert windows(read(parts[0], fade, parts[1])) == [(0, 1_000, 3_500), (1_500, 500, 3_000)]


def test_speed_is_counted_from_the_windows_start() -> None:
    twice = clip(
        span(HOUR + 24, 48), span(HOUR, 240), effects=[schema.LinearTimeWarp(time_scalar=2)]
    )
    assert windows(read(twice)) == [(0, 1_000, 5_000)]


def test_gaps_black_and_disabled_clips_take_their_time() -> None:
    black = schema.Clip("slug", schema.GeneratorReference(generator_kind="black"), span(0, 24))
    hidden = clip(span(0, 24), span(0, 240))
    hidden.enabled = False
    imported = read(schema.Gap(duration=time(24)), black, hidden, clip(span(0, 24), span(0, 240)))
    assert windows(imported) == [(3_000, 0, 1_000)]
    assert imported.notices == ("disabled clips are left out",)


def test_a_tracks_own_range_moves_its_clips() -> None:
    """As OpenTimelineIO's EDL adapter writes it: the record times begin at an hour."""
    moved = track(clip(span(0, 24), span(0, 240)), source_range=span(-48, 72))
    assert windows(read(moved)) == [(2_000, 0, 1_000)]
    whole = track(clip(span(0, 24), span(0, 240)), source_range=span(0, 24))
    assert windows(read(whole)) == [(0, 0, 1_000)]


def nested(*inside: Any) -> Any:
    stack = schema.Stack("inner")
    stack.extend([track(*inside)])
    return stack


FREEZE = schema.FreezeFrame()
BACKWARDS = schema.LinearTimeWarp(time_scalar=-1)
REFUSED = {
    "no range at all": ([clip(None)], "clips.a.wav: has no source_range"),
    "missing media, no range": (
        [schema.Clip("lost", schema.MissingReference())],
        "clips.lost: has no source_range",
    ),
    "tone": (
        [schema.Clip("bars", schema.GeneratorReference(generator_kind="SMPTEBars"), span(0, 24))],
        "clips.bars: the generator 'SMPTEBars' is no recording",
    ),
    "pictures": (
        [schema.Clip("shot", schema.ImageSequenceReference("file:///s"), span(0, 24))],
        "clips.shot: a sequence of pictures",
    ),
    "before its media": (
        [clip(span(0, 48), span(HOUR, 240))],
        r"source_range: begins -3,600,000 ms behind the start of its media",
    ),
    "behind its media": ([clip(span(HOUR, 48), span(0, 240))], "which are 10,000 ms long"),
    "no handle": (
        [
            clip(span(HOUR, 48), span(HOUR, 240)),
            schema.Transition(in_offset=time(12), out_offset=time(12)),
            clip(span(HOUR, 48), span(HOUR, 240), name="b.wav"),
        ],
        "clips.b.wav: its media begin 500 ms too late",
    ),
    "nested": ([nested(clip(span(0, 24)))], "Stack inside a track: flatten it first"),
    "freeze": ([clip(span(0, 24), effects=[FREEZE])], "the time effect 'FreezeFrame' is not read"),
    "backwards": ([clip(span(48, 24), effects=[BACKWARDS])], "speed: -1 is not within"),
    "cut by its track": (
        [track(clip(span(0, 48), span(0, 240)), source_range=span(24, 24))],
        "clips.a.wav: is cut by its track's range",
    ),
    "frozen track": ([track(clip(span(0, 24)), effects=[FREEZE])], "tracks.A1.effects"),
    "no time": ([clip(span(0, 24, 0))], "is no time"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_right_is_refused_by_name(case: str) -> None:
    items, words = REFUSED[case]
    with pytest.raises(ValidationError, match=words):
        read(*[item.clone() for item in items])


def test_what_would_overrun_the_librarys_stack_is_refused() -> None:
    """It ended the process without a word."""
    with pytest.raises(ValidationError, match="nested more than 256 deep"):
        from_otio("[" * 100_000)


def test_a_stack_among_the_tracks_is_refused_by_name() -> None:
    document = schema.Timeline("cut")
    document.tracks.append(nested(clip(span(0, 24))))
    with pytest.raises(ValidationError, match=r"tracks\.inner: Stack among tracks"):
        from_otio(document.to_json_string())


def test_what_has_no_place_is_told() -> None:
    marked = clip(span(0, 24), span(0, 240), effects=[schema.Effect(effect_name="Reverb")])
    marked.markers.append(schema.Marker("here", span(0, 0)))
    video = schema.Track(kind="Video")
    imported = read(track(marked), video)
    assert imported.notices == (
        "video tracks are left out",
        "effects 'Reverb' are left out",
        "markers of clips are left out",
    )


def test_a_collection_of_one_timeline_is_that_timeline() -> None:
    def collection(count: int) -> str:
        made = schema.SerializableCollection("bin")
        made.extend([schema.Timeline("cut") for _ in range(count)])
        return str(made.to_json_string())

    assert from_otio(collection(1)).timeline.name == "cut"
    with pytest.raises(ValidationError, match="holds 2 timelines"):
        from_otio(collection(2))
    with pytest.raises(ValidationError, match="holds no timeline"):
        from_otio(collection(0))


def test_others_may_write_into_our_namespace() -> None:
    odd = clip(span(0, 24), span(0, 240))
    odd.metadata["rushes"] = "mine"
    assert windows(read(odd)) == [(0, 0, 1_000)]


def test_what_we_write_says_how_long_its_media_are() -> None:
    content = {"tracks": [{"clips": [{"asset_id": "a", "source_start_ms": 500}]}]}
    text = to_otio(Timeline.model_validate(content), {"a": 4_000.0})
    (made,) = otio.adapters.read_from_string(text, "otio_json").find_clips()
    assert made.available_range().duration.to_seconds() == 4
    assert from_otio(text).notices == ()
    assert json.loads(text)["OTIO_SCHEMA"].startswith("Timeline")
