"""EDLs that other programs wrote."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.errors import ValidationError
from shared.interchange.edl import to_edl
from shared.interchange.edl_reading import from_edl
from shared.interchange.otio import Imported

MEDIA = Path(__file__).parents[3].parent / "shared" / "media" / "timeline"


def read(*lines: str, rate: float | str = 25) -> Imported:
    return from_edl("\n".join(lines), rate, lambda file, name: SourceRef(asset_id=file or name))


def clips(imported: Imported) -> list[tuple[Any, ...]]:
    return [
        (one.asset_id, one.start_ms, one.source_start_ms, one.source_end_ms, one.crossfade_in_ms)
        for track in imported.timeline.tracks
        for one in track.clips
    ]


CUT = "001  AX  A  C  00:00:01:00 00:00:02:00 01:00:00:00 01:00:01:00"


def test_cuts_begin_at_the_hour_and_names_find_the_media() -> None:
    imported = read("TITLE: a", "FCM: NON-DROP FRAME", CUT, "* FROM CLIP NAME: One_two")
    assert clips(imported) == [("One_two", 0, 1_000, 2_000, 0)]
    assert imported.notices == ("times are read at 25 frames a second, from 0",)


def test_what_we_wrote_comes_back() -> None:
    content = [
        {"asset_id": "a", "source_end_ms": 3_000},
        {"asset_id": "b", "start_ms": 2_000, "source_end_ms": 4_000, "crossfade_in_ms": 1_000},
        {"asset_id": "c", "start_ms": 5_200, "source_end_ms": 1_000, "crossfade_in_ms": 800},
        {"asset_id": "a", "start_ms": 8_000, "source_end_ms": 4_200, "speed": 1.05},
    ]
    timeline = Timeline.model_validate({"tracks": [{"clips": content}]})
    text = to_edl(timeline, dict.fromkeys("abc", 9_000.0))
    assert clips(read(*text.splitlines())) == clips(Imported(timeline))


def test_source_times_are_those_of_the_medias_own_clock() -> None:
    """A camera's begins at ten, another recording has none; what lies before ten counts from the start."""
    content = [
        {"asset_id": "a", "source_start_ms": 1_000, "source_end_ms": 3_000},
        {"asset_id": "b", "start_ms": 1_000, "source_end_ms": 4_000, "crossfade_in_ms": 1_000},
        {"asset_id": "a", "start_ms": 4_000, "source_end_ms": 4_000, "crossfade_in_ms": 1_000},
    ]
    timeline = Timeline.model_validate({"tracks": [{"clips": content}]})
    begins = {"a": 10 * 3600 * 25, "b": 0}
    text = to_edl(timeline, dict.fromkeys("ab", 9_000.0), begins=begins)
    assert " 10:00:01:00 10:00:02:00 " in text

    def read_by(begins: dict[str, int], text: str) -> Imported:
        return from_edl(
            text,
            25,
            lambda file, name: SourceRef(asset_id=file),
            lambda ref, _: begins[ref.identifier],
        )

    assert clips(read_by(begins, text)) == clips(Imported(timeline))
    from_0 = to_edl(timeline, dict.fromkeys("ab", 9_000.0))
    assert clips(read_by(begins, from_0)) == clips(Imported(timeline))


def test_sound_is_taken_once_and_pictures_where_there_is_no_sound() -> None:
    both = (CUT, CUT.replace("  A  ", "  A2  "), CUT.replace("  A  ", "  V  "))
    imported = read(*both)
    assert len(clips(imported)) == 1 and "video events are left out" in imported.notices
    assert len(clips(read(CUT.replace("  A  ", "  V  ")))) == 1
    assert len(clips(read(CUT.replace("  A  ", "  AA/V  ")))) == 1


def test_black_makes_fades() -> None:
    imported = read(
        "001  BL  A  C  00:00:00:00 00:00:00:00 00:00:00:00 00:00:00:00",
        "001  r1  A  D  025  00:00:01:00 00:00:04:00 00:00:00:00 00:00:03:00",
        "002  r1  A  C  00:00:04:00 00:00:04:00 00:00:03:00 00:00:03:00",
        "002  BL  A  D  025  00:00:00:00 00:00:01:00 00:00:03:00 00:00:04:00",
    )
    (clip,) = imported.timeline.tracks[0].clips
    assert (clip.fade_in_ms, clip.fade_out_ms, clip.duration_ms) == (1_000, 1_000, 4_000)


def test_drop_frame_is_read_by_the_mark_and_by_the_head() -> None:
    line = "001  AX  A  C  00:00:00{0}00 00:01:00{0}02 00:00:00{0}00 00:01:00{0}02"
    for lines in ((line.format(";"),), ("FCM: DROP FRAME", line.format(":"))):
        assert clips(read(*lines, rate=29.97))[0][3] == pytest.approx(1_800 * 1_001 / 30)
    assert clips(read(line.format(":"), rate=29.97))[0][3] == pytest.approx(1_802 * 1_001 / 30)


@pytest.mark.parametrize(("hour", "rate"), [("01:00:00;00", 29.97), ("10:00:00;00", 59.94)])
def test_a_list_that_begins_at_an_hour_of_drop_frame_begins_at_0(hour: str, rate: float) -> None:
    later = hour.replace("00;00", "02;00")
    line = f"001  AX  A  C  00:00:10;00 00:00:12;00 {hour} {later}"
    assert clips(read("FCM: DROP FRAME", line, rate=rate))[0][1] == 0


def test_a_frame_of_difference_is_told() -> None:
    imported = read("001  AX  A  C  00:00:01:05 00:00:02:06 00:00:04:00 00:00:05:00")
    assert clips(imported)[0][2:4] == (1_200, 2_200)
    assert "source and record differ by a frame: the record counts" in imported.notices


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "holds no event"),
        ([CUT.replace("  C  ", "  K  ")], "event 001: a key"),
        (
            [CUT.replace("00:00:02:00", "00:00:09:00")],
            "event 001: plays 200 frames of source in 25",
        ),
        ([CUT.replace("00:00:01:00", "00:00:01:25", 1)], "00:00:01:25 is none at 25"),
        ([CUT, "M2   AX   000.0   00:00:01:00"], "plays at 0 frames a second"),
        ([CUT, "M2   AX   -025.0   00:00:01:00"], "plays at -25 frames a second"),
        (["001  AX  A  C  00:00:01:00"], "an event that cannot be read"),
    ],
)
def test_what_cannot_be_read_right_is_refused_by_name(lines: list[str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read(*lines)


@pytest.mark.parametrize("start", ["1 a", "M2 ", "* FROM CLIP NAME: x"])
def test_a_line_of_spaces_is_read_once(start: str) -> None:
    """Four thousand took seconds, and a line may have a million."""
    begun = time.process_time()
    with suppress(ValidationError):
        read(CUT, start + " " * 100_000 + "y")
    assert time.process_time() - begun < 5


def test_media_that_nobody_knows_are_named() -> None:
    with pytest.raises(ValidationError, match=r"event 001: gone\.wav is not known here"):
        from_edl(f"{CUT}\n* FROM CLIP NAME: gone.wav")


@pytest.mark.skipif(not MEDIA.exists(), reason="the shared timelines are not here")
@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("dissolve_test", [0, 9, 19]),
        ("dissolve_test_2", [0, 5, 15]),
        ("dissolve_test_3", [0, 61, 61, 91]),
        ("dissolve_test_4", [0, 30, 81, 162, 246, 342]),
        ("dissolve_test_fail", [0, 9, 19]),
    ],
)
def test_lists_that_people_have(name: str, starts: list[int]) -> None:
    imported = from_edl((MEDIA / f"{name}.edl").read_text(), 24, lambda f, n: SourceRef("a"))
    found = [round(one[1] * 24 / 1000) for one in clips(imported)]
    first = found[0] if name == "dissolve_test_4" else 0
    assert [one - first for one in found] == starts
