"""Transitions that take their time, in pictures whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from functions.detect import visual_meta
from functions.detect.dissolves import DissolveDetector, Gradual
from tests.functions import video
from tests.functions.detect.test_shots import Picture, cuts_in, pan, sequence


def transitions_in(pictures: Sequence[Picture]) -> list[Gradual]:
    detector = DissolveDetector()
    for picture in pictures:
        detector.process(picture)
    return detector.finish()


def blended(one: str, other: str | None, frames: int, speed: float = 0.0) -> list[Picture]:
    """Thirty frames of the one, so many that lead over, thirty of the other; ``None``: black."""
    rng = np.random.default_rng(3)
    before = list(pan(one, 60 + frames, speed))
    after = (
        list(pan(other, 60 + frames, speed)) if other else [np.zeros_like(before[0])] * len(before)
    )
    parts = np.clip((np.arange(60 + frames) - 29) / frames, 0, 1)
    mixed = [a * (1 - part) + b * part for a, b, part in zip(before, after, parts, strict=True)]
    return [np.clip(x + rng.normal(0, 1.5, x.shape), 0, 255).astype(np.uint8) for x in mixed]


@pytest.mark.parametrize("frames", [8, 25, 60])
@pytest.mark.parametrize("speed", [0.0, 0.05])
def test_a_dissolve_is_told_from_a_cut(frames: int, speed: float) -> None:
    pictures = blended("coffee", "rocket", frames, speed)
    (found,) = transitions_in(pictures)
    assert found.kind == "dissolve"
    assert abs(found.first_frame - 29) <= 9 and abs(found.last_frame - 29 - frames) <= 9
    assert cuts_in(pictures) == []


@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut"])
def test_fades_to_black_and_from_it(name: str) -> None:
    out = blended(name, None, 25)
    assert [one.kind for one in transitions_in(out)] == ["fade_out"]
    assert [one.kind for one in transitions_in(out[::-1])] == ["fade_in"]


def test_light_that_changes_is_none() -> None:
    (scene,) = pan("coffee", 1)
    lit = [np.asarray(scene * gain, np.uint8) for gain in np.linspace(0.4, 1.0, 40)]
    assert transitions_in([*[lit[0]] * 30, *lit, *[lit[-1]] * 30]) == []


@pytest.mark.parametrize("speed", [0.0, 0.2, 1.0])
def test_neither_cuts_nor_pans_are_any(speed: float) -> None:
    pictures, _ = sequence(speed)
    assert transitions_in(pictures) == []


def test_few_frames_have_none() -> None:
    for count in (0, 1, 5, 9):
        assert transitions_in(list(pan("coffee", count))) == []


@pytest.mark.heavy
def test_a_real_dissolve_parts_two_shots(tmp_path: Path) -> None:
    """Seen by eye: frames 120 to 148 dissolve, and frame 202 or 203 is a cut."""
    path = video.REAL / "shots" / "nasa_13013.mp4"
    if not path.exists():
        pytest.skip("the shared recordings are not beside the repository")
    meta = video.run(visual_meta.ENGINE, path, tmp_path).body("visual_meta")
    (found,) = meta["transitions"]
    assert found["kind"] == "dissolve"
    assert abs(found["first_frame"] - 120) <= 8 and abs(found["last_frame"] - 148) <= 8
    assert [shot["begins_with"] for shot in meta["shots"]] == ["start", "dissolve", "cut"]
    assert all(
        one["last_frame"] + 1 == other["first_frame"] for one, other in pairwise(meta["shots"])
    )
