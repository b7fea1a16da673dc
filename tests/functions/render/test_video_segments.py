"""A video rendered in segments has the pictures, times and sound of one rendered whole."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.render import video as rendering
from functions.render.video import ENGINE
from shared.contracts.asset import MediaInfo
from shared.contracts.edit_list import EditList
from shared.contracts.step_engine import Job, Output
from shared.media.formats import MOV
from tests.functions import video
from tests.functions.in_parts import done_in_parts
from tests.functions.render.clockwork import RATE, clock, numbers
from tests.functions.render.cutting import edit, edit_list
from tests.functions.render.test_video import Inputs, inputs, shown
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms

__all__ = ["inputs"]


def both(
    folder: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    part_ms: int,
    *,
    inputs: Inputs | None = None,
    edits: EditList | None = None,
    **params: Any,
) -> tuple[Output, Output, int]:
    """Whole, in segments, and in how many."""
    sources = {}
    if edits is not None:
        sources["art_list"] = folder / "edits.json"
        edits.write(sources["art_list"])
        params["edit_list"] = "art_list"
    if inputs is None:
        params["faces"] = "original"
    workdir = folder / "whole"
    workdir.mkdir()
    job = Job(source, probed(source), workdir, lambda _: None, inputs or {}, sources=sources)
    (whole,) = ENGINE.run(job, ENGINE.params(**params), ENGINE.backend()).outputs
    monkeypatch.setattr(rendering, "PART_MS", part_ms)
    parts = folder / "parts"
    result, count = done_in_parts(ENGINE, source, parts, inputs, sources, **params)
    return whole, result.outputs[0], count


def sound(path: Path) -> bytes:
    """What its sound's packets hold, and when."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-c", "copy"]
    return subprocess.run([*command, "-f", "framemd5", "-"], capture_output=True, check=True).stdout


def check_alike(whole: Output, joined: Output) -> None:
    """Number and times of pictures to the tick, sound to the bit, and what is told of both."""
    assert packet_times_ms(joined.path) == packet_times_ms(whole.path)
    assert sound(joined.path) == sound(whole.path)
    why = {"encoded_because": None}
    assert joined.meta | why == whole.meta | why


@pytest.mark.heavy
def test_segments_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = clock(tmp_path / "clock.mp4", 3, 25, "-strict", "-2", "-bf", "2", "-g", "20")
    whole, joined, count = both(tmp_path, source, monkeypatch, 1_000)
    assert count == 3
    check_alike(whole, joined)
    assert numbers(joined.path) == numbers(whole.path)
    workdir = tmp_path / "alone"
    workdir.mkdir()
    told: list[float] = []
    job = Job(source, probed(source), workdir, told.append)
    asked = ENGINE.params(faces="original")
    (alone,) = ENGINE.run(job, asked, ENGINE.backend()).outputs
    assert alone.path.read_bytes() == joined.path.read_bytes(), "split, but in one go"
    assert told == sorted(told)


LISTED = (edit("cut", 1_010, 1_777), edit("cut", 2_300, 2_750), edit("cut", 3_333, 3_400))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("words", "suffix", "edits", "params"),
    [
        ((), "mp4", LISTED, {"punch_in": True}),
        ((), "mkv", (edit("speed_up", 500, 3_500, speed=3),), {"height": 64}),
        (("-vf", "select='not(between(n,20,80))'", "-fps_mode", "vfr"), "mkv", (), {}),
        ((), "mp4", (), {"cuts": [(2_000, 3_900), (133, 1_277.5), (800, 1_500)]}),
    ],
)
def test_what_is_cut_sped_up_or_uneven_is_split_alike(
    words: tuple[str, ...],
    suffix: str,
    edits: tuple[Any, ...],
    params: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = clock(
        tmp_path / f"clock.{suffix}", 4, 25, "-strict", "-2", "-bf", "2", "-g", "20", *words
    )
    asked = dict(params)
    if "cuts" in asked:
        asked["cuts"] = [{"start_ms": low, "end_ms": high} for low, high in asked["cuts"]]
    listed = edit_list(*edits, samples=4 * RATE) if edits else None
    whole, joined, count = both(tmp_path, source, monkeypatch, 1_350, edits=listed, **asked)
    assert count == 3
    check_alike(whole, joined)
    assert numbers(joined.path) == numbers(whole.path)


@pytest.mark.heavy
def test_covers_crops_and_captions_go_by_the_time_of_the_whole(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"captions": "burn", "caption_style": "spoken", "aspect": "9:16", "height": 480}
    whole, joined, count = both(
        tmp_path, video.FACE_CLIP, monkeypatch, 2_100, inputs=inputs, **params
    )
    assert count == 3
    check_alike(whole, joined)
    for one, other in zip(shown(joined.path), shown(whole.path), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 3


@pytest.fixture(scope="module")
def face_media() -> MediaInfo:
    return probed(video.FACE_CLIP)


@pytest.mark.parametrize(
    ("container", "params", "split"),
    [
        (MOV, {}, True),
        ("mpegts", {}, False),
        (MOV, {"dry_run": True}, False),
        (MOV, {"cuts": [{"start_ms": 0, "end_ms": 700}]}, False),
        (MOV, {"edit_list": "art_list"}, False),
        (MOV, {"edit_list": "art_list", "aspect": "1:1"}, True),
    ],
)
def test_who_is_split(
    container: str,
    params: dict[str, Any],
    split: bool,
    face_media: MediaInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An edit list is, where nothing of the recording can be copied."""
    monkeypatch.setattr(rendering, "PART_MS", 500)
    media = face_media.model_copy(update={"container": container})
    asked = ENGINE.params(faces="original", **params)
    assert bool(rendering.split(media, {}, asked)) == split
