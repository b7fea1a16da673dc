"""Faces looked for in parts are the tracks of the recording as a whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from functions.detect import regions
from shared.contracts.region_summary import RegionSummary
from tests.functions import video
from tests.functions.in_parts import done_in_parts

Looked = tuple[Path, RegionSummary]
"""A recording, and what was found in it as a whole."""


def in_parts(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, part_ms: int, **params: Any
) -> RegionSummary:
    """As strangers do it, which is what the same split is in one go."""
    monkeypatch.setattr(regions, "PART_MS", part_ms)
    result, count = done_in_parts(regions.ENGINE, source, folder / "parts", **params)
    assert count > 1
    again = video.run(regions.ENGINE, source, folder / "again", **params)
    for one, other in zip(again.result.outputs, result.outputs, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes(), "the same split in one go"
    return RegionSummary.read(result.outputs[0].path)


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
    whole = video.run(regions.ENGINE, clip.path, tmp_path / "whole", detection_side=320).summary
    split = in_parts(clip.path, tmp_path, monkeypatch, 600, detection_side=320)
    assert len(whole.tracks) == 1
    check_alike(whole, split)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Looked]:
    """Films a motion and looks at the whole of it, once."""

    @cache
    def look(motion: str) -> Looked:
        folder = tmp_path_factory.mktemp("whole")
        clip = video.moving(folder / "in.mp4", video.MOTIONS[motion], 2.0, "-g", "50")
        return clip.path, video.run(regions.ENGINE, clip.path, folder / "out").summary

    return look


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("motion", "part_ms"), [("cut away", 960), ("crossing", 700), ("dark", 960)]
)
def test_tracks_and_cuts_are_those_of_the_whole(
    looked_at: Callable[[str], Looked],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    motion: str,
    part_ms: int,
) -> None:
    """At 960 ms a part begins with a cut."""
    source, whole = looked_at(motion)
    check_alike(whole, in_parts(source, tmp_path, monkeypatch, part_ms))
