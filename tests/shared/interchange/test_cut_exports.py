"""Cuts for other programs, read back by readers that are not ours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from shared.contracts.edit_list import EditList
from shared.contracts.timeline_parts import Marker
from shared.editing.edit_lists import edit_list_of, new_edit
from shared.interchange.cut_exports import (
    CutMedia,
    chapter_lines,
    cut_to_edl,
    cut_to_fcp7,
    cut_to_fcpxml,
    cut_to_otio,
    edit_labels,
    events_of,
)
from shared.media.probe import probe

MEDIA = Path(__file__).parents[3] / "infra" / "demo" / "demo.mp4"
CHAPTERS = [Marker(time_ms=0, name="Beginning"), Marker(time_ms=2000, name="Then")]


@pytest.fixture(scope="module")
def film() -> CutMedia:
    return CutMedia("demo.mp4", "file:///media/demo.mp4", probe(MEDIA))


@pytest.fixture(scope="module")
def sound(film: CutMedia) -> CutMedia:
    heard = film.media.model_copy(update={"video": ()})
    return CutMedia("demo.wav", "file:///media/demo.wav", heard)


@pytest.fixture
def edits() -> EditList:
    found = [
        new_edit("cut", "filler", (1_010.0, 1_333.0), 0.8, text="um"),
        new_edit("speed_up", "silence", (3_000.0, 4_000.0), amount=4.0),
        new_edit("cut", "silence", (5_000.0, 6_517.0)),
        new_edit("bleep", "privacy", (7_000.0, 7_100.0)),
        new_edit("cut", "repeat", (7_200.0, 7_300.0)).model_copy(update={"taken_back": True}),
    ]
    return edit_list_of(found, 8 * 44_100, 44_100)


def played(track: Any) -> list[tuple[int, int, float]]:
    """Source start, length and speed of each clip, in the track's own units."""
    return [
        (
            round(clip.source_range.start_time.value),
            round(clip.source_range.duration.value),
            clip.effects[0].time_scalar if clip.effects else 1.0,
        )
        for clip in track
    ]


def wanted(edits: EditList, rate: Fraction) -> list[tuple[int, int, float]]:
    return [(one.source, one.length, one.speed) for one in events_of(edits, rate)]


@pytest.mark.heavy
def test_frames_never_drift(edits: EditList, film: CutMedia) -> None:
    rate = film.frames.rate
    at = 0
    for event, keep in zip(events_of(edits, rate), edits.keeps, strict=True):
        assert event.start == at, "no gap, no overlap"
        assert abs(event.start / rate - Fraction(keep.new_start_ms) / 1000) <= 1 / (2 * rate)
        assert abs(event.source / rate - Fraction(keep.start_ms) / 1000) <= 1 / (2 * rate)
        at += event.length


def test_sound_alone_is_exact_in_opentimelineio(edits: EditList, sound: CutMedia) -> None:
    back = otio.adapters.read_from_string(cut_to_otio(edits, sound), "otio_json")
    (track,) = back.tracks
    assert track.kind == "Audio"
    assert played(track) == wanted(edits, Fraction(44_100))
    assert track[0].media_reference.target_url == sound.url
    assert sum(length for _, length, _ in played(track)) == round(edits.new_duration_ms * 44.1)


def test_pictures_and_sound_go_together(edits: EditList, film: CutMedia) -> None:
    rate = film.frames.rate
    back = otio.adapters.read_from_string(cut_to_otio(edits, film), "otio_json")
    assert [track.kind for track in back.tracks] == ["Video", "Audio"]
    for track in back.tracks:
        assert played(track) == wanted(edits, rate)


def test_premiere_is_given_the_same(edits: EditList, film: CutMedia, sound: CutMedia) -> None:
    for media, kinds in ((film, ["Video", "Audio"]), (sound, ["Audio"])):
        back = otio.adapters.read_from_string(cut_to_fcp7(edits, media), "fcp_xml")
        assert [track.kind for track in back.tracks] == kinds
        for track in back.tracks:
            starts_and_lengths = [one[:2] for one in wanted(edits, media.frames.rate)]
            assert [one[:2] for one in played(track)] == starts_and_lengths
            assert track[0].media_reference.target_url == media.url


def test_an_edl_is_read_by_others(edits: EditList, film: CutMedia) -> None:
    text = cut_to_edl(edits, film, CHAPTERS)
    back = otio.adapters.read_from_string(text, "cmx_3600", rate=float(film.frames.rate))
    video = next(track for track in back.tracks if track.kind == "Video")
    ours = wanted(edits, film.frames.rate)
    assert [one[0] for one in played(video)] == [one[0] for one in ours]
    assert "Beginning" in text and "* SOURCE FILE: demo.mp4" in text


def seconds(text: str) -> Fraction:
    return Fraction(text.removesuffix("s"))


def test_final_cut_pro_is_given_whole_frames(edits: EditList, film: CutMedia) -> None:
    root = ElementTree.fromstring(
        cut_to_fcpxml(edits, film, CHAPTERS).split("<!DOCTYPE fcpxml>")[1]
    )
    assert root.attrib["version"] == "1.11"
    rate = film.frames.rate
    clips = root.findall(".//spine/asset-clip")
    ours = list(events_of(edits, rate))
    assert [seconds(clip.attrib["offset"]) * rate for clip in clips] == [one.start for one in ours]
    assert [seconds(clip.attrib["duration"]) * rate for clip in clips] == [
        one.length for one in ours
    ]
    for clip, one in zip(clips, ours, strict=True):
        mapped = seconds(clip.attrib["start"]) * rate * Fraction(one.speed)
        assert mapped == one.source
        assert (clip.find("timeMap") is not None) == (one.speed != 1)
    whole = root.find(".//sequence")
    assert whole is not None
    assert seconds(whole.attrib["duration"]) * rate == ours[-1].start + ours[-1].length
    markers = [one.attrib["value"] for one in root.findall(".//chapter-marker")]
    assert markers == ["Beginning", "Then"]


def test_labels_tell_what_was_found_where(edits: EditList) -> None:
    lines = [line.split("\t") for line in edit_labels(edits).splitlines()]
    assert lines[0][2] == "cut filler um"
    assert float(lines[0][0]) == pytest.approx(1.010, abs=1e-4)
    assert lines[-1][2].startswith("(not done)")


def test_chapters_are_lines_with_a_clock() -> None:
    told = chapter_lines([*CHAPTERS, Marker(time_ms=3_723_900, name="The\nend")])
    assert told == "00:00:00 Beginning\n00:00:02 Then\n01:02:03 The end\n"


def test_nothing_left_is_no_clip(film: CutMedia) -> None:
    none = edit_list_of([new_edit("cut", "range", (0.0, 1000.0))], 44_100, 44_100)
    back = otio.adapters.read_from_string(cut_to_otio(none, film), "otio_json")
    assert [len(track) for track in back.tracks] == [0, 0]
    assert "asset-clip" not in cut_to_fcpxml(none, film)
