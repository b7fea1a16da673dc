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
    Event,
    chapter_lines,
    cut_to_edl,
    cut_to_fcpxml,
    cut_to_otio,
    edit_labels,
    events_of,
)
from shared.interchange.fcp7 import cut_to_fcp7
from shared.interchange.media_clock import begins_at
from shared.interchange.timecode import Frames
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


def test_no_clip_ends_behind_the_recording() -> None:
    """By 10.6, 3.4 and 5.2 frames of 25: each rounds to what one frame more than there is would take."""
    cut = new_edit("cut", "word", (136.0, 424.0))
    made = edit_list_of([cut], round(0.632 * 48_000), 48_000)
    (_, last) = events_of(made, Fraction(25))
    assert last == Event(source=10, start=3, length=6, speed=1.0)
    assert last.source + last.length == round(0.632 * 25)


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
    cuts = edit_list_of([e for e in edits.edits if e.action == "cut"], 8 * 44_100, 44_100)
    for media, kinds in ((film, ["Video", "Audio"]), (sound, ["Audio"])):
        back = otio.adapters.read_from_string(cut_to_fcp7(cuts, media), "fcp_xml")
        assert [track.kind for track in back.tracks] == kinds
        for track in back.tracks:
            assert played(track) == wanted(cuts, media.frames.rate)
            assert track[0].media_reference.target_url == media.url


def test_premiere_is_told_of_each_channel_size_and_speed(edits: EditList, film: CutMedia) -> None:
    """A clip item that only names another one's id is silent there; without a size nothing is shown."""
    two = {"channels": 2, "channel_layout": "stereo"}
    (stream,), heard = film.media.audio, film.media.heard
    told = {"audio": (stream.model_copy(update=two),), "sound": heard.model_copy(update=two)}
    stereo = CutMedia(film.name, film.url, film.media.model_copy(update=told))
    root = ElementTree.fromstring(cut_to_fcp7(edits, stereo).split("<!DOCTYPE xmeml>")[1])
    media = root.find("sequence/media")
    assert media is not None
    size = media.find("video/format/samplecharacteristics")
    assert size is not None and (size.findtext("width"), size.findtext("height")) == ("320", "240")
    pictures, *channels = (track.findall("clipitem") for track in media.iter("track"))
    assert [track[0].findtext("sourcetrack/trackindex") for track in channels] == ["1", "2"]
    for items in zip(pictures, *channels, strict=True):
        together = [item.get("id") for item in items]
        for item in items:
            assert [one.text for one in item.iter("linkclipref")] == together
            assert item.findtext("in") == items[0].findtext("in")
    (fast,) = (item for item in pictures if item.find("filter") is not None)
    speeds = [one.findtext("value") for one in fast.iter("parameter")]
    assert speeds[1] == "400"
    assert int(fast.findtext("out") or 0) - int(fast.findtext("in") or 0) == round(
        film.frames.rate / 4
    )


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


def test_final_cut_pro_is_told_of_pixels_that_are_not_square(
    edits: EditList, film: CutMedia
) -> None:
    """HDV, 1440 by 1080, was a picture of 4:3 there."""
    hdv = {"width": 1440, "height": 1080, "pixel_aspect": "4:3"}
    told = {"video": (film.media.video[0].model_copy(update=hdv),)}
    text = cut_to_fcpxml(edits, CutMedia(film.name, film.url, film.media.model_copy(update=told)))
    assert 'width="1440" height="1080" paspH="4" paspV="3"' in text
    assert "pasp" not in cut_to_fcpxml(edits, film)


@pytest.mark.parametrize(
    ("size", "pixel_aspect", "named", "wide"),
    [
        ((1440, 1080), "4:3", "HD-(1440x1080)", "FALSE"),
        ((720, 576), "64:45", "PAL-601", "TRUE"),
        ((720, 480), "8:9", "NTSC-601", "FALSE"),
        ((1920, 1080), "1:1", "square", "FALSE"),
    ],
)
def test_premiere_is_told_of_pixels_by_their_names(
    film: CutMedia, size: tuple[int, int], pixel_aspect: str, named: str, wide: str
) -> None:
    shape = {"width": size[0], "height": size[1], "pixel_aspect": pixel_aspect}
    told = {"video": (film.media.video[0].model_copy(update=shape),)}
    media = CutMedia(film.name, film.url, film.media.model_copy(update=told))
    text = cut_to_fcp7(edit_list_of([], 8 * 44_100, 44_100), media)
    assert text.count(f"<pixelaspectratio>{named}</pixelaspectratio>") == 2
    assert text.count(f"<anamorphic>{wide}</anamorphic>") == 2


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


@pytest.fixture(scope="module")
def camera(film: CutMedia) -> CutMedia:
    """Its timecode runs with drop frame, at 29.97 frames a second."""
    (seen,) = film.media.video
    seen = seen.model_copy(update={"frame_rate": 29.97})
    told = {"video": (seen,), "timecode": "07:51:47;17"}
    return CutMedia("A001.mov", "file:///media/A001.mov", film.media.model_copy(update=told))


@pytest.fixture(scope="module")
def recorder(sound: CutMedia) -> CutMedia:
    """A Broadcast Wave that began at eight in the morning."""
    heard = sound.media.model_copy(update={"time_reference": 8 * 3600 * 44_100})
    return CutMedia("T01.wav", "file:///media/T01.wav", heard)


FIRST = Frames(29.97).frame("07:51:47;17")


def test_source_times_are_the_cameras(edits: EditList, camera: CutMedia) -> None:
    assert FIRST == 848_379
    for text, form in ((cut_to_otio(edits, camera), "otio_json"), (cut_to_fcp7(edits, camera), "")):
        timeline = otio.adapters.read_from_string(text, form or "fcp_xml")
        first, second = list(timeline.video_tracks()[0])[:2]
        assert round(first.media_reference.available_range.start_time.value) == FIRST
        assert round(second.source_range.start_time.value) == FIRST + 40
    assert "<string>07:51:47;17</string>" in cut_to_fcp7(edits, camera)


def test_an_edl_spells_the_cameras_timecode(edits: EditList, camera: CutMedia) -> None:
    text = cut_to_edl(edits, camera)
    assert "FCM: DROP FRAME" in text
    assert "07:51:47;17 07:51:48;17 00:00:00;00 00:00:01;00" in text
    assert "00:00:01;00" in text and f"{Frames(29.97, drop=True).timecode(FIRST + 40)} " in text


def test_final_cut_pro_is_told_where_the_media_begins(edits: EditList, camera: CutMedia) -> None:
    root = ElementTree.fromstring(cut_to_fcpxml(edits, camera).split("<!DOCTYPE fcpxml>")[1])
    begins = seconds(root.find(".//asset").get("start"))  # type: ignore[union-attr]
    assert begins == Fraction(FIRST * 1001, 30_000)
    clips = root.findall(".//asset-clip")
    assert seconds(clips[0].get("start")) == begins
    assert seconds(clips[1].get("start")) == begins + Fraction(40 * 1001, 30_000)
    (fast,) = (clip for clip in clips if clip.find("timeMap") is not None)
    last = fast.findall(".//timept")[-1]
    assert seconds(last.get("value")) == 4 * seconds(last.get("time"))
    assert seconds(fast.get("start")) * 4 == begins + Fraction(90 * 1001, 30_000)


def test_a_recorders_time_of_day_is_exact_to_the_sample(
    edits: EditList, recorder: CutMedia
) -> None:
    timeline = otio.adapters.read_from_string(cut_to_otio(edits, recorder), "otio_json")
    first = next(iter(timeline.audio_tracks()[0]))
    assert first.source_range.start_time.value == 8 * 3600 * 44_100
    assert " 08:00:00:00 " in cut_to_edl(edits, recorder)


@pytest.mark.parametrize("timecode", [None, "10:00:00:59", "99:99:99:99"])
def test_a_timecode_that_is_none_counts_from_0(
    edits: EditList, camera: CutMedia, timecode: str | None
) -> None:
    media = camera.media.model_copy(update={"timecode": timecode})
    assert CutMedia("a.mov", "file:///a.mov", media).begins(camera.frames.rate) == 0


@pytest.mark.parametrize(
    ("timecode", "media_fps", "list_fps", "second"),
    [
        ("16:37:10;02", 30.0, 30, Fraction(298_851, 5)),
        ("01:00:00:27", 30.0, 25, 3_600 + Fraction(22, 25)),
        ("01:00:00:110", 120.0, 60, 3_600 + Fraction(55, 60)),
    ],
)
def test_a_timecode_of_another_count_keeps_its_seconds(
    camera: CutMedia, timecode: str, media_fps: float, list_fps: float, second: Fraction
) -> None:
    """A telephone's drop frame at 30 is where Final Cut Pro anchors it; others are no hour early."""
    (seen,) = camera.media.video
    told = {"timecode": timecode, "video": (seen.model_copy(update={"frame_rate": media_fps}),)}
    media = camera.media.model_copy(update=told)
    assert begins_at(media, Frames(list_fps), Fraction(list_fps)) == second * list_fps
