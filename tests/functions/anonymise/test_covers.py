"""Where frames are covered, for summaries made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.anonymise.coverage import doubts_about
from functions.anonymise.covers import Holds, by_frame, cover_tracks
from shared.contracts.region_summary import Gap, Region, RegionFrame, RegionSummary, RegionTrack

Spans = dict[str, tuple[int, int, float]]
"""Track -> first and last frame, and by how many pixels it moves each frame."""

HOLDS = Holds(before_ms=200, after_ms=200, bridge_ms=1000, dilation=0.0)
FRAMES = 100


def summary(spans: Spans, cuts: Sequence[int] = (), x: float = 300.0) -> RegionSummary:
    """Boxes of 40 by 40, at 40 ms a frame, in a picture of 640 by 360."""

    def region(name: str, frame: int) -> Region:
        first, _, speed = spans[name]
        at = x + speed * (frame - first)
        return Region(track_id=name, kind="face", x=at, y=150, width=40, height=40, confidence=0.9)

    def track(name: str) -> RegionTrack:
        first, last, _ = spans[name]
        return RegionTrack(
            track_id=name, kind="face", start_ms=40.0 * first, end_ms=40.0 * last,
            first_frame=first, last_frame=last, detections=9, mean_confidence=0.9,
            least_confidence=0.9, gaps=(),
        )  # fmt: skip

    rows = tuple(
        RegionFrame(
            frame=n,
            time_ms=40.0 * n,
            sampled=True,
            regions=tuple(
                region(name, n) for name, span in spans.items() if span[0] <= n <= span[1]
            ),
        )
        for n in range(FRAMES)
    )
    return RegionSummary(
        duration_ms=4000, width=640, height=360, frame_count=FRAMES, frame_sample_interval_ms=200,
        min_confidence=0.5, include_regions=("face",), model_used="hand", damage=None, frames=rows,
        cuts_ms=tuple(40.0 * cut for cut in cuts), tracks=tuple(track(name) for name in spans),
    )  # fmt: skip


def test_a_cover_is_held_before_and_after() -> None:
    (cover,) = cover_tracks(summary({"a": (20, 40, 0)}), ["a"], HOLDS)
    assert (cover.first, cover.last) == (15, 45)
    np.testing.assert_allclose(cover.boxes, [[300, 150, 340, 190]] * 31)


def test_before_and_after_are_held_for_their_own_times() -> None:
    holds = Holds(before_ms=80, after_ms=400, bridge_ms=1000, dilation=0.0)
    (cover,) = cover_tracks(summary({"a": (20, 40, 0)}), ["a"], holds)
    assert (cover.first, cover.last) == (18, 50)


def test_a_held_cover_moves_on() -> None:
    (cover,) = cover_tracks(summary({"a": (20, 40, 5)}), ["a"], HOLDS)
    assert cover.boxes[0][0] == pytest.approx(300 - 5 * 5)
    assert cover.boxes[0][2] >= 340
    assert cover.boxes[-1][2] == pytest.approx(440 + 5 * 5)


def test_no_cover_is_held_across_a_cut() -> None:
    (cover,) = cover_tracks(summary({"a": (20, 40, 0)}, cuts=(18, 42)), ["a"], HOLDS)
    assert (cover.first, cover.last) == (18, 41)


def test_a_gap_between_near_tracks_is_bridged() -> None:
    covers = cover_tracks(summary({"a": (10, 30, 0), "b": (50, 70, 0)}), ["a", "b"], HOLDS)
    assert set(range(5, 76)) == set(by_frame(covers))
    assert [cover.bridged for cover in covers] == [True, True]


def test_a_long_gap_is_not_bridged_but_doubted() -> None:
    found = summary({"a": (10, 30, 0), "b": (70, 80, 0)})
    covers = cover_tracks(found, ["a", "b"], HOLDS)
    assert 50 not in by_frame(covers)
    doubts = [doubt.reason for doubt in doubts_about(found, covers) if doubt.track_id == "a"]
    assert any("lost in mid-picture" in reason for reason in doubts)


def test_going_out_at_the_edge_and_at_cuts_is_no_doubt() -> None:
    found = summary({"a": (20, 40, 13)}, cuts=(20,), x=50)
    covers = cover_tracks(found, ["a"], HOLDS)
    assert len(doubts_about(found, covers)) == 1  # 310 px: still in mid-picture
    found = summary({"a": (20, 60, 13)}, cuts=(20,), x=50)
    assert not doubts_about(found, cover_tracks(found, ["a"], HOLDS))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"damage": "error while decoding"}, "damaged"),
        ({"frame_sample_interval_ms": 900.0}, "every 900 ms"),
        ({"min_confidence": 0.8}, "0.8 were dropped"),
    ],
)
def test_what_speaks_against_the_whole_is_told(change: dict[str, object], reason: str) -> None:
    found = summary({"a": (0, 99, 0)}).model_copy(update=change)
    (doubt,) = doubts_about(found, cover_tracks(found, ["a"], HOLDS))
    assert reason in doubt.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"detections": 1}, "one sample"),
        ({"mean_confidence": 0.4}, "mean confidence is 0.4"),
        ({"gaps": (Gap(start_ms=400, end_ms=1200),)}, "not found for 800 ms"),
    ],
)
def test_what_speaks_against_a_track_is_told(change: dict[str, object], reason: str) -> None:
    found = summary({"a": (0, 99, 0)})
    track = found.tracks[0].model_copy(update=change)
    found = found.model_copy(update={"tracks": (track,)})
    (doubt,) = doubts_about(found, cover_tracks(found, ["a"], HOLDS))
    assert reason in doubt.reason


@given(
    st.integers(0, 60), st.integers(0, 39), st.floats(-6, 6),
    st.floats(0, 600), st.floats(0, 600), st.floats(0, 0.5),
)  # fmt: skip
def test_every_box_lies_in_its_cover(
    first: int, length: int, speed: float, before: float, after: float, dilation: float
) -> None:
    found = summary({"a": (first, first + length, speed)})
    (cover,) = cover_tracks(found, ["a"], Holds(before, after, 0, dilation))
    for frame in range(first, first + length + 1):
        (region,) = found.frames[frame].regions
        box = cover.boxes[frame - cover.first]
        assert box[0] <= region.x
        assert region.x + region.width <= box[2]
        assert box[1] <= region.y
        assert region.y + region.height <= box[3]
