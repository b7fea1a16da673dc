"""Lanes, block by block: each sample as the keyframes say, wherever a block begins and ends."""

from __future__ import annotations

import numpy as np
import pytest

from functions.render.audio.envelopes import lane_octaves, lane_values
from functions.render.audio.mix_plan import plan_mix
from functions.render.audio.writing import chapters
from shared.contracts.timeline import Timeline
from shared.errors import ValidationError

POINTS = ((10, 0.0, "linear"), (20, 10.0, "linear"), (24, 6.0, "linear"))


def wanted(frame: int) -> float:
    """By hand: still at 0, a step a frame up, a step a frame down, still at 6."""
    return float(np.interp(frame, [10, 20, 24], [0.0, 10.0, 6.0]))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 10, 14, 40])
def test_a_lane_is_the_same_in_blocks_of_any_size(size: int) -> None:
    for first in range(40):
        found = np.broadcast_to(lane_values(POINTS, first, size), size)
        assert found.tolist() == pytest.approx([wanted(first + n) for n in range(size)]), first


@pytest.mark.parametrize(
    ("first", "frames", "value"), [(0, 10, 0.0), (0, 5, 0.0), (24, 1, 6.0), (30, 9, 6.0)]
)
def test_where_it_stands_still_it_is_a_number(first: int, frames: int, value: float) -> None:
    found = lane_values(POINTS, first, frames)
    assert isinstance(found, float) and found == value


@pytest.mark.parametrize(("first", "frames"), [(0, 11), (23, 1), (9, 2)])
def test_where_it_moves_it_is_a_value_a_sample(first: int, frames: int) -> None:
    assert isinstance(lane_values(POINTS, first, frames), np.ndarray)


def test_a_single_keyframe_holds_everywhere() -> None:
    for first in (0, 10, 99):
        assert lane_values(((10, -3.0, "linear"),), first, 8) == -3.0


def test_frequencies_move_evenly_in_octaves() -> None:
    found = lane_octaves(((0, 100.0, "linear"), (2, 400.0, "linear")), 0, 3)
    assert np.asarray(found).tolist() == pytest.approx([100.0, 200.0, 400.0])


def planned(*markers_ms: float, rate: int = 48_000):
    content = {
        "sample_rate_hz": rate,
        "tracks": [{"clips": [{"asset_id": "a"}]}],
        "markers": [{"time_ms": at, "name": f"{at:g}"} for at in markers_ms],
    }
    return plan_mix(Timeline.model_validate(content), {"a": 1_000.0})


def test_a_marker_may_stand_on_the_last_sample_and_not_behind_it() -> None:
    last_ms = 1_000 - 1_000 / 48_000
    assert planned(0.0, last_ms).markers == ((0, "0"), (47_999, f"{last_ms:g}"))
    for behind_ms in (1_000.0, 1_000 - 0.4 * 1_000 / 48_000, 1_001.0):
        with pytest.raises(ValidationError, match=r"is behind the mix's end, 1000 ms"):
            planned(behind_ms)


def test_the_last_chapter_goes_to_the_end_and_none_is_empty() -> None:
    assert chapters([(0, "a"), (100, "b")], 101) == [(0, 100, "a"), (100, 101, "b")]
    assert chapters([(5, "a"), (5, "b")], 9) == [(5, 9, "b")]


def test_of_several_keyframes_within_a_sample_the_last_counts() -> None:
    lane = [{"time_ms": at, "value": value} for at, value in ((0, -9), (0.004, -3), (500, 0))]
    content = {"tracks": [{"automation": {"gain_db": lane}, "clips": [{"asset_id": "a"}]}]}
    plan = plan_mix(Timeline.model_validate(content), {"a": 1_000.0})
    (bus,) = plan.buses
    assert bus.tracks[0].lanes == {"gain_db": ((0, -3.0, "linear"), (24_000, 0.0, "linear"))}
