"""Shots and transitions looked for in parts are those of the recording as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.detect import visual_meta, visual_pass
from shared.contracts.step_engine import Backend
from shared.contracts.visual import VisualMeta
from tests.functions import video
from tests.functions.detect.test_dissolves import blended
from tests.functions.detect.test_shots import pan
from tests.functions.in_parts import done_in_parts

STUB = Backend("stub", "visual_meta-stub-1", stub=True)


def both(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, part_ms: int
) -> tuple[VisualMeta, VisualMeta, int]:
    """Whole, in parts, and in how many."""
    whole = video.run(visual_meta.ENGINE, source, folder / "whole").of("visual_meta")[0].path
    monkeypatch.setattr(visual_meta, "PART_MS", part_ms)
    result, count = done_in_parts(visual_meta.ENGINE, source, folder / "parts")
    return VisualMeta.read(whole), VisualMeta.read(result.outputs[0].path), count


def check_alike(whole: VisualMeta, split: VisualMeta) -> None:
    assert split.shots == whole.shots and split.transitions == whole.transitions
    assert split.frame_count == whole.frame_count and split.damage == whole.damage


@pytest.mark.heavy
def test_cuts_and_dissolves_at_borders_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dissolve is under way where the second part begins, the third begins with the cut."""
    source = tmp_path / "in.mp4"
    pictures = [*blended("coffee", "rocket", 30)[:-10], *pan("chelsea", 40)]
    video.film(source, iter(pictures), (64, 36), "-g", "20", "-bf", "2")
    monkeypatch.setattr(visual_pass, "LEAD_FRAMES", 50)
    whole, split, count = both(source, tmp_path, monkeypatch, 1_600)
    assert count == 3
    assert [shot.begins_with for shot in whole.shots] == ["start", "dissolve", "cut"]
    assert whole.shots[2].first_frame == 80 and len(whole.transitions) == 1
    check_alike(whole, split)


@pytest.mark.heavy
def test_the_shots_of_a_real_recording_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its dissolve is under way where the fourth of seven parts begins."""
    monkeypatch.setattr(visual_pass, "LEAD_FRAMES", 100)
    source = video.REAL / "shots" / "nasa_13013.mp4"
    whole, split, count = both(source, tmp_path, monkeypatch, 2_000)
    assert count == 7 and len(whole.shots) == 3 and len(whole.transitions) == 1
    check_alike(whole, split)


@pytest.mark.heavy
def test_a_stub_has_nothing_to_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = video.shortened(tmp_path / "in.mp4", 2.0)
    monkeypatch.setattr(visual_meta, "PART_MS", 500)
    ran = video.run(visual_meta.ENGINE, source, tmp_path / "out", backend=STUB)
    assert ran.body("visual_meta")["model_used"] == "stub"
