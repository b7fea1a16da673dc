"""Anonymised recordings of every sort keep what they are."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.detect import regions
from shared.contracts.region_summary import Region, RegionFrame, RegionSummary, RegionTrack
from shared.contracts.step_engine import InputFile
from shared.media.frames import Wanted, first_video
from tests.functions import video
from tests.functions.anonymise.test_faces import anonymised, ffmpeg, pictures, regions_of
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms, read

INPUTS: dict[str, tuple[str, list[str]]] = {
    "late": ("mp4", ["-vf", "setpts=PTS+0.8/TB", "-c:v", "libx264", "-c:a", "copy"]),
    "uneven": ("mkv", ["-vf", "select='not(mod(n,4))+gt(n,9)*lt(n,15)'", "-fps_mode", "vfr"]),
    "ten bits": ("mp4", ["-pix_fmt", "yuv420p10le", "-c:v", "libx264"]),
    "no sound": ("mp4", ["-an", "-c:v", "copy"]),
    "pcm": ("mov", ["-c:v", "copy", "-c:a", "pcm_s16le"]),
    "vorbis": ("mkv", ["-c:v", "copy", "-c:a", "libvorbis"]),
    "stream": ("ts", ["-c:v", "copy", "-c:a", "aac"]),
    "odd": ("mkv", ["-vf", "scale=319:239", "-pix_fmt", "yuv444p", "-c:v", "libx264"]),
    "tagged": (
        "mp4",
        ["-vf", "setsar=4/3,setfield=tff", "-flags", "+ilme+ildct", "-pix_fmt", "yuvj420p"],
    ),
    "1,000 a second": ("mp4", ["-vf", "fps=1000,scale=160:120", "-t", "0.2", "-c:v", "libx264"]),
    "one frame": ("mp4", ["-frames:v", "1", "-an", "-c:v", "libx264"]),
}


def face_held(source: Path, folder: Path) -> InputFile:
    """A summary with a face high in each picture: how well faces are found is looked at elsewhere."""
    stream = first_video(probed(source))
    wide, high = stream.width, stream.height
    _, frames = read(source, Wanted(wide, high, every_ms=math.inf))
    times_ms = [frames.ms(ticks) for ticks in frames.ticks]
    box = {"x": wide / 3, "y": high / 8, "width": wide / 3, "height": high / 3, "confidence": 0.9}
    face = {"track_id": "face_001", "kind": "face"}
    region, last = Region(**face, **box), len(times_ms) - 1  # type: ignore[arg-type]
    track = RegionTrack(
        **face,
        start_ms=times_ms[0],
        end_ms=times_ms[-1],
        first_frame=0,
        last_frame=last,
        detections=last + 1,
        mean_confidence=0.9,
        least_confidence=0.9,
        gaps=(),
    )
    summary = RegionSummary(
        duration_ms=round(times_ms[-1]),
        width=wide,
        height=high,
        frame_count=last + 1,
        frame_sample_interval_ms=40.0,
        min_confidence=0.5,
        include_regions=("face",),
        model_used="held",
        cuts_ms=(),
        damage=None,
        tracks=(track,),
        frames=tuple(
            RegionFrame(frame=number, time_ms=time_ms, sampled=True, regions=(region,))
            for number, time_ms in enumerate(times_ms)
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    summary.write(folder / "summary.json")
    told = {"face_count": 1, "unsure_count": 0, "backend_type": "held", "backend_version": "1"}
    return InputFile("art-held", RegionSummary.kind, folder / "summary.json", told)


@pytest.mark.heavy
def test_in_a_single_pixel_nobody_is_found(tmp_path: Path) -> None:
    words = ["-t", "0.2", "-vf", "scale=1:1", "-pix_fmt", "yuv444p", "-c:v", "libx264"]
    ffmpeg("-i", video.FACE_CLIP, *words, tmp_path / "in.mkv")
    found = video.run(regions.ENGINE, tmp_path / "in.mkv", tmp_path / "regions", **video.QUICK)
    assert not found.summary.tracks


@pytest.mark.heavy
@pytest.mark.parametrize("name", INPUTS)
def test_unusual_recordings_keep_what_they_are(name: str, tmp_path: Path) -> None:
    extension, words = INPUTS[name]
    source = tmp_path / f"in.{extension}"
    ffmpeg("-i", video.FACE_CLIP, "-t", "0.8", *words, source)
    summary = face_held(source, tmp_path / "regions")
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    before, after = probed(source), probed(path)
    start_ms = packet_times_ms(source)[0] if extension == "ts" else 0
    expected = [time_ms - start_ms for time_ms in packet_times_ms(source)]
    late_ms = packet_times_ms(path)[0] if extension == "ts" else 0
    np.testing.assert_allclose([t - late_ms for t in packet_times_ms(path)], expected, atol=1.01)
    old, new = before.video[0], after.video[0]
    even = tuple(side + side % 2 for side in (old.width, old.height))
    assert (new.width, new.height, new.interlaced) == (*even, old.interlaced)
    assert new.pixel_format == ("yuvj420p" if name == "tagged" else "yuv420p")
    assert [stream.codec for stream in after.audio] == [stream.codec for stream in before.audio]
    for one, other in zip(before.audio, after.audio, strict=True):
        assert abs(one.start_ms - old.start_ms - (other.start_ms - new.start_ms)) <= 2
    assert abs((before.duration_ms or 0) - (after.duration_ms or 0)) <= 45
    assert colours(path) == colours(source)


@pytest.mark.heavy
def test_a_broadcast_that_begins_between_two_key_pictures_stays_in_step(tmp_path: Path) -> None:
    """Its first three pictures are there, and nothing decodes them."""
    words = ["-t", "0.6", "-g", "6", "-c:v", "mpeg2video", "-c:a", "mp2"]
    ffmpeg("-i", video.FACE_CLIP, *words, tmp_path / "whole.ts")
    dropped = ["-bsf:v", "noise=drop='lt(n,3)'", "-copyts", "-muxdelay", "0"]
    ffmpeg("-i", tmp_path / "whole.ts", "-c", "copy", *dropped, tmp_path / "in.ts")
    found = video.run(regions.ENGINE, tmp_path / "in.ts", tmp_path / "regions", **video.QUICK)
    times_ms = [row.time_ms for row in found.summary.frames]
    assert times_ms[0] - probed(tmp_path / "in.ts").video[0].start_ms >= 100
    summary = found.as_input("video_region_summary")
    ran = anonymised(tmp_path / "in.ts", summary, tmp_path / "out")
    after = probed(ran.of("video_anonymised")[0].path)
    late_ms = after.video[0].start_ms - after.audio[0].start_ms
    before = probed(tmp_path / "in.ts")
    assert abs(late_ms - (times_ms[0] - before.audio[0].start_ms)) <= 2


@pytest.mark.heavy
def test_sound_whose_headers_reception_has_damaged_is_kept_but_for_these(tmp_path: Path) -> None:
    source = tmp_path / "in.ts"
    ffmpeg("-i", video.FACE_CLIP, "-t", "0.4", "-c:v", "mpeg2video", "-c:a", "aac", source)
    summary = face_held(source, tmp_path / "regions")
    body = bytearray(source.read_bytes())
    headers = [found.start() for found in re.finditer(rb"\xff\xf1[\x40-\x7f][\x40\x80]", body)]
    for at in headers[4:7]:
        body[at : at + 4] = bytes(4)
    assert len(headers) > 9
    source.write_bytes(body)
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    before, after = probed(source), probed(path)
    assert after.audio[0].codec == "aac"
    assert abs((before.duration_ms or 0) - (after.duration_ms or 0)) <= 45


def colours(path: Path) -> str:
    names = "sample_aspect_ratio,color_range,color_space,color_primaries,color_transfer"
    words = ["-select_streams", "v:0", "-show_entries", f"stream={names}", "-of", "csv=p=0"]
    found = subprocess.run(
        ["ffprobe", "-v", "error", *words, path], check=True, capture_output=True
    )
    return found.stdout.decode().split("\n")[0].replace("N/A", "1:1").replace("unknown,", "")


@pytest.mark.heavy
@pytest.mark.parametrize("pixel_format", ["bgr0", "gray"])
def test_recordings_in_rgb_or_grey_keep_their_colours(pixel_format: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    words = ["-t", "0.4", "-an", "-c:v", "ffv1", "-pix_fmt", pixel_format]
    ffmpeg("-i", video.FACE_CLIP, *words, source)
    summary = face_held(source, tmp_path / "regions")
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    before, (high, wide) = pictures(source)
    after, _ = pictures(path)
    old, new = (
        found[5].data.reshape(high, wide, 3)[high * 3 // 4 :].astype(int)
        for found in (before, after)
    )
    assert np.abs(old - new).mean() < 4


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "kind"), [("in.png", "image/png"), ("in.jpg", "image/jpeg")])
def test_a_photograph_stays_one(name: str, kind: str, tmp_path: Path) -> None:
    source = tmp_path / name
    ffmpeg("-i", video.FACE_CLIP, "-frames:v", "1", "-vf", "scale=319:239", source)
    summary = regions_of(source, tmp_path / "regions", **video.QUICK)
    ran = anonymised(source, summary, tmp_path / "out", preset="solid")
    (output,) = ran.of("video_anonymised")
    assert output.meta["frames_covered"] == 1
    assert (output.content_type, output.path.suffix) == (kind, source.suffix)
    media = probed(output.path)
    assert (media.video[0].width, media.video[0].height) == (319, 239)
    assert media.duration_ms is None
    box = RegionSummary.read(summary.path).frames[0].regions[0]
    found, (high, wide) = pictures(output.path)
    x, y = round(box.x + box.width / 2), round(box.y + box.height / 2)
    assert found[0].data.reshape(high, wide, 3)[y - 5 : y + 5, x - 5 : x + 5].max() < 12


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["ten bits", "odd"])
def test_a_param_keeps_the_recordings_own_pixels(name: str, tmp_path: Path) -> None:
    extension, words = INPUTS[name]
    source = tmp_path / f"in.{extension}"
    ffmpeg("-i", video.FACE_CLIP, "-t", "0.4", *words, source)
    summary = face_held(source, tmp_path / "regions")
    ran = anonymised(source, summary, tmp_path / "out", pixels="source")
    old, new = probed(source).video[0], probed(ran.of("video_anonymised")[0].path).video[0]
    assert (new.width, new.height, new.pixel_format) == (old.width, old.height, old.pixel_format)


PLAYABLE: dict[str, tuple[str, list[str], str]] = {
    "gif": ("gif", ["-an", "-vf", "fps=10,scale=161:121"], ""),
    "prores": ("mov", ["-c:v", "prores_ks", "-c:a", "pcm_s24le"], "pcm_s24le"),
    "hdr": (
        "mp4",
        ["-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-color_trc", "smpte2084"],
        "aac",
    ),
    "sixteen bits of rgb": (
        "mkv",
        ["-pix_fmt", "gbrp16le", "-c:v", "ffv1", "-c:a", "flac"],
        "flac",
    ),
    "camera's sound": ("m2ts", ["-c:v", "libx264", "-c:a", "pcm_bluray"], "pcm_s24le"),
    "telephone's sound": (
        "mov",
        ["-c:v", "libx264", "-ar", "8000", "-c:a", "pcm_alaw"],
        "pcm_s16le",
    ),
    "webm": ("webm", ["-c:v", "libvpx", "-c:a", "libopus"], "opus"),
    "dv": ("dv", ["-vf", "scale=720:576", "-r", "25", "-ar", "48000", "-ac", "2"], "pcm_s16le"),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", PLAYABLE)
def test_what_leaves_plays_everywhere(name: str, tmp_path: Path) -> None:
    extension, words, sound = PLAYABLE[name]
    source = tmp_path / f"in.{extension}"
    target = ["-target", "pal-dv"] if name == "dv" else []
    ffmpeg("-i", video.FACE_CLIP, "-t", "0.6", *words, *target, source)
    summary = face_held(source, tmp_path / "regions")
    (output,) = anonymised(source, summary, tmp_path / "out").of("video_anonymised")
    assert output.path.suffix in (".mp4", ".mov")
    media = probed(output.path)
    stream = media.video[0]
    assert (stream.codec, stream.pixel_format) == ("h264", "yuv420p")
    assert stream.color_transfer not in ("smpte2084", "arib-std-b67")
    assert [heard.codec for heard in media.audio] == ([sound] if sound else [])
    data = output.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart
    expected = [t - packet_times_ms(source)[0] for t in packet_times_ms(source)]
    times = packet_times_ms(output.path)
    np.testing.assert_allclose([t - times[0] for t in times], expected, atol=1.01)


@pytest.mark.heavy
def test_a_last_picture_that_stands_long_does_so_again(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    stands = "select='lt(n,30)+eq(n,100)',setpts='if(eq(N,30),1.2/TB,PTS)'"
    lasting = "setts=pts=PTS:dts=DTS:duration='if(eq(N,30),1.5/TB,DURATION)'"
    short = tmp_path / "short.mp4"
    ffmpeg("-i", video.FACE_CLIP, "-vf", stands, "-fps_mode", "vfr", "-bf", "0", "-an", short)
    ffmpeg("-i", short, "-c", "copy", "-bsf:v", lasting, source)
    assert (probed(source).duration_ms or 0) > 2500
    summary = face_held(source, tmp_path / "regions")
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    assert packet_times_ms(path) == packet_times_ms(source)
    assert length_s(path) == pytest.approx((probed(source).duration_ms or 0) / 1000, abs=0.002)


@pytest.mark.heavy
def test_what_was_cut_without_coding_it_again_ends_where_it_did(tmp_path: Path) -> None:
    """Its last pictures lack some between them: the last one is shown no longer than others."""
    source = video.shortened(tmp_path / "in.mp4", 2.4)
    *_, before_ms, last_ms = packet_times_ms(source)
    assert last_ms - before_ms > 100
    summary = face_held(source, tmp_path / "regions")
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    assert packet_times_ms(path) == packet_times_ms(source)
    assert length_s(path) == pytest.approx(length_s(source), abs=0.002)


def length_s(path: Path) -> float:
    words = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    told = subprocess.run([*words, str(path)], check=True, capture_output=True, text=True)
    return float(told.stdout)


@pytest.mark.heavy
def test_cover_art_and_tags_are_left_out(
    short_clip: tuple[Path, InputFile], tmp_path: Path
) -> None:
    """They may show or name who is to be hidden."""
    clip, summary = short_clip
    art, source = tmp_path / "art.png", tmp_path / "in.mp4"
    ffmpeg("-i", clip, "-frames:v", "1", art)
    words = ["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic"]
    ffmpeg("-i", clip, "-i", art, *words, "-metadata", "title=Eileen", source)
    assert probed(source).cover_art
    path = anonymised(source, summary, tmp_path / "out").of("video_anonymised")[0].path
    assert not probed(path).cover_art
    assert b"Eileen" not in path.read_bytes()


@pytest.mark.heavy
def test_a_truncated_recording_is_covered_as_far_as_it_goes(tmp_path: Path) -> None:
    whole, source = tmp_path / "whole.mkv", tmp_path / "in.mkv"
    ffmpeg("-i", video.FACE_CLIP, "-c", "copy", whole)
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 5])
    summary = regions_of(source, tmp_path / "regions", **video.QUICK)
    ran = anonymised(source, summary, tmp_path / "out")
    (output,) = ran.of("video_anonymised")
    assert 30 < output.meta["frames_covered"] == output.meta["frame_count"] < 150
