"""Pictures written again: their times, their bytes, their colours."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BackendFailed
from shared.media import encode
from shared.media.encode import (
    PLANAR,
    PictureWriter,
    Planes,
    Written,
    arguments,
    passing_format,
)
from shared.media.frames import PictureFormat, Wanted
from tests.shared.media.test_frames import packet_times_ms, read

RATE = Fraction(1, 30000)
PLAIN = PictureFormat(RATE, "yuv420p", Fraction(1), None, None, None, None, None)


def pictures(planes: Planes, count: int) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Gradients that move; 10 bits where the format has them."""
    made = []
    deep = PLANAR[planes.pixel_format][1] == 2
    for number in range(count):
        data = np.zeros(planes.size_bytes, np.uint8)
        for plane in planes.split(data):
            ramp = np.add.outer(np.arange(plane.shape[0]), np.arange(plane.shape[1])) + 5 * number
            plane[...] = 64 + ramp % 128 if not deep else 256 + ramp % 512
        made.append(data)
    return made


def write(path: Path, pixel_format: str = "yuv420p", form: PictureFormat = PLAIN) -> list[Fraction]:
    planes = Planes(48, 32, pixel_format)
    times = [1001 * tick * RATE for tick in (0, 1, 2, 5, 6, 20, 21)]
    with PictureWriter(Written(path, planes, form, quality=0)) as writer:
        for time, data in zip(times, pictures(planes, len(times)), strict=True):
            writer.write(time, data)
    return times


@pytest.mark.heavy
@pytest.mark.parametrize("pixel_format", PLANAR)
def test_pictures_and_times_come_through(pixel_format: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    times = write(path, pixel_format)
    assert packet_times_ms(path) == [pytest.approx(float(1000 * time), abs=0.001) for time in times]
    planes = Planes(48, 32, pixel_format)
    wanted = Wanted(48, 32, pixel_format, planes.size_bytes, as_seen=False)
    found, _ = read(path, wanted)
    for frame, sent in zip(found, pictures(planes, 7), strict=True):
        for seen, original in zip(planes.split(frame.data), planes.split(sent), strict=True):
            assert np.abs(seen.astype(int) - original.astype(int)).mean() < 2


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    write(tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def drifting(planes: Planes, number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Soft noise that moves under hard noise that stands: for the encoder to choose among."""
    draw = np.random.default_rng(5)
    data = np.full(planes.size_bytes, 128, np.uint8)
    luma = planes.split(data)[0]
    soft = np.kron(draw.integers(0, 160, (12, 40)), np.ones((8, 8), int))
    luma[...] = soft[:, 3 * number :][:, : luma.shape[1]] + draw.integers(0, 60, luma.shape)
    return data


@pytest.mark.heavy
def test_whatever_the_processor_can_the_bytes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x264 with the routines that it chooses here, with those of AVX2 alone, and with none."""
    given = encode._IN_STEP
    for asm in ("auto", "avx2", "0"):
        monkeypatch.setattr(encode, "_IN_STEP", f"{given}:asm={asm}")
        planes = Planes(160, 96, "yuv420p")
        with PictureWriter(Written(tmp_path / f"{asm}.mp4", planes, PLAIN, quality=23)) as writer:
            for number in range(30):
                writer.write(1001 * number * RATE, drifting(planes, number))
    made = {path.read_bytes() for path in tmp_path.glob("*.mp4")}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("size", "threads", "ahead"),
    [((1920, 1080), "4", False), ((1080, 1920), "4", False), ((3840, 2160), "2", True)],
)
def test_large_pictures_wait_in_small_numbers(
    tmp_path: Path, size: tuple[int, int], threads: str, ahead: bool
) -> None:
    words = arguments(Written(tmp_path / "a.mp4", Planes(*size, "yuv420p"), PLAIN), 3)
    assert words[words.index("-threads") + 1] == threads
    assert ("rc-lookahead" in str(words[words.index("-x264-params") + 1])) is ahead


def test_colours_and_aspect_are_told(tmp_path: Path) -> None:
    tags = ("tv", "bt2020nc", "bt2020", "arib-std-b67")
    form = PictureFormat(RATE, "yuv420p10le", Fraction(4, 3), *tags, field_order=None)
    write(tmp_path / "a.mp4", "yuv420p10le", form)
    names = "pix_fmt,sample_aspect_ratio,color_range,color_space,color_primaries,color_transfer"
    printed = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-show_entries",
            f"stream={names}",
            "-of",
            "json",
            tmp_path / "a.mp4",
        ],
        check=True,
        capture_output=True,
    ).stdout
    found = json.loads(printed)["streams"][0]
    assert found["sample_aspect_ratio"] == "4:3"
    assert found["pix_fmt"] == "yuv420p10le"
    assert tuple(found[f"color_{n}"] for n in ("range", "space", "primaries", "transfer")) == tags


def test_an_encoder_that_fails_is_told(tmp_path: Path) -> None:
    planes = Planes(48, 32, "yuv420p")
    written = Written(tmp_path / "missing" / "a.mp4", planes, PLAIN)
    with pytest.raises(BackendFailed), PictureWriter(written) as writer:
        for number, data in enumerate(pictures(planes, 200)):
            writer.write(number * RATE * 1001, data)


def test_an_error_of_the_caller_goes_through(tmp_path: Path) -> None:
    written = Written(tmp_path / "a.mp4", Planes(48, 32, "yuv420p"), PLAIN)
    with pytest.raises(KeyError), PictureWriter(written) as writer:
        writer.write(Fraction(0), pictures(written.planes, 1)[0])
        raise KeyError("something else")


@pytest.mark.parametrize(
    ("stored", "passed"),
    [
        ("yuvj420p", "yuv420p"),
        ("yuv420p12le", "yuv420p10le"),
        ("rgb24", "yuv444p"),
        ("pal8", "yuv444p"),
        ("gray", "yuv420p"),
        ("gray16le", "yuv420p10le"),
        ("p010le", "yuv420p10le"),
        ("rgb48be", "yuv444p10le"),
        ("nv16", "yuv422p"),
        ("nv12", "yuv420p"),
        ("yuva444p10le", "yuv444p10le"),
        ("uyvy422", "yuv422p"),
    ],
)
def test_nothing_is_lost_that_can_be_kept(stored: str, passed: str) -> None:
    assert passing_format(stored) == passed


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(sorted(PLANAR)))
def test_planes_share_the_bytes(width: int, height: int, pixel_format: str) -> None:
    planes = Planes(width, height, pixel_format)
    data = np.zeros(planes.size_bytes, np.uint8)
    parts = planes.split(data)
    assert parts[0].shape == (height, width)
    for part in parts:
        part[...] = 257 if part.dtype != np.uint8 else 1
    assert data.all()
