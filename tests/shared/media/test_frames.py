"""Pictures out of recordings, and when each is shown."""

from __future__ import annotations

import gc
import math
import subprocess
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shared.contracts.asset import MediaInfo
from shared.errors import UnsupportedMedia
from shared.media.frames import Frame, VideoFrames, Wanted, first_video
from tests.shared.media.recordings import ffmpeg, probed

FAST = ("-c:v", "libx264", "-preset", "ultrafast")


def packet_times_ms(path: Path) -> list[float]:
    """An independent look at the file: presentation times in order. Asked once of a file."""
    told = path.stat()
    return [*_packet_times_ms(path, told.st_mtime_ns, told.st_size)]


@lru_cache(64)
def _packet_times_ms(path: Path, _written_ns: int, _size: int) -> list[float]:
    entries = ["-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"]
    printed = subprocess.run(
        ["ffprobe", "-v", "error", *entries, path], check=True, capture_output=True, text=True
    ).stdout
    return sorted(round(1000 * float(line.strip(",")), 3) for line in printed.split())


def read(path: Path, wanted: Wanted | None = None) -> tuple[list[Frame], VideoFrames]:
    media = probed(path)
    stream = first_video(media)
    frames = VideoFrames(path, media, wanted or Wanted(stream.width, stream.height))
    with frames:
        return list(frames), frames


def picture(path: Path, source: str, *args: str | Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", source, *args, path)
    return path


def uneven(path: Path, late_s: float = 0.0) -> Path:
    """Frames at uneven times, the first of them ``late_s`` after the recording's beginning."""
    source = "testsrc=s=64x48:r=50:d=2"
    chosen = f"select='not(mod(n,3))+gt(n,40)*lt(n,60)',setpts=PTS+{late_s}/TB"
    return picture(path, source, "-vf", chosen, "-fps_mode", "vfr", *FAST)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_every_frame_has_its_own_time(name: str, tmp_path: Path) -> None:
    path = uneven(tmp_path / name, late_s=0.8)
    found, frames = read(path)
    times_ms = [frames.ms(frame.ticks) for frame in found]
    assert times_ms == packet_times_ms(path)
    assert times_ms[0] == pytest.approx(800, abs=1)
    assert [frame.index for frame in found] == list(range(len(found)))
    assert len({round(b - a) for a, b in pairwise(times_ms)}) > 1


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["a.mxf", "a.avi"])
def test_reordered_pictures_without_times_of_their_own(name: str, tmp_path: Path) -> None:
    """Both give decoding times alone; what ffmpeg decodes has other pictures' times, or late ones."""
    shades = "color=black:s=64x48:r=25:d=1,format=yuv420p,geq=lum=16+8*N:cb=128:cr=128"
    path = picture(tmp_path / name, shades, *FAST, "-bf", "2", "-qp", "4")
    found, frames = read(path)
    assert [frames.ms(frame.ticks) for frame in found] == [40 * n for n in range(25)]
    seen = [float(frame.data.mean()) for frame in found]
    assert all(later - earlier > 5 for earlier, later in pairwise(seen))


@pytest.mark.heavy
@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_transport_streams_begin_with_their_first_stream(late_s: float, tmp_path: Path) -> None:
    """Their clock starts anywhere: here with the sound, ``late_s`` before the picture."""
    path, sound = tmp_path / "a.ts", ["-f", "lavfi", "-i", "sine=d=2"]
    source = ["-itsoffset", str(late_s), "-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1"]
    ffmpeg(*sound, *source, "-map", "0", "-map", "1", *FAST, "-bf", "0", path)
    found, frames = read(path)
    assert frames.ms(found[0].ticks) == pytest.approx(1000 * late_s, abs=50)
    assert frames.ms(found[0].ticks) == pytest.approx(probed(path).video[0].start_ms, abs=1)


@pytest.mark.heavy
def test_samples_know_their_place(tmp_path: Path) -> None:
    path = uneven(tmp_path / "a.mp4")
    every, _ = read(path)
    some, frames = read(path, Wanted(64, 48, every_ms=150))
    assert frames.ticks == [frame.ticks for frame in every]
    assert 5 < len(some) < len(every) / 2
    for frame in some:
        assert frame.ticks == every[frame.index].ticks
        np.testing.assert_array_equal(frame.data, every[frame.index].data)
    times_ms = np.array([frames.ms(frame.ticks) for frame in some])
    assert (np.diff(times_ms) >= 150 - 0.001).all()


@pytest.mark.heavy
def test_frames_are_had_by_their_times(tmp_path: Path) -> None:
    path = uneven(tmp_path / "a.mp4")
    every, _ = read(path)
    at = tuple(every[number].ticks for number in (3, 17))
    some, _ = read(path, Wanted(64, 48, every_ms=10_000, at_ticks=at))
    assert [frame.index for frame in some] == [0, 3, 17]
    span = (every[5].ticks, every[8].ticks)
    some, _ = read(path, Wanted(64, 48, every_ms=math.inf, spans=(span,)))
    assert [frame.index for frame in some] == [0, 5, 6, 7, 8]


@pytest.mark.heavy
def test_a_cut_is_looked_at_at_once(tmp_path: Path) -> None:
    graph = "color=red:s=64x48:r=25:d=1[a];testsrc=s=64x48:r=25:d=1[b];[a][b]concat"
    path = tmp_path / "a.mp4"
    ffmpeg("-filter_complex", graph, *FAST, path)
    some, _ = read(path, Wanted(64, 48, every_ms=700, at_changes=True))
    assert 25 in [frame.index for frame in some]
    assert len(some) < 8


@pytest.mark.heavy
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_pictures_are_upright(degrees: int, tmp_path: Path) -> None:
    """White at the top of the stored picture; where it is shown follows from the rotation."""
    half = "color=black:s=64x48:r=5:d=1,drawbox=0:0:64:24:white:fill"
    plain = picture(tmp_path / "plain.mp4", half, *FAST)
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={360 - degrees}", turned)
    if not probed(turned).video[0].rotation_deg:  # newer ones have an option of the input for it
        ffmpeg("-display_rotation", str(-degrees), "-i", plain, "-c", "copy", turned)
    stream = first_video(probed(turned))
    found, _ = read(turned)
    shown = found[0].data.reshape(stream.height, stream.width, 3).mean(axis=2)
    expected = np.rot90(
        np.repeat([[255.0] * 64, [0.0] * 64], 24, axis=0), -stream.rotation_deg // 90
    )
    assert stream.rotation_deg in (degrees, 360 - degrees)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).mean() < 12


@pytest.mark.heavy
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (65, 47)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    path = picture(tmp_path / "a.mkv", f"testsrc=s={size[0]}x{size[1]}:r=5:d=1", "-c:v", "ffv1")
    found, _ = read(path)
    assert len(found) == 5
    assert found[0].data.size == 3 * size[0] * size[1]


@pytest.mark.heavy
def test_what_a_picture_says_of_itself_is_no_time(tmp_path: Path) -> None:
    """A PNG's words become its frame's tags, and ffmpeg prints the times as one of those."""
    for number in range(3):
        said = PngInfo()
        said.add_text("rushes", "1\nframe:0    pts:77777    pts_time:6")
        image = Image.new("RGB", (16, 16), (80 * number, 0, 0))
        image.save(tmp_path / f"{number}.png", pnginfo=said)
    path = tmp_path / "tagged.mov"
    ffmpeg("-framerate", "5", "-i", tmp_path / "%d.png", "-c", "copy", path)
    found, frames = read(path)
    assert [frames.ms(frame.ticks) for frame in found] == [0, 200, 400]


@pytest.mark.heavy
def test_a_thousand_frames_a_second(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.mp4", "testsrc=s=32x32:r=1000:d=1", *FAST)
    found, frames = read(path, Wanted(32, 32, every_ms=100))
    assert len(frames.ticks) == 1000
    assert [frame.index for frame in found] == list(range(0, 1000, 100))


@pytest.mark.heavy
def test_a_still_picture_is_one_frame(tmp_path: Path) -> None:
    found, frames = read(picture(tmp_path / "a.png", "testsrc=s=40x30", "-frames:v", "1"))
    assert [frames.ms(frame.ticks) for frame in found] == [0]


@pytest.mark.heavy
def test_a_truncated_recording_gives_what_is_there(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.mkv", "testsrc=s=320x240:r=25:d=3", *FAST)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found, frames = read(cut)
    assert 10 < len(found) < 75
    assert len(found) == len(frames.ticks)


@pytest.mark.heavy
def test_damage_is_told(tmp_path: Path) -> None:
    whole = bytearray(picture(tmp_path / "a.ts", "testsrc=s=320x240:r=25:d=3", *FAST).read_bytes())
    for at in range(len(whole) // 2, len(whole) // 2 + 20_000, 300):
        whole[at : at + 40] = bytes(40)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(whole)
    found, frames = read(broken)
    assert found
    assert frames.damage


@pytest.mark.heavy
def test_a_size_that_changes_is_made_one(tmp_path: Path) -> None:
    parts = [
        picture(tmp_path / f"{wide}.ts", f"testsrc=s={wide}x48:r=25:d=1", *FAST)
        for wide in (64, 96)
    ]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    found, _ = read(both)
    assert len(found) > 40
    assert {frame.data.size for frame in found} == {3 * 96 * 48}


@pytest.mark.heavy
def test_hdr_is_mapped_to_a_screen(tmp_path: Path) -> None:
    """Reference white of PQ, 58 % of its range, is nearly white on a screen, and not grey."""
    path = tmp_path / "hdr.mkv"
    tags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]
    level = "color=black:s=64x48:r=5:d=1,format=yuv420p10le,geq=lum=572:cb=512:cr=512"
    ffmpeg(
        "-f", "lavfi", "-i", level, "-c:v", "libx265", *tags, "-x265-params", "log-level=none", path
    )
    found, frames = read(path)
    assert frames.format.hdr
    assert found[0].data.mean() > 165


@pytest.mark.heavy
def test_leaving_early_stops_ffmpeg(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.mp4", "testsrc=s=640x480:r=25:d=8", *FAST)
    media = probed(path)
    with VideoFrames(path, media, Wanted(640, 480)) as frames:
        next(iter(frames))
        assert [child.name() for child in psutil.Process().children(recursive=True)]
    assert not [child for child in psutil.Process().children() if child.name() == "ffmpeg"]


@pytest.mark.heavy
def test_memory_is_bounded_at_4k(tmp_path: Path) -> None:
    """Looking at 4K pictures one by one holds a few of them, of 25 MB each."""
    path = picture(tmp_path / "a.mp4", "testsrc=s=3840x2160:r=10:d=2", *FAST)
    media = probed(path)
    gc.collect()
    before = psutil.Process().memory_info().rss
    most = before
    with VideoFrames(path, media, Wanted(3840, 2160)) as frames:
        for frame in frames:
            assert frame.data.size == 3 * 3840 * 2160
            most = max(most, psutil.Process().memory_info().rss)
    assert most - before < 150e6


@pytest.mark.heavy
def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.wav", "sine=d=0.1")
    with pytest.raises(UnsupportedMedia, match="no moving picture"):
        VideoFrames(path, probed(path), Wanted(1, 1))


@pytest.mark.heavy
@pytest.mark.parametrize("part", ["samples", "all"])
def test_what_cannot_be_decoded_is_refused(part: str, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.mp4", "testsrc=s=64x48:r=25:d=1", *FAST)
    media: MediaInfo = probed(path)
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    stop = data.index(b"moov") - 4 if part == "samples" else len(data)
    path.write_bytes(data[:start] + bytes(stop - start) + data[stop:])
    with pytest.raises(UnsupportedMedia), VideoFrames(path, media, Wanted(64, 48)) as frames:
        list(frames)
