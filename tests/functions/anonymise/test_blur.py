"""Covered parts hold nothing of what was there; the rest is untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.anonymise.blur import PRESETS, Blurrer
from shared.media.encode import PLANAR, Planes

SIZE = (96, 64)
BOX = np.array([20.0, 10.0, 70.0, 50.0])


def noisy(planes: Planes, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    data = np.zeros(planes.size_bytes, np.uint8)
    for plane in planes.split(data):
        top = 255 if plane.dtype == np.uint8 else 1023
        plane[...] = rng.integers(0, top + 1, plane.shape)
    return data


@pytest.mark.parametrize("pixel_format", PLANAR)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_outside_nothing_changes_inside_all_does(
    pixel_format: str, preset: str, shape: str
) -> None:
    planes = Planes(*SIZE, pixel_format)
    before = noisy(planes)
    after = before.copy()
    Blurrer(planes, PRESETS[preset], shape, full_range=False).cover(after, [BOX])  # type: ignore[arg-type]
    for old, new in zip(planes.split(before), planes.split(after), strict=True):
        x, y = new.shape[1] / SIZE[0], new.shape[0] / SIZE[1]
        outside = np.ones(new.shape, bool)
        outside[
            int(10 * y) : -(-50 * new.shape[0] // 64), int(20 * x) : -(-70 * new.shape[1] // 96)
        ] = False
        np.testing.assert_array_equal(old[outside], new[outside])
        middle = slice(round(26 * y), round(34 * y)), slice(round(40 * x), round(50 * x))
        assert new[middle].astype(float).std() < 0.35 * old[middle].astype(float).std()


def test_the_stronger_the_less_is_left() -> None:
    """What is left of the detail: how well the covered part still tells light from dark."""
    planes = Planes(*SIZE, "yuv420p")
    left = []
    for preset in ("light", "medium", "strong", "solid"):
        data = noisy(planes)
        Blurrer(planes, PRESETS[preset], "box", full_range=False).cover(data, [BOX])
        left.append(float(planes.split(data)[0][10:50, 20:70].astype(float).std()))
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


def test_solid_is_black_in_either_range() -> None:
    planes = Planes(*SIZE, "yuv420p10le")
    for full_range, black in ((False, 64), (True, 0)):
        data = noisy(planes)
        Blurrer(planes, PRESETS["solid"], "box", full_range=full_range).cover(data, [BOX])
        luma, u, v = planes.split(data)
        assert (luma[30, 40], u[15, 20], v[15, 20]) == (black, 512, 512)


@given(
    st.floats(-200, 200), st.floats(-200, 200), st.floats(0, 300), st.floats(0, 300),
    st.sampled_from(sorted(PRESETS)), st.sampled_from(["box", "ellipse"]),
    st.sampled_from([(1, 1), (2, 3), (33, 17)]),
)  # fmt: skip
def test_any_box_may_be_covered(  # noqa: PLR0917 - a box has many properties
    left: float,
    top: float,
    width: float,
    height: float,
    preset: str,
    shape: str,
    size: tuple[int, int],
) -> None:
    planes = Planes(*size, "yuv444p")
    box = np.array([left, top, left + width, top + height])
    Blurrer(planes, PRESETS[preset], shape, full_range=True).cover(noisy(planes), [box])  # type: ignore[arg-type]


def test_an_ellipse_in_the_dilated_box_holds_the_face_box() -> None:
    """With the default dilation, a quarter, the corners of the detected box are covered, too."""
    planes = Planes(*SIZE, "yuv444p")
    data = np.full(planes.size_bytes, 200, np.uint8)
    reach = 0.25 * (BOX[2:] - BOX[:2])
    wide = np.concatenate([BOX[:2] - reach, BOX[2:] + reach])
    Blurrer(planes, PRESETS["solid"], "ellipse", full_range=True).cover(data, [wide])
    assert (planes.split(data)[0][10:50, 20:70] == 0).all()


@pytest.mark.parametrize("box", [[20.3, 10.9, 70.1, 50.6], [30.5, 30.5, 34.2, 33.1]])
def test_an_ellipse_covers_each_pixel_that_it_touches(box: list[float]) -> None:
    """Those on its rim, too, of which it covers a corner; a little beyond it all is as it was."""
    planes = Planes(*SIZE, "yuv444p")
    data = np.full(planes.size_bytes, 200, np.uint8)
    Blurrer(planes, PRESETS["solid"], "ellipse", full_range=True).cover(data, [np.array(box)])
    covered = planes.split(data)[0] == 0
    left, top, right, bottom = box
    # 16 by 16 points of each pixel
    x = (np.arange(16 * SIZE[0]) + 0.5) / 16 - (left + right) / 2
    y = (np.arange(16 * SIZE[1]) + 0.5) / 16 - (top + bottom) / 2
    radius = np.hypot(x[None] / ((right - left) / 2), y[:, None] / ((bottom - top) / 2))
    nearest = radius.reshape(SIZE[1], 16, SIZE[0], 16).min(axis=(1, 3))
    assert covered[nearest <= 1].all()
    least = min(right - left, bottom - top) / 2
    assert not covered[(nearest - 1) * least > 2].any()


@pytest.mark.parametrize("preset", ["light", "pixelate"])
def test_nothing_finer_than_four_pixels_is_left_of_a_small_face(preset: str) -> None:
    """Twelve cells across a face of 16 pixels would be its pixels."""
    planes = Planes(*SIZE, "yuv444p")
    data = np.zeros(planes.size_bytes, np.uint8)
    luma = planes.split(data)[0]
    luma[...] = 200 * (np.indices(luma.shape).sum(axis=0) % 2)
    box = np.array([20.0, 10.0, 36.0, 26.0])
    Blurrer(planes, PRESETS[preset], "box", full_range=True).cover(data, [box])
    assert np.ptp(luma[10:26, 20:36].astype(int)) <= 1


@pytest.mark.parametrize("shape", ["box", "ellipse"])
@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p10le"])
def test_a_soft_edge_lies_outside_the_cover_and_fades_to_nothing(
    shape: str, pixel_format: str
) -> None:
    planes = Planes(*SIZE, pixel_format)
    hard, soft = (np.full(planes.size_bytes, 0, np.uint8) for _ in range(2))
    for data, edge in ((hard, 0.0), (soft, 0.4)):
        planes.split(data)[0][...] = 200
        blurrer = Blurrer(planes, PRESETS["solid"], shape, soft_edge=edge, full_range=True)  # type: ignore[arg-type]
        blurrer.cover(data, [BOX])
    before, after = planes.split(hard)[0], planes.split(soft)[0]
    assert (after[before == 0] == 0).all(), "what the cover hides stays hidden"
    row = after[30].astype(int)
    assert (np.diff(row[45:85]) >= 0).all() and row[72] < row[76] < 200
    assert (row[84:] == 200).all(), "ten pixels beyond the edge and their half are as they were"
