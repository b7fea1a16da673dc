"""Renderings of which only what lies around a cut is encoded: the rest is the recording's, to the bit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.render.video import ENGINE
from functions.render.video import rendered_video as rendering
from functions.render.video.copied_groups import plan_copying, stretches_of
from functions.render.video.shown_windows import Source
from functions.render.video.video_plan import make_plan
from shared.contracts.edit_list import EditList
from shared.contracts.step_engine import Job, Output
from shared.media.coded_pictures import (
    Group,
    NotCopyable,
    ParameterSets,
    read_sets,
)
from shared.media.encode import Planes
from shared.media.frames import VideoFrames, Wanted
from shared.media.least_mp4 import decoded_at
from tests.functions.console.browser import chromium
from tests.functions.render.clockwork import BLOCK, HIGH, RATE, WIDE, clock, numbers
from tests.functions.render.cutting import edit, edit_list
from tests.functions.render.test_cut_video import check_together, rendered
from tests.shared.media.recordings import probed

SECONDS = 6
CUTS = ((700, 1_130), (3_210, 3_300), (4_000, 5_000))
CODED = ("-strict", "-2", "-preset", "veryfast", "-crf", "20")
Pictures = list[tuple[float, Any]]


def pictures(path: Path) -> Pictures:
    """Times in ms, and all planes."""
    wanted = Wanted(WIDE, HIGH, "yuv420p", Planes(WIDE, HIGH, "yuv420p").size_bytes)
    with VideoFrames(path, probed(path), wanted) as frames:
        return [(frames.ms(frame.ticks), frame.data) for frame in frames]


def cut_clock(folder: Path, *coded: str, suffix: str = "mp4") -> tuple[Path, Output]:
    source = clock(folder / f"clock.{suffix}", SECONDS, 25, *CODED, *coded)
    edits = edit_list(*(edit("cut", *one) for one in CUTS), samples=SECONDS * RATE)
    output = rendered(folder, source, edits)
    check(output, edits)
    return source, output


def check(output: Output, edits: EditList) -> None:
    """Right pictures at the right times, sound in step, and nothing that decoders stumble over."""
    assert check_together(output, edits, SECONDS, 25) <= 1.0
    words = ["ffmpeg", "-v", "warning", "-i", str(output.path), "-f", "null", "-"]
    assert not subprocess.run(words, capture_output=True, check=True).stderr
    capture, count = cv2.VideoCapture(str(output.path)), 0
    while capture.read()[0]:
        count += 1
    assert count == output.meta["frame_count"]
    told = output.meta["copied_s"] + output.meta["encoded_s"]
    assert told == pytest.approx(edits.new_duration_ms / 1000, abs=0.05)


def identical(source: Path, output: Output) -> int:
    """How many pictures are those of the recording to the bit, wherever they are shown."""
    was = pictures(source)
    shown = [number for _, number in numbers(output.path)]
    made = pictures(output.path)
    return sum(
        np.array_equal(was[number][1], data) for number, (_, data) in zip(shown, made, strict=True)
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("coded", "suffix", "copied_s"),
    [
        (("-g", "25", "-profile:v", "baseline", "-c:a", "pcm_s16le"), "mov", 2.0),
        (("-g", "1"), "mp4", 4.48),
        (("-g", "25", "-bf", "5", "-x264-params", "sps-id=1:b-pyramid=normal"), "mp4", 2.0),
        (("-g", "25", "-x264-params", "repeat-headers=1", "-tag:v", "avc3"), "mp4", 2.0),
    ],
)
def test_groups_that_no_cut_touches_are_copied(
    coded: Sequence[str], suffix: str, copied_s: float, tmp_path: Path
) -> None:
    source, output = cut_clock(tmp_path, *coded, "-sc_threshold", "0", suffix=suffix)
    assert output.meta["copied_s"] == copied_s and "encoded_because" not in output.meta
    assert identical(source, output) >= round(25 * copied_s)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("coded", "suffix", "params", "because"),
    [
        (("-g", "25"), "mkv", {}, "no H.264 in MP4"),
        (("-g", "25", "-bf", "2", "-x264-params", "open-gop=1"), "mp4", {}, "left whole"),
        (("-c:v", "mpeg4"), "mp4", {}, "no H.264 in MP4"),
        (("-pix_fmt", "yuv444p"), "mp4", {}, "4:2:0"),
        (("-g", "25"), "mp4", {"punch_in": True}, "changed"),
        (("-g", "25"), "mp4", {"height": 64}, "another size"),
    ],
)
def test_what_cannot_be_copied_is_told(
    coded: Sequence[str], suffix: str, params: dict[str, Any], because: str, tmp_path: Path
) -> None:
    path, listed = tmp_path / f"clock.{suffix}", tmp_path / "edits.json"
    clock(path, SECONDS, 25, *CODED, *coded)
    edit_list(*(edit("cut", *one) for one in CUTS), samples=SECONDS * RATE).write(listed)
    job = Job(path, probed(path), tmp_path, lambda _: None, sources={"art_list": listed})
    plan = make_plan(job, ENGINE.params(edit_list="art_list", faces="original", **params))
    with pytest.raises(NotCopyable, match=because):
        plan_copying(plan, Source(path, job.media, Planes(WIDE, HIGH, "yuv420p")))


@pytest.mark.heavy
def test_a_file_that_turns_out_otherwise_is_encoded_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(*_: Any) -> int:
        raise NotCopyable("the file that was written is not what was planned")

    monkeypatch.setattr(rendering, "write_copying", failing)
    _, output = cut_clock(tmp_path, "-g", "25")
    assert "not what was planned" in output.meta["encoded_because"]
    assert output.meta["copied_s"] == 0


@pytest.mark.heavy
def test_a_recording_whose_parameter_sets_change_is_encoded_whole(tmp_path: Path) -> None:
    parts = [
        clock(tmp_path / f"{refs}.mp4", 3, 25, *CODED, "-g", "25", "-refs", f"{refs}")
        for refs in (1, 4)
    ]
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"file {part.name}\n" for part in parts))
    joined = tmp_path / "joined.mp4"
    words = ["ffmpeg", "-v", "error", "-f", "concat", "-i", str(listed), "-c", "copy"]
    subprocess.run([*words, "-strict", "-2", str(joined)], check=True)
    edits = edit_list(edit("cut", 700, 1_130), samples=SECONDS * RATE)
    output = rendered(tmp_path, joined, edits)
    assert output.meta["frame_count"] == round(25 * edits.new_duration_ms / 1000)
    assert "parameter sets change" in output.meta["encoded_because"]


@pytest.mark.heavy
def test_chromium_shows_the_right_picture_wherever_it_is_sought(tmp_path: Path) -> None:
    _, output = cut_clock(tmp_path, "-g", "25", "-bf", "2")
    shown = numbers(output.path)
    wanted = [*shown[::3], *shown[-2::-5]]

    def answer(route: Any) -> None:
        if route.request.url.endswith("mp4"):
            route.fulfill(path=output.path, content_type="video/mp4")
        else:
            route.fulfill(body="<canvas></canvas>", content_type="text/html")

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("http://film.test/")
        times_s = [at_ms / 1000 + 0.02 for at_ms, _ in wanted]
        seen = page.evaluate(_SEEKING, [times_s, WIDE, HIGH, BLOCK])
    assert seen == [number for _, number in wanted]


_SEEKING = """async ([times, wide, high, block]) => {
  const video = document.createElement("video");
  video.muted = true;
  video.src = URL.createObjectURL(await (await fetch("/film.mp4")).blob());
  await new Promise((done) => (video.onloadeddata = done));
  const canvas = document.querySelector("canvas").getContext("2d", { willReadFrequently: true });
  const columns = wide / block, seen = [];
  for (const time of times) {
    // "seeked" may come before the picture is there to be drawn, the file's last one above all.
    const shown = new Promise((done) => video.requestVideoFrameCallback(done));
    video.currentTime = time;
    await new Promise((done) => (video.onseeked = done));
    await shown;
    canvas.drawImage(video, 0, 0, wide, high);
    const { data } = canvas.getImageData(0, 0, wide, high);
    let number = 0;
    for (let bit = 0; bit < columns * (high / block) - 1; bit += 1) {
      const x = block * (bit % columns) + block / 2, y = block * Math.floor(bit / columns) + block / 2;
      if (data[4 * (y * wide + x)] > 120) number += 2 ** bit;
    }
    seen.push(number);
  }
  return seen;
}"""


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=6),
)
def test_stretches_hold_every_picture_once_and_copy_whole_groups_alone(
    lengths: list[int], kept: list[tuple[int, int]]
) -> None:
    edges = np.cumsum([0, *lengths])
    groups = [Group(int(a), int(b), int(a)) for a, b in pairwise(edges)]
    chosen = [
        at for start, count in kept for at in range(start, min(start + count, int(edges[-1])))
    ]
    stretches = list(stretches_of(chosen, groups))
    assert [n for one in stretches for n in range(one.start, one.stop)] == list(range(len(chosen)))
    for one in stretches:
        copied = [at for group in one.groups for at in range(group.first, group.stop)]
        assert copied in ([], chosen[one.start : one.stop])


@given(st.permutations(range(12)), st.integers(1, 4000))
def test_no_picture_is_shown_before_it_is_decoded(order: list[int], step: int) -> None:
    shown = [step * place for place in order]
    decoded = decoded_at(shown)
    assert decoded == sorted(set(decoded)) and len(decoded) == len(shown)
    assert all(early <= late for early, late in zip(decoded, shown, strict=True))


def test_parameter_sets_are_read_as_they_are_written_and_told_apart() -> None:
    own = ParameterSets(b"\x42\xc0\x1e", (b"\x67\x42\xc0\x1e\x80",), (b"\x68\xce",), b"")
    other = ParameterSets(
        b"\x64\x00\x1f", (b"\x67\x64\x00\x1f\x40",), (b"\x68\x48",), b"\xfd\xf8\xf8\x00"
    )
    both = own.beside(other)
    assert read_sets(both.written()) == both
    assert both.profile == b"\x64\x00\x1f" and both.sequence == own.sequence + other.sequence
    assert (own.free_number, other.free_number, both.free_number) == (1, 0, 2)
    with pytest.raises(NotCopyable, match="one number"):
        both.beside(own)
    for damaged in (b"", own.written()[:9], b"\x00" + own.written()[1:]):
        with pytest.raises(NotCopyable):
            read_sets(damaged)
