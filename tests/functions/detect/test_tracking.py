"""Detections become tracks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from functions.detect.tracking import Sample, Track, Tracker, interpolated


def tracked(rows: list[list[tuple[float, ...]]], cuts: tuple[int, ...] = ()) -> list[Track]:
    """One row of boxes a sample, 100 ms apart."""
    tracker = Tracker(min_confidence=0.5, max_gap_ms=350)
    for number, boxes in enumerate(rows):
        found = np.array(boxes, np.float64).reshape(-1, 5)
        tracker.add(Sample(3 * number, 100.0 * number, found, number in cuts))
    return tracker.finish()


def box(x: float, y: float = 50, confidence: float = 0.9, side: float = 40) -> tuple[float, ...]:
    return (x, y, side, side, confidence)


def test_things_that_pass_each_other_stay_themselves() -> None:
    left_to_right = [20 + 25 * step for step in range(9)]
    rows = [[box(x), box(240 - x, 80)] for x in left_to_right]
    one, other = tracked(rows)
    assert [found[0] for found in one.boxes] == left_to_right
    assert [found[0] for found in other.boxes] == [240 - x for x in left_to_right]


def test_what_is_lost_for_long_is_another_when_it_comes_back() -> None:
    short = tracked([[box(50)], [], [], [box(55)]])
    long = tracked([[box(50)], [], [], [], [box(55)]])
    assert [len(track.boxes) for track in short] == [2]
    assert [len(track.boxes) for track in long] == [1, 1]


def test_nothing_goes_on_across_a_cut() -> None:
    assert len(tracked([[box(50)], [box(50)], [box(50)]], cuts=(2,))) == 2


def test_weak_boxes_go_on_with_a_track_and_lead_up_to_it_but_start_none() -> None:
    rows = [[box(50, confidence=0.3)], [box(52)], [box(54, confidence=0.3)], []]
    (track,) = tracked([[box(300, confidence=0.4)], *rows])
    assert track.samples == [1, 2, 3]


def test_weak_boxes_of_the_shot_before_lead_up_to_nothing() -> None:
    (track,) = tracked([[box(50, confidence=0.3)], [box(52)]], cuts=(1,))
    assert track.samples == [1]


@given(st.floats(-30, 30), st.floats(-30, 30), st.integers(3, 12))
def test_even_motion_is_interpolated_exactly(dx: float, dy: float, count: int) -> None:
    """With every second detection left out, what is between is where it was."""
    places = [(200 + dx * step, 200 + dy * step) for step in range(2 * count + 1)]
    rows = [[box(*place, side=80)] if step % 2 == 0 else [] for step, place in enumerate(places)]
    (track,) = tracked(rows)
    boxes = interpolated(track, [100.0 * step for step in range(2 * count + 1)])
    np.testing.assert_allclose(boxes[:, :2], places, atol=1e-6)
