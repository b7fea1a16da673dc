"""Cuts, in pictures whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.detect.shots import SIZE, ShotDetector, find_cuts
from tests.fixtures.video_clips.make_clips import BROLL_CUTS
from tests.functions import video
from tests.shared.media.recordings import probed

Picture = NDArray[np.uint8]
NAMES = ("rocket", "coffee", "chelsea", "brick", "grass", "moon", "camera", "coins")


def pan(name: str, frames: int, speed: float = 0.2, gain: float = 1.0) -> Iterator[Picture]:
    """A camera that moves over a picture, ``speed`` of its view's width a second."""
    import cv2
    from skimage import data

    picture = getattr(data, name)()
    picture = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture
    wide = picture.shape[1] * 0.5
    for frame in range(frames):
        scale = wide / SIZE[0]
        to_source = np.array([[scale, 0, speed * wide * frame / 25], [0, scale, 10]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(picture, to_source, SIZE, flags=flags, borderMode=cv2.BORDER_REFLECT)
        yield np.asarray(seen * gain, np.uint8)


def cuts_in(pictures: list[Picture]) -> list[int]:
    detector = ShotDetector()
    for picture in pictures:
        detector.process(picture)
    return detector.finish()


def sequence(
    speed: float = 0.2, gain: float = 1.0, frames: int = 30
) -> tuple[list[Picture], list[int]]:
    pictures = [picture for name in NAMES for picture in pan(name, frames, speed, gain)]
    return pictures, [frames * number for number in range(1, len(NAMES))]


@pytest.mark.parametrize(
    ("speed", "gain"), [(0.0, 1.0), (0.2, 1.0), (1.0, 1.0), (0.2, 0.15)],
    ids=["still", "pan", "whip pan", "dark"],
)  # fmt: skip
def test_every_cut_and_nothing_else(speed: float, gain: float) -> None:
    pictures, cuts = sequence(speed, gain)
    assert cuts_in(pictures) == cuts


def test_short_shots_have_cuts_too() -> None:
    pictures, cuts = sequence(frames=6)
    assert cuts_in(pictures) == cuts


def test_a_flash_is_no_cut() -> None:
    pictures = list(pan("coffee", 40))
    for frame in (12, 13, 26):
        pictures[frame] = np.asarray(pictures[frame] * 0.2 + 200, np.uint8)
    assert cuts_in(pictures) == []


def test_a_dissolve_is_no_cut() -> None:
    one, other = list(pan("coffee", 40)), list(pan("rocket", 40))
    mixed = [
        np.asarray(a * (1 - part) + b * part, np.uint8)
        for a, b, part in zip(one, other, np.linspace(0, 1, 40), strict=True)
    ]
    assert cuts_in(mixed) == []


def test_noise_is_no_cut() -> None:
    rng = np.random.default_rng(1)
    pictures, cuts = sequence()
    noisy = [
        np.asarray(np.clip(p + rng.normal(0, 15, p.shape), 0, 255), np.uint8) for p in pictures
    ]
    assert cuts_in(noisy) == cuts


@pytest.mark.parametrize("size", [0.5, 0.9])
@pytest.mark.parametrize("widths_a_second", [1.5, 3.0, 5.0])
def test_something_large_that_moves_fast_is_no_cut(size: float, widths_a_second: float) -> None:
    """A hand before the lens, a passing car: the picture behind it stays."""
    behind = list(pan("coffee", 75, 0.0))
    (thing,) = pan("chelsea", 1)
    wide, way = round(size * SIZE[0]), SIZE[0] * (1 + 2 * size)
    for frame, picture in enumerate(behind):
        left = round((frame / 25 * widths_a_second * SIZE[0]) % way - wide)
        seen = slice(max(0, left), min(SIZE[0], left + wide))
        picture[4:, seen] = thing[4:, : max(0, seen.stop - seen.start)]
    assert cuts_in(behind) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_frames_are_one_shot(count: int) -> None:
    assert cuts_in(list(pan("coffee", count))) == []


def test_a_cut_near_either_end_is_found() -> None:
    pictures = [*pan("coffee", 2), *pan("rocket", 20), *pan("chelsea", 2)]
    assert cuts_in(pictures) == [2, 22]


@pytest.mark.heavy
def test_the_broll_clip() -> None:
    cuts, ticks = find_cuts(video.BROLL_CLIP, probed(video.BROLL_CLIP))
    assert (cuts, len(ticks)) == (list(BROLL_CUTS), 140)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "cuts"), [("nasa_13013", [202]), ("test", list(range(24, 175, 25)))]
)
def test_real_recordings(name: str, cuts: list[int]) -> None:
    """The truth may name the last frame before a cut or the first after; a dissolve is none."""
    path: Path = video.REAL / "shots" / f"{name}.mp4"
    if not path.exists():
        pytest.skip("the shared recordings are not beside the repository")
    found, _ = find_cuts(path, probed(path))
    assert len(found) == len(cuts)
    assert all(abs(one - other) <= 1 for one, other in zip(found, cuts, strict=True))
