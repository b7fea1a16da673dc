"""Recordings of every sort, rendered."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.detect import visual_meta
from shared.media.decode import audio_blocks
from tests.functions import video
from tests.functions.render.test_video import Inputs, render, shown
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms


@pytest.mark.real_case("render.video")
def test_one_frame_is_shown_as_long_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    words = ["-i", video.FACE_CLIP, "-frames:v", "1", "-an", "-c:v", "libx264", path]
    subprocess.run(["ffmpeg", "-v", "error", *map(str, words)], check=True)
    (output,) = render(tmp_path / "out", {}, path, faces="original").of("video_render")
    assert (output.meta["frame_count"], output.meta["duration_ms"]) == (1, 40)


@pytest.mark.heavy
def test_another_sound_stream_is_rendered_where_it_is_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "two.mkv"
    tones = [word for hz in (400, 1000) for word in ("-f", "lavfi", "-i", f"sine={hz}:d=1")]
    words = ["-i", video.FACE_CLIP, *tones, "-t", "1", "-map", "0:v", "-map", "1", "-map", "2"]
    words += [
        "-vf",
        "scale=64:48,fps=5",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-c:a",
        "flac",
        source,
    ]
    subprocess.run(["ffmpeg", "-v", "error", *map(str, words)], check=True)
    ran = render(tmp_path / "out", {}, source, faces="original", stream=1)
    (output,) = ran.of("video_render")
    with audio_blocks(output.path, probed(output.path), channels=1) as blocks:
        sound = np.concatenate(list(blocks))[:, 0]
    loudest = np.argmax(np.abs(np.fft.rfft(sound)))
    assert loudest * blocks.sample_rate_hz / len(sound) == pytest.approx(1000, abs=2)


INPUTS: dict[str, tuple[str, list[str], tuple[int, int]]] = {
    "uneven": (
        "mkv",
        ["-vf", "select='not(mod(n,4))+gt(n,9)*lt(n,15)'", "-fps_mode", "vfr"],
        (320, 240),
    ),
    "stream": ("ts", ["-c:v", "copy", "-c:a", "aac"], (320, 240)),
    "odd": ("mkv", ["-vf", "scale=319:239", "-pix_fmt", "yuv444p", "-c:v", "libx264"], (320, 240)),
    "one pixel": ("mkv", ["-vf", "scale=1:1", "-pix_fmt", "yuv444p", "-c:v", "libx264"], (2, 2)),
    "ten bits, interlaced": (
        "mp4",
        ["-vf", "setfield=tff", "-flags", "+ilme+ildct", "-pix_fmt", "yuv420p10le"],
        (320, 240),
    ),
    "1,000 a second": ("mp4", ["-vf", "fps=1000,scale=160:120", "-t", "0.2"], (160, 120)),
    "rgb, six channels": (
        "mkv",
        ["-c:v", "ffv1", "-pix_fmt", "bgr0", "-ac", "6", "-c:a", "flac"],
        (320, 240),
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", INPUTS)
def test_unusual_recordings_are_rendered(name: str, tmp_path: Path) -> None:
    """The rendering checks its frames, its length and its drift itself."""
    extension, words, size = INPUTS[name]
    source = tmp_path / f"in.{extension}"
    command = ["ffmpeg", "-v", "error", "-i", video.FACE_CLIP, "-t", "0.6", *words, source]
    subprocess.run(list(map(str, command)), check=True)
    (output,) = render(tmp_path / "out", {}, source, faces="original").of("video_render")
    stream = probed(output.path).video[0]
    assert (stream.width, stream.height) == size
    assert not stream.interlaced
    assert (stream.codec, stream.pixel_format) == ("h264", "yuv420p")
    # Some containers do not tell how long the last picture stands: then as long as the others.
    untold_ms = 40 if name in ("uneven", "stream") else 0
    told_ms = probed(source).duration_ms
    assert told_ms is not None
    assert told_ms - 1 <= output.meta["duration_ms"] <= told_ms + untold_ms + 1


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("transfer", "matrix"), [("smpte2084", "bt2020nc"), ("arib-std-b67", "bt2020nc")]
)
def test_hdr_is_rendered_for_an_ordinary_screen(transfer: str, matrix: str, tmp_path: Path) -> None:
    """It looks about as the original did before it was made HDR, and says BT.709."""
    source = tmp_path / "in.mkv"
    to_hdr = f"zscale=tin=bt709:t={transfer}:min=bt709:m={matrix}:pin=bt709:p=bt2020:rin=tv:npl=100"
    words = ["-t", "0.4", "-an", "-vf", f"{to_hdr},format=yuv420p10le", "-color_trc", transfer]
    words += ["-color_primaries", "bt2020", "-colorspace", matrix, "-c:v", "libx264", source]
    subprocess.run(["ffmpeg", "-v", "error", "-i", video.FACE_CLIP, *map(str, words)], check=True)
    (output,) = render(tmp_path / "out", {}, source, faces="original").of("video_render")
    entries = "stream=pix_fmt,color_space,color_transfer,color_primaries"
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "csv=p=0", output.path],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert told.strip() == "yuv420p,bt709,bt709,bt709"
    before = shown(video.shortened(tmp_path / "short.mp4", 0.4))[5][::8, ::8].astype(int)
    after = shown(output.path)[5][::8, ::8].astype(int)
    assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.9
    assert 0.5 < after.mean() / before.mean() < 1.5


SHAPES = {"source": (1024, 576), "1:1": (576, 576), "9:16": (1080, 1920)}


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inputs]:
    """A circle in a recording of 720 by 576 in 16:9, and its visual meta."""
    folder = tmp_path_factory.mktemp("disc")
    source = folder / "in.ts"
    lit = "lte(hypot((X-360)*64/45\\,Y-288)\\,200)*255"
    graph = f"color=black:s=720x576:r=25:d=0.2,geq=lum='{lit}':cb=128:cr=128,setsar=64/45"
    words = ["-f", "lavfi", "-i", graph, "-c:v", "mpeg2video", "-q:v", "2", source]
    subprocess.run(["ffmpeg", "-v", "error", *map(str, words)], check=True)
    seen = video.run(visual_meta.ENGINE, source, folder / "seen").as_input("visual_meta")
    return source, {"detect.visual_meta": [seen]}


@pytest.mark.heavy
@pytest.mark.parametrize("aspect", SHAPES)
def test_wide_pixels_are_rendered_in_their_shown_shape(
    aspect: str, disc: tuple[Path, Inputs], tmp_path: Path
) -> None:
    source, inputs = disc
    ran = render(tmp_path / "out", inputs, source, faces="original", aspect=aspect)
    (output,) = ran.of("video_render")
    stream = probed(output.path).video[0]
    assert (stream.width, stream.height, stream.pixel_aspect) == (*SHAPES[aspect], "1:1")
    lit = shown(output.path)[2].max(axis=2) > 128
    wide, high = int(lit.any(axis=0).sum()), int(lit.any(axis=1).sum())
    expected = round(400 * SHAPES[aspect][1] / 576)
    if aspect == "9:16":  # the disc is wider than what is cut out
        assert high == pytest.approx(expected, rel=0.02)
    else:
        assert (wide, high) == (
            pytest.approx(expected, rel=0.02),
            pytest.approx(expected, rel=0.02),
        )


@pytest.mark.heavy
def test_what_was_cut_without_coding_it_again_is_rendered(tmp_path: Path) -> None:
    """Its last pictures lack some between them, so what its header adds up is shorter than it is shown."""
    source = video.shortened(tmp_path / "in.mp4", 2.4)
    *_, before_ms, last_ms = packet_times_ms(source)
    assert last_ms - before_ms > 100
    (output,) = render(tmp_path / "out", {}, source, faces="original").of("video_render")
    assert packet_times_ms(output.path) == packet_times_ms(source)
    assert output.meta["duration_ms"] == 2600
