"""A video rendered in segments has the frames, times, sound and covers of one rendered whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from functions.anonymise import faces
from tests.functions import video
from tests.functions.anonymise.test_faces import anonymised, ffmpeg
from tests.functions.anonymise.test_recordings import face_held
from tests.functions.in_parts import done_in_parts
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms

SPLIT: dict[str, tuple[str, list[str], int]] = {
    "late": ("mp4", ["-vf", "setpts=PTS+0.8/TB", "-c:a", "copy"], 500),
    "pcm": ("mov", ["-c:v", "copy", "-c:a", "pcm_s16le"], 500),
    "tagged": (
        "mp4",
        ["-vf", "setsar=4/3,setfield=tff", "-flags", "+ilme+ildct", "-pix_fmt", "yuvj420p"],
        500,
    ),
    "1,000 a second, mute": ("mp4", ["-vf", "fps=1000,scale=160:120", "-t", "0.2", "-an"], 70),
}
"""Suffix, ffmpeg's words, and how long parts are."""


def decoded(path: Path) -> int:
    """How many pictures can be decoded."""
    words = ["-select_streams", "v", "-count_frames", "-show_entries", "stream=nb_read_frames"]
    command = ["ffprobe", "-v", "error", *words, "-of", "csv=p=0", str(path)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout.split(b",")[0])


def both(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, part_ms: int
) -> tuple[Path, Path, int]:
    """Whole, in segments, and in how many."""
    summary = face_held(source, folder / "regions")
    whole = anonymised(source, summary, folder / "whole").of("video_anonymised")[0].path
    monkeypatch.setattr(faces, "PART_MS", part_ms)
    inputs = {faces.SUMMARY_STEP: [summary]}
    result, count = done_in_parts(faces.ENGINE, source, folder / "parts", inputs)
    return whole, result.outputs[0].path, count


@pytest.mark.heavy
def test_segments_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = video.shortened(tmp_path / "in.mp4", 1.5)
    whole, joined, count = both(source, tmp_path, monkeypatch, 500)
    assert count == 3
    assert packet_times_ms(joined) == packet_times_ms(whole)
    assert decoded(joined) == decoded(whole) == len(packet_times_ms(whole))
    summary = face_held(source, tmp_path / "again")
    alone = anonymised(source, summary, tmp_path / "alone").of("video_anonymised")[0].path
    assert alone.read_bytes() == joined.read_bytes(), "split, but in one go"


@pytest.mark.heavy
@pytest.mark.parametrize("name", SPLIT)
def test_unusual_recordings_are_split_alike(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension, words, part_ms = SPLIT[name]
    source = tmp_path / f"in.{extension}"
    ffmpeg("-i", video.FACE_CLIP, "-t", "1", *words, source)
    whole, joined, count = both(source, tmp_path, monkeypatch, part_ms)
    assert count > 1
    assert packet_times_ms(joined) == packet_times_ms(whole)
    assert decoded(joined) == decoded(whole)
    before, after = probed(whole), probed(joined)
    assert after.duration_ms == pytest.approx(before.duration_ms, abs=4)
    assert after.audio == before.audio
    # ffmpeg reckons the mean rate by the last packet stored, which a second and a half notices.
    of_length = {"frame_rate", "duration_ms"}
    (one,), (other,) = before.video, after.video
    assert other.model_dump(exclude=of_length) == one.model_dump(exclude=of_length)
    assert other.duration_ms == pytest.approx(one.duration_ms, abs=4)
