"""How pictures are shown, whatever carries their orientation, shape and size."""

from __future__ import annotations

import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.contracts.asset import VideoStream
from shared.media.frames import Wanted, first_video
from shared.media.looks import Look, exif_orientation, matrix_orientation, pixel_aspect, shown
from tests.shared.media.recordings import ffmpeg, probed
from tests.shared.media.test_frames import FAST, picture, read

Picture = NDArray[np.uint8]


def quarters() -> Picture:
    """White, black, grey, black: no turn or flip of it looks like another."""
    made = np.zeros((48, 64, 3), np.uint8)
    made[:24, :32], made[24:, :32] = 255, 128
    return made


def first(path: Path) -> Picture:
    stream = first_video(probed(path))
    found, _ = read(path, Wanted(stream.width, stream.height))
    return found[0].data.reshape(stream.height, stream.width, 3)


def same(one: Picture, other: Picture) -> bool:
    return one.shape == other.shape and float(np.abs(one.astype(int) - other).mean()) < 8


def test_what_a_header_says_is_read() -> None:
    assert exif_orientation("    6") == (90, False)
    assert exif_orientation("1") == (0, False)
    nothing = (None, "", "0", "9", "x", "²", "9" * 6_000)
    assert [exif_orientation(text) for text in nothing] == [None] * 7
    assert pixel_aspect("16:15") == Fraction(16, 15)
    assert [pixel_aspect(text) for text in (None, "0:1", "N/A", "1:1000")] == [1] * 4
    assert matrix_orientation([{"side_data_type": "other"}]) is None


def test_the_container_speaks_before_the_pictures() -> None:
    turned = "\n00000000: 0 65536 0\n00000001: -65536 0 0\n00000002: 0 0 1073741824\n"
    header = {"width": 64, "height": 48, "side_data_list": [{"displaymatrix": turned}]}
    looks = [Look(64, 48, Fraction(4, 3), (180, False)), Look(32, 24, Fraction(1), None)]
    seen = shown(header, looks)
    assert (seen.width, seen.height, seen.aspect) == (48, 64, Fraction(3, 4))
    assert seen.orientation == (90, False)
    assert seen.others == ((24, 32, Fraction(1)),)
    assert not seen.orientation_changes


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((1440, 1080), "4:3", (1920, 1080)),
        ((720, 576), "16:15", (768, 576)),
        ((720, 480), "8:9", (720, 540)),
        ((640, 426), "639:640", (640, 426)),
    ],
)
def test_the_shown_size_has_square_pixels_and_no_fewer(
    size: tuple[int, int], aspect: str, expected: tuple[int, int]
) -> None:
    stream = VideoStream(index=0, codec="h264", width=size[0], height=size[1], pixel_aspect=aspect)
    assert stream.shown_size == expected


@pytest.mark.heavy
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif"])
def test_photographs_are_upright_by_exif(extension: str, tmp_path: Path) -> None:
    for number in range(1, 9) if extension == "jpg" else (5, 6):
        path = tmp_path / f"{number}.{extension}"
        exif = Image.Exif()
        exif[274] = number
        Image.fromarray(quarters()).save(path, exif=exif)
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        assert same(first(path), np.asarray(upright)), number


@pytest.mark.heavy
@pytest.mark.parametrize("extension", ["avi", "mov", "mkv"])
def test_motion_jpeg_is_upright_by_exif(extension: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.mjpeg").write_bytes((tmp_path / "a.jpg").read_bytes() * 5)
    path = tmp_path / f"a.{extension}"
    ffmpeg("-f", "mjpeg", "-r", "25", "-i", tmp_path / "a.mjpeg", "-c", "copy", path)
    assert same(first(path), np.rot90(quarters(), -1))


@pytest.mark.heavy
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_an_sei_turns_every_picture(degrees: int, tmp_path: Path) -> None:
    """H.264's display orientation (D.2.26) says by how much to turn anticlockwise."""
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    plain, path = tmp_path / "plain.mp4", tmp_path / "a.mp4"
    ffmpeg("-loop", "1", "-i", tmp_path / "a.png", "-t", "0.4", *FAST, "-pix_fmt", "yuv420p", plain)
    said = f"h264_metadata=display_orientation=insert:rotate={degrees}"
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", said, path)
    stream = first_video(probed(path))
    found, _ = read(path)
    assert len(found) == 10
    for frame in found:
        upright = np.rot90(quarters(), degrees // 90)
        assert same(frame.data.reshape(stream.height, stream.width, 3), upright)


def changing(path: Path, sizes: list[str], *codec: str) -> Path:
    """A transport stream whose picture's size changes: parts, joined as recorders join them."""
    parts = []
    for number, size in enumerate(sizes):
        graph = f"color=white:s={size}:r=25:d=0.6,drawbox=w=iw/2:h=ih/2:c=red:t=fill"
        parts.append(picture(path.with_name(f"{number}.ts"), graph, *codec))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("codec", "sizes"),
    [
        (("-c:v", "libx264"), ["320x180", "180x320"]),
        (
            ("-c:v", "libx265", "-x265-params", "log-level=none"),
            ["160x120", "320x240", "320x180"],
        ),
        (("-c:v", "mpeg2video", "-q:v", "2"), ["160x120", "320x240", "320x180"]),
    ],
)
def test_a_size_that_changes_is_fitted_and_told(
    sizes: list[str], codec: tuple[str, ...], tmp_path: Path
) -> None:
    path = changing(tmp_path / "a.ts", sizes, *codec, "-pix_fmt", "yuv420p")
    stream = first_video(probed(path))
    largest = max(tuple(map(int, size.split("x"))) for size in sizes)
    assert (stream.width, stream.height) == largest
    assert "size changes on the way" in stream.notices[0]
    found, _ = read(path)
    assert len(found) == counted(path)
    for frame, size in ((found[3], sizes[0]), (found[-3], sizes[-1])):
        assert_fitted(frame.data.reshape(stream.height, stream.width, 3), size)


def assert_fitted(shown_picture: Picture, size: str) -> None:
    """The picture of this size has its own shape in it, and is as large as can be."""
    lit = shown_picture.max(axis=2) > 80
    wide, high = int(lit.any(axis=0).sum()), int(lit.any(axis=1).sum())
    own_wide, own_high = map(int, size.split("x"))
    assert abs(wide / high - own_wide / own_high) < 0.03 * own_wide / own_high
    assert wide == shown_picture.shape[1] or high == shown_picture.shape[0]
    red = (shown_picture[:, :, 2] > 180) & (shown_picture[:, :, 1] < 90)
    assert abs(int(red.sum()) * 4 - wide * high) < 0.1 * wide * high


@pytest.mark.heavy
def test_a_turned_phone_in_vp8_and_vp9(tmp_path: Path) -> None:
    """As a browser records it: one WebM whose key frames have another size from half on."""
    for codec in ("libvpx", "libvpx-vp9"):
        parts = [tmp_path / f"{codec}{n}.ivf" for n in (0, 1)]
        for part, size in zip(parts, ("90x160", "160x90"), strict=True):
            graph = f"color=white:s={size}:r=25:d=0.6,drawbox=w=iw/2:h=ih/2:c=red:t=fill"
            picture(part, graph, "-c:v", codec, "-deadline", "realtime", "-cpu-used", "8")
        joined = tmp_path / "joined.ivf"
        joined.write_bytes(parts[0].read_bytes() + parts[1].read_bytes()[32:])
        again = "setts=ts=N*40*TB_OUT/TB_OUT"
        path = tmp_path / f"{codec}.webm"
        ffmpeg("-f", "ivf", "-i", joined, "-c", "copy", "-bsf:v", again, path)
        stream = first_video(probed(path))
        assert (stream.width, stream.height) == (90, 160)
        assert stream.other_sizes == ((160, 90),)
        found, _ = read(path)
        assert_fitted(found[-2].data.reshape(160, 90, 3), "160x90")


@pytest.mark.heavy
def test_pixels_that_change_their_shape_on_the_way(tmp_path: Path) -> None:
    """A broadcast goes from 4:3 to 16:9 at the same 720 by 576."""
    graph = "color=white:s=720x576:r=25:d=0.4,setsar={}"
    parts = [
        picture(tmp_path / f"{n}.ts", graph.format(aspect), "-c:v", "mpeg2video", "-q:v", "3")
        for n, aspect in enumerate(("16/15", "64/45"))
    ]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    stream = first_video(probed(path))
    assert (stream.pixel_aspect, stream.shown_size) == ("64:45", (1024, 576))
    assert "pixels 16:15" in stream.notices[0]
    found, _ = read(path)
    lit = [frame.data.reshape(576, 720, 3).max(axis=2)[288] > 80 for frame in found]
    assert abs(int(lit[2].sum()) - 540) <= 2  # 4:3 in 16:9
    assert int(lit[-2].sum()) == 720


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("transfer", "tagged"),
    [
        ("smpte2084", ()),
        ("arib-std-b67", ("-colorspace", "bt2020nc")),
        ("smpte2084", ("-color_primaries", "bt2020")),
    ],
)
def test_partly_tagged_hdr_is_completed(
    transfer: str, tagged: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=gray:s=64x48:r=5:d=1,format=yuv420p10le", "-c:v", "libx265"),
        *("-color_trc", transfer, *tagged, "-x265-params", "log-level=none", path),
    )
    assert "BT.2020 is assumed" in first_video(probed(path)).notices[0]
    found, frames = read(path)
    assert len(found) == 5
    assert frames.format.color_space == "bt2020nc"
    assert frames.format.color_primaries == "bt2020"


@pytest.mark.heavy
def test_a_thumbnail_is_no_film(tmp_path: Path) -> None:
    film = ("-f", "lavfi", "-i", "testsrc=s=320x240:r=25:d=1")
    small = ("-f", "lavfi", "-i", "color=red:s=160x120:r=25:d=0.04")
    one, two = tmp_path / "first.mp4", tmp_path / "last.mkv"
    codecs = ("-c:v:0", "mjpeg", "-c:v:1", "libx264", "-pix_fmt", "yuvj420p")
    ffmpeg(*small, *film, "-map", "0", "-map", "1", *codecs, "-disposition:v:0", "0", one)
    ffmpeg(*film, *small, "-map", "0", "-map", "1", "-c:v", "libx264", two)
    for path, index in ((one, 1), (two, 0)):
        media = probed(path)
        assert [(stream.index, stream.width) for stream in media.video] == [(index, 320)]
        assert media.cover_art
        assert f"stream {index} is worked on" in media.video[0].notices[-1]


@pytest.mark.heavy
def test_the_default_flag_chooses_among_films(tmp_path: Path) -> None:
    sources = (
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=5:d=1",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=96x48:r=5:d=1",
    )
    maps = ("-map", "0", "-map", "1", "-c:v", "libx264", "-disposition:v:0", "0")
    path = tmp_path / "a.mkv"
    ffmpeg(*sources, *maps, "-disposition:v:1", "default", path)
    media = probed(path)
    assert [stream.width for stream in media.video] == [96, 64]
    assert "other picture 0 left out" in media.video[0].notices[0]


def counted(path: Path) -> int:
    """An independent count of the frames that can be decoded."""
    words = ["ffprobe", "-v", "quiet", "-count_frames", "-select_streams", "v:0"]
    words += ["-show_entries", "stream=nb_read_frames", "-of", "default=nk=1:nw=1", str(path)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[0])


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("extension", "codecs", "offsets"),
    [
        ("ts", ("-c:v", "libx264", "-c:a", "aac"), (0, 0)),
        ("ts", ("-c:v", "libx264", "-c:a", "aac"), (4000, 0, 9000)),
        ("ts", ("-c:v", "mpeg2video", "-c:a", "mp2"), (0, 4000)),
        ("mpg", ("-c:v", "mpeg2video", "-c:a", "mp2"), (0, 0)),
    ],
)
def test_joined_streams_are_read_to_their_end(
    extension: str, codecs: tuple[str, ...], offsets: tuple[int, ...], tmp_path: Path
) -> None:
    parts = []
    for number, offset in enumerate(offsets):
        part = tmp_path / f"{number}.{extension}"
        pair = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1")
        ffmpeg(*pair, *codecs, "-output_ts_offset", f"{offset}", part)
        parts.append(part.read_bytes())
    path = tmp_path / f"a.{extension}"
    path.write_bytes(b"".join(parts))
    media = probed(path)
    assert media.duration_ms == pytest.approx(1000 * len(parts), abs=60 * len(parts))
    found, frames = read(path)
    assert len(found) == counted(path) >= 25 * len(parts) - 1
    times_ms = [frames.ms(frame.ticks) for frame in found]
    assert times_ms == sorted(times_ms)
    assert times_ms[-1] == pytest.approx(1000 * len(parts) - 40, abs=60)


@pytest.mark.heavy
@pytest.mark.parametrize("end", ["", "[/FRAME]\n[FRAME]\n"])
def test_exif_of_several_lines_forges_no_size(tmp_path: Path, end: str) -> None:
    """A picture of 64 pixels passed for one of 60,000."""
    path = tmp_path / "a.jpg"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:d=1", "-frames:v", "1", "-update", "1", path)
    said = f"6\n{end}width=60000\nheight=60000\n\0".encode()
    entry = struct.pack("<HHHII", 1, 0x112, 2, len(said), 26) + bytes(4)  # Orientation, as text
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry + said
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    (video,) = probed(path).video
    assert (video.width, video.height, video.other_sizes) == (64, 48, ())
