"""Faces that a look now and then would miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functions.anonymise import faces
from functions.detect import regions
from functions.detect.centerface import FaceDetector
from functions.detect.doubtful import at_edge, doubtful_spans, lasting, weak_boxes
from functions.detect.looking import Seen
from functions.detect.tracking import Sample, Tracker
from tests.functions import video
from tests.functions.anonymise.test_faces import leaked

SIZE = (480, 270)


def tracked(*boxes: list[list[float]]) -> Tracker:
    """Samples of each fifth frame, at 25 a second."""
    tracker = Tracker(0.5, 1000.0)
    for number, found in enumerate(boxes):
        rows = np.array(found, np.float64).reshape(-1, 5)
        tracker.add(Sample(5 * number, 200.0 * number, rows))
    return tracker


def test_what_was_seen_once_is_looked_at_frame_by_frame() -> None:
    tracker = tracked([], [], [[200, 100, 40, 50, 0.9]], [], [])
    tracks = tracker.finish()
    assert doubtful_spans(Seen(tracker, np.ones(2)), tracks, SIZE) == [(5, 15)]


def test_a_face_that_is_seen_all_the_time_needs_no_second_look() -> None:
    tracker = tracked(*[[[200.0, 100, 40, 50, 0.9]]] * 5)
    assert doubtful_spans(Seen(tracker, np.ones(2)), tracker.finish(), SIZE) == []


def test_gaps_and_weak_detections_are_looked_into() -> None:
    face = [200.0, 100, 40, 50, 0.9]
    tracker = tracked([face], [face], [], [face], [[400, 200, 30, 40, 0.45], face], [face])
    tracks = tracker.finish()
    assert doubtful_spans(Seen(tracker, np.ones(2)), tracks, SIZE) == [(5, 25)]


def test_at_the_edge_only_what_lasts_is_told() -> None:
    """A mirrored edge makes a face of many a thing for a picture or two."""
    flash, steady = [200.0, 0, 40, 30, 0.46], [0.0, 100, 30, 60, 0.34]
    assert at_edge(np.array(flash), SIZE)
    tracker = Tracker(0.5, 1000.0)
    for number in range(10):
        rows = [steady, flash] if number == 4 else [steady]
        tracker.add(Sample(number, 40.0 * number, np.array(rows)))
    tracker.finish()
    told = lasting(weak_boxes(tracker, SIZE), tracker, SIZE)
    assert {float(box[4]) for _, box in told} == {0.34}
    assert len(told) == 10


@pytest.mark.heavy
def test_a_head_cut_by_the_edge_is_found() -> None:
    portrait = video.portrait()
    left, _, right, _ = (round(side) for side in video.FACE)
    half = np.ascontiguousarray(portrait[:, (left + right) // 2 :])
    boxes = FaceDetector.load().find(half)
    assert boxes[0, 4] > 0.6
    assert boxes[0, 0] < 20
    assert len(boxes[boxes[:, 4] >= 0.5]) == 1  # its mirror image is none


@pytest.mark.heavy
@pytest.mark.parametrize("speed", [24, 40])
def test_a_face_that_crosses_fast_is_covered_in_every_frame(speed: int, tmp_path: Path) -> None:
    """At so many pixels a frame it is another place at each sample."""

    def crossing(t: float) -> video.Pose:
        x = -150 + speed * 25 * t
        return video.Pose(x, 135, 80, hidden=not -60 < x < 540)

    clip = video.moving(tmp_path / "a.mp4", crossing, 1.4)
    found = video.run(regions.ENGINE, clip.path, tmp_path / "r")
    summary = {"detect.regions": [found.as_input("video_region_summary")]}
    ran = video.run(faces.ENGINE, clip.path, tmp_path / "a", inputs=summary, preset="solid")
    parts = leaked(ran.of("video_anonymised")[0].path, list(clip.truth))
    assert len(parts) >= 8
    assert max(parts) < 0.1


@pytest.mark.heavy
def test_a_phone_that_is_turned_shows_nobody(tmp_path: Path) -> None:
    """The size changes in mid-stream, as a call is recorded: covered throughout, and told."""
    import cv2

    parts = []
    for number, (wide, high) in enumerate(((360, 640), (640, 360))):
        side = min(wide, high)
        frame = np.full((high, wide, 3), 90, np.uint8)
        top, left = (high - side) // 2, (wide - side) // 2
        frame[top : top + side, left : left + side] = cv2.resize(video.portrait(), (side, side))
        part = tmp_path / f"{number}.ts"
        video.film(part, iter([frame] * 20), (wide, high))
        parts.append(part.read_bytes())
    source = tmp_path / "a.ts"
    source.write_bytes(b"".join(parts))
    found = video.run(regions.ENGINE, source, tmp_path / "r")
    assert all(row.regions for row in found.summary.frames)
    assert found.summary.frame_count >= 39
    assert "size changes" in found.summary.notices[0]
    summary = {"detect.regions": [found.as_input("video_region_summary")]}
    ran = video.run(faces.ENGINE, source, tmp_path / "a", inputs=summary)
    doubts = ran.body("video_coverage_report")["doubts"]
    assert any("size changes" in doubt["reason"] for doubt in doubts)
    closed = video.run(faces.ENGINE, source, tmp_path / "c", inputs=summary, fail_closed=True)
    assert not closed.of("video_anonymised")
