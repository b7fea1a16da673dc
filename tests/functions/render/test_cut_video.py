"""``render.video`` with an edit list: sound and pictures stay together, whatever is taken out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.render.video import ENGINE
from functions.render.video.burning import left_by
from functions.render.video.rendered_windows import PunchIn
from functions.render.video.shown_windows import enlarged
from shared.contracts.asr_transcript import Transcript, TranscriptCue
from shared.contracts.edit_list import EditList, ms_at, sample_at
from shared.contracts.spoken_word import SpokenWord
from shared.contracts.step_engine import Job, Output
from shared.editing.time_map import TimeMap, time_map
from shared.media.encode import Planes
from shared.media.frames import VideoFrames, Wanted
from tests.functions import video
from tests.functions.render.clockwork import RATE, clicks, clock, numbers
from tests.functions.render.cutting import edit, edit_list
from tests.shared.media.recordings import probed


def rendered(folder: Path, source: Path, edits: EditList, **params: Any) -> Output:
    listed, workdir = folder / "edits.json", folder / "work"
    workdir.mkdir(parents=True)
    edits.write(listed)
    told: list[float] = []
    job = Job(source, probed(source), workdir, told.append, sources={"art_list": listed})
    asked = ENGINE.params(edit_list="art_list", faces="original", **params)
    (output,) = ENGINE.run(job, asked, ENGINE.backend()).outputs
    assert told == sorted(told)
    return output


def irregular_cuts(seconds: int, every_s: float) -> list[Any]:
    """Cuts of 100 to 700 ms at any place, so that all phases of frames come about."""
    rng = np.random.default_rng(7)
    starts = np.arange(0.3, seconds - 1, every_s) * 1000
    places = starts + rng.integers(0, 200, len(starts))
    lengths = rng.integers(100, 700, len(starts))
    return [edit("cut", float(at), float(at + n)) for at, n in zip(places, lengths, strict=True)]


def old_ms(whole: TimeMap, time_ms: float) -> float:
    """Which time of the recording is heard there."""
    rate = whole.sample_rate_hz
    return ms_at(whole.to_old(sample_at(time_ms, rate)), rate)


def check_together(output: Output, edits: EditList, seconds: int, frame_rate: int) -> float:
    """Pictures within half a frame of the map, clicks within a millisecond; returns the worst click's ms."""
    whole, frame_ms = time_map(edits), 1000 / frame_rate
    pictures = numbers(output.path)
    for number, (at_ms, _) in enumerate(pictures):
        assert at_ms == pytest.approx(number * frame_ms, abs=0.1), "on frame borders"
    for at_ms, shown in pictures:
        middle_ms = old_ms(whole, min(at_ms + frame_ms / 2, edits.new_duration_ms - 0.1))
        assert abs((shown + 0.5) * frame_ms - middle_ms) <= frame_ms / 2 + 0.1 or _at_join(
            whole.joins, at_ms, frame_ms
        ), (at_ms, shown)
    kept = [second * RATE for second in range(seconds) if _is_kept(whole, second * RATE)]
    expected = np.array([whole.to_new(sample) for sample in kept])
    heard = clicks(output.path)
    nearest = np.abs(heard[:, None] - expected[None, :]).min(axis=0)
    return float(nearest.max() * 1000 / RATE)


def _at_join(joins: tuple[int, ...], at_ms: float, frame_ms: float) -> bool:
    """A picture on whose time a join lies belongs to one side, and not to the other."""
    ms = np.array(joins) * 1000 / RATE
    return bool((np.abs(ms - (at_ms + frame_ms / 2)) <= frame_ms / 2 + 0.1).any())


def _is_kept(whole: Any, sample: int) -> bool:
    return (
        any(piece.start + 480 <= sample < piece.end - 960 for piece in whole.pieces) or not sample
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("frame_rate", "suffix"), [(25, "mp4"), pytest.param(30, "mkv", marks=pytest.mark.heavy)]
)
def test_clicks_and_flashes_stay_together_over_many_cuts(
    frame_rate: int, suffix: str, tmp_path: Path
) -> None:
    source = clock(tmp_path / f"clock.{suffix}", 12, frame_rate, "-strict", "-2")
    edits = edit_list(*irregular_cuts(12, 0.9), samples=12 * RATE)
    output = rendered(tmp_path, source, edits)
    assert check_together(output, edits, 12, frame_rate) <= 1.0
    assert output.name == "cut" and output.meta["join_count"] == len(edits.edits)


@pytest.mark.heavy
def test_pictures_of_an_uneven_frame_rate_are_those_that_the_map_says(tmp_path: Path) -> None:
    source = tmp_path / "uneven.mp4"
    uneven = "select='if(lt(mod(n,50),20),1,not(mod(n,3)))'"
    clock(source, 6, 25, "-strict", "-2", "-vf", uneven, "-fps_mode", "vfr", "-crf", "20")
    assert probed(source).video[0].frame_rate_kind == "variable"
    was = numbers(source)
    edits = edit_list(edit("cut", 1_010, 1_777), edit("cut", 3_333, 3_400), samples=6 * RATE)
    output = rendered(tmp_path, source, edits)
    whole = time_map(edits)
    for at_ms, shown in numbers(output.path):
        then_ms = old_ms(whole, at_ms + 0.5)
        assert shown == max(number for began_ms, number in was if began_ms <= then_ms)


TRIMMED = ("-ss", "2.3", "-i", "{}", "-c", "copy")
LATE = ("-i", "{}", "-itsoffset", "0.73", "-i", "{}", "-map", "0:v", "-map", "1:a", "-c", "copy")


@pytest.mark.heavy
@pytest.mark.parametrize(("words", "suffix"), [(TRIMMED, "mp4"), (LATE, "mkv")])
def test_a_recording_with_an_edit_list_or_late_sound_stays_together(
    words: tuple[str, ...], suffix: str, tmp_path: Path
) -> None:
    whole = clock(tmp_path / "clock.mp4", 12, 25, "-strict", "-2", "-crf", "20", "-bf", "2")
    source = tmp_path / f"source.{suffix}"
    args = [word.format(whole) for word in words]
    subprocess.run(["ffmpeg", "-v", "error", *args, "-strict", "-2", str(source)], check=True)
    was, heard = numbers(source), clicks(source)
    edits = edit_list(*irregular_cuts(9, 0.9), samples=9 * RATE)
    output = rendered(tmp_path, source, edits)
    places = time_map(edits)
    for at_ms, shown in numbers(output.path):
        then_ms = old_ms(places, at_ms + 20)
        began_ms = min(
            (ms for ms, number in was if number == shown), key=lambda ms: abs(ms - then_ms)
        )
        assert abs(began_ms + 20 - then_ms) <= 20.5 or _at_join(places.joins, at_ms, 40), at_ms
    expected = [places.to_new(int(at)) for at in heard if _is_kept(places, int(at))]
    assert len(expected) >= 4
    assert np.abs(clicks(output.path)[:, None] - expected).min(axis=0).max() <= RATE / 1000


@pytest.mark.heavy
def test_what_is_sped_up_or_silenced_is_so_in_both(tmp_path: Path) -> None:
    source = clock(tmp_path / "clock.mp4", 10, 25, "-strict", "-2")
    edits = edit_list(
        edit("speed_up", 2_500, 5_500, speed=3), edit("mute", 7_900, 8_100), samples=10 * RATE
    )
    output = rendered(tmp_path, source, edits)
    assert output.meta["duration_ms"] == 8_000 and output.meta["silenced_count"] == 1
    pictures = numbers(output.path)
    assert len(pictures) == 200 and pictures[-1][1] == 249
    fast = [shown for at_ms, shown in pictures if 2_500 <= at_ms < 3_460]
    assert set(np.diff(fast)) == {3}
    seconds = clicks(output.path) / RATE
    for silenced, heard in ((6.0, False), (2.0, True), (5.0, True), (7.0, True)):
        assert (np.abs(seconds - silenced).min() < 0.001) == heard


def test_every_other_stretch_between_cuts_is_a_tenth_larger() -> None:
    planes = Planes(200, 100, "yuv420p")
    flat = np.full(planes.size_bytes, 20, np.uint8)
    planes.split(flat)[0][30:70, 60:140] = 220
    luma = planes.split(enlarged(flat, planes))[0] > 120
    assert luma.sum(axis=0).max() == 44 and luma.sum(axis=1).max() == 88
    assert luma[50].argmax() == 200 - 44 - 100  # about the middle
    punch = PunchIn([1_000.0, 2_010.0], within_ms=20)
    assert [punch.at(ms) for ms in (960, 980, 1_000, 1_980, 2_000, 9_000)] == [
        *(False, True, True, True, False, False)
    ]


def test_captions_follow_those_that_people_wrote_too() -> None:
    texts = ("We", "um", "asked", "Smith")
    said = tuple(
        SpokenWord(
            start_ms=400 * n, end_ms=400 * n + 300, text=text, probability=1, timing="aligned"
        )
        for n, text in enumerate(texts)
    )
    cues = [
        TranscriptCue(
            index=1, start_ms=0, end_ms=1_500, text="We um asked Smith", first_word=0, word_count=4
        ),
        TranscriptCue(
            index=2,
            start_ms=4_000,
            end_ms=5_000,
            text="written by hand",
            first_word=4,
            word_count=0,
        ),
    ]
    transcript = Transcript(
        duration_ms=6_000, language="en", words=said, cues=tuple(cues), model_used="tiny"
    )
    private = edit("bleep", 1_190, 1_510, reason="privacy")
    edits = edit_list(edit("cut", 390, 710), private, samples=6 * RATE)
    left = left_by(edits, transcript)
    assert [cue.text for cue in left.cues] == ["We asked […]", "written by hand"]
    assert left.cues[1].start_ms == 3_680 and left.duration_ms == 5_680


@pytest.mark.heavy
def test_three_hundred_cuts_do_not_drift(tmp_path: Path) -> None:
    """Two pictures a second: where a border lies, and what adds up, shows as well as with 25. To the
    sample: a tenth of one at each cut would be thirty by the end."""
    source = clock(tmp_path / "clock.mp4", 540, 2, "-strict", "-2")
    edits = edit_list(*irregular_cuts(540, 1.8), samples=540 * RATE)
    output = rendered(tmp_path, source, edits)
    assert output.meta["join_count"] == 300
    assert check_together(output, edits, 540, 2) <= 1.1 * 1000 / RATE


@pytest.mark.heavy
def test_a_rendering_is_punched_in_behind_its_first_jump(tmp_path: Path) -> None:
    source = video.shortened(tmp_path / "short.mp4", 2.0, video.BROLL_CLIP)
    rate = probed(source).heard.sample_rate_hz if probed(source).audio else RATE
    edits = edit_list(edit("cut", 400, 800), samples=2 * rate, rate=rate)
    plain = _pictures(rendered(tmp_path / "plain", source, edits).path)
    punched = _pictures(rendered(tmp_path / "punched", source, edits, punch_in=True).path)
    assert len(plain) == len(punched)
    planes = Planes(*probed(source).video[0].shown_size, "yuv420p")
    behind = next(n for n, (at_ms, _) in enumerate(plain) if at_ms >= 399)
    for number in (behind - 1, behind, len(plain) - 1):
        expected = plain[number][1]
        if number >= behind:
            expected = enlarged(expected, planes)
        assert np.abs(punched[number][1].astype(int) - expected).mean() < 3


def _pictures(path: Path) -> list[tuple[float, Any]]:
    media = probed(path)
    wide, high = media.video[0].shown_size
    wanted = Wanted(wide, high, "yuv420p", Planes(wide, high, "yuv420p").size_bytes)
    with VideoFrames(path, media, wanted) as frames:
        return [(frames.ms(frame.ticks), frame.data) for frame in frames]
