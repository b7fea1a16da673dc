"""Faces looked for in parts are the tracks of the recording as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.detect import regions
from shared.contracts.region_summary import RegionSummary
from tests.functions import video
from tests.functions.in_parts import done_in_parts


def both(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, part_ms: int, **params: Any
) -> tuple[RegionSummary, RegionSummary]:
    """Whole, and in parts."""
    whole = video.run(regions.ENGINE, source, folder / "whole", **params).summary
    monkeypatch.setattr(regions, "PART_MS", part_ms)
    result, count = done_in_parts(regions.ENGINE, source, folder / "parts", **params)
    assert count > 1
    again = video.run(regions.ENGINE, source, folder / "again", **params)
    for one, other in zip(again.result.outputs, result.outputs, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes(), "the same split in one go"
    return whole, RegionSummary.read(result.outputs[0].path)


def check_alike(whole: RegionSummary, split: RegionSummary) -> None:
    assert [row.time_ms for row in split.frames] == [row.time_ms for row in whole.frames]
    assert split.cuts_ms == whole.cuts_ms and split.damage == whole.damage
    extents = [[(t.first_frame, t.last_frame) for t in one.tracks] for one in (whole, split)]
    assert extents[0] == extents[1]


@pytest.mark.heavy
def test_a_face_is_one_track_across_the_border(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = video.moving(tmp_path / "in.mp4", video.MOTIONS["swaying"], 1.2, "-g", "10", "-bf", "2")
    whole, split = both(clip.path, tmp_path, monkeypatch, 600, detection_side=320)
    assert len(whole.tracks) == 1
    check_alike(whole, split)


@pytest.mark.heavy
@pytest.mark.parametrize("motion", ["cut away", "crossing", "dark"])
@pytest.mark.parametrize("part_ms", [700, 960])
def test_tracks_and_cuts_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, motion: str, part_ms: int
) -> None:
    """At 960 ms a part begins with a cut."""
    clip = video.moving(tmp_path / "in.mp4", video.MOTIONS[motion], 2.0, "-g", "50")
    whole, split = both(clip.path, tmp_path, monkeypatch, part_ms)
    check_alike(whole, split)
