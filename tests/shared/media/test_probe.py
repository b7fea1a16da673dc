from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.errors import UnsupportedMedia
from shared.media.formats import FileType, file_type
from shared.media.probe import probe
from tests.shared.media.recordings import REAL, clip, ffmpeg, noise, real, write_noise

TRUTHS = sorted((REAL / "truth" / "probe").glob("*.json")) or [Path("no recordings")]


@pytest.mark.heavy
@pytest.mark.parametrize("truth_path", TRUTHS, ids=lambda path: path.stem)
def test_real_recordings_are_what_is_known_of_them(truth_path: Path) -> None:
    truth = json.loads(real(f"truth/probe/{truth_path.name}").read_text())
    media = probe(real(truth["file"]))
    assert media.duration_ms == pytest.approx(truth["duration"] * 1000, abs=5)
    for track in truth["tracks"]:
        if "sample_rate" in track:
            found = media.audio[0]
            assert (found.sample_rate_hz, found.channels) == (
                track["sample_rate"],
                track["channels"],
            )
            continue
        shown = media.video[0]
        turned = track.get("rotation", 0) in (90, 270)
        coded = (shown.height, shown.width) if turned else (shown.width, shown.height)
        assert coded == (track["width"], track["height"])
        assert shown.rotation_deg == track.get("rotation", 0)
        assert shown.frame_rate == pytest.approx(track["fps"], abs=0.01)


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("name", "bit_depth", "rate", "channels"),
    [("a.wav", 24, 8000, 1), ("a.flac", 24, 192000, 2), ("a.wav", 24, 48000, 8)],
)
def test_sound(name: str, bit_depth: int, rate: int, channels: int, tmp_path: Path) -> None:
    stream = probe(write_noise(tmp_path / name, rate // 2, channels, rate)).audio[0]
    assert (stream.bit_depth, stream.sample_rate_hz, stream.channels) == (bit_depth, rate, channels)
    assert stream.duration_ms == 500
    expected = 20 * np.log10(np.abs(noise(rate // 2, channels)).max())
    assert stream.peak_dbfs == pytest.approx(expected, abs=0.01)
    assert not stream.silent


@pytest.mark.first_is_quick
@pytest.mark.parametrize(("level", "peak_dbfs"), [(0.0, None), (0.0005, -66.0)])
def test_silence_is_told_from_sound(level: float, peak_dbfs: float | None, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(4800, level), 48000, subtype="FLOAT")
    stream = probe(tmp_path / "a.wav").audio[0]
    assert stream.silent
    assert stream.peak_dbfs == pytest.approx(peak_dbfs, abs=0.1)


@pytest.mark.heavy
def test_an_mp3_without_a_length_is_as_long_as_its_packets(tmp_path: Path) -> None:
    bitrates = "sine=440:d=10,aeval='if(gt(t,5),val(0),0)'"
    path = tmp_path / "a.mp3"
    ffmpeg(
        "-f", "lavfi", "-i", bitrates, "-q:a", "9", "-write_xing", "0", "-id3v2_version", "0", path
    )
    assert probe(path).duration_ms == pytest.approx(10_000, abs=60)


@pytest.mark.heavy
def test_a_truncated_recording_lasts_as_long_as_what_is_there(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", seconds=8)
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", path, "-c", "copy", "-movflags", "faststart", whole)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    media = probe(whole)
    assert media.has_audio and media.has_video
    assert media.duration_ms is not None and 3000 < media.duration_ms < 5500


@pytest.mark.heavy
def test_a_wav_that_claims_four_gigabytes(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.wav", frames=48000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = data[4:8] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    assert probe(path).duration_ms == 1000


@pytest.mark.heavy
def test_constant_and_variable_frame_rates(tmp_path: Path) -> None:
    even = clip(tmp_path / "even.mkv", video="testsrc=s=64x48:r=30000/1001")
    uneven = tmp_path / "uneven.mkv"
    dropped = ["-vf", "select='not(mod(n,5)-2)+not(mod(n,7))'", "-fps_mode", "passthrough"]
    ffmpeg("-i", even, *dropped, "-enc_time_base", "1:1000", uneven)
    assert probe(even).video[0].frame_rate_kind == "constant"
    assert probe(even).video[0].frame_rate == pytest.approx(29.97, abs=0.01)
    assert probe(uneven).video[0].frame_rate_kind == "variable"


TURNS = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]
FLIPS = [(-1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 0, -1), (0, -1, -1, 0)]


@pytest.mark.heavy
@pytest.mark.parametrize("matrix", TURNS + FLIPS)
def test_a_turned_or_mirrored_clip_is_described_as_it_is_shown(
    matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    quarters = (
        "color=black:s=64x48:d=0.2,drawbox=w=32:h=24:t=fill:c=white,drawbox=y=24:w=32:t=fill:c=gray"
    )
    ffmpeg("-f", "lavfi", "-i", quarters, "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    data = path.read_bytes()
    as_it_is, wanted = (
        struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        for a, b, c, d in ((1, 0, 0, 1), matrix)
    )
    at = data.index(as_it_is, data.index(b"tkhd"))
    path.write_bytes(data[:at] + wanted + data[at + 36 :])

    shown = probe(path).video[0]
    assert shown.mirrored == (matrix in FLIPS)
    ours = np.rot90(_frame(path, (48, 64), "-noautorotate"), -shown.rotation_deg // 90)
    ours = ours[:, ::-1] if shown.mirrored else ours
    assert np.array_equal(ours, _frame(path, (shown.height, shown.width)))


def _frame(
    path: Path, shape: tuple[int, int], *options: str
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """The first frame's brightness, as ffmpeg shows it."""
    raw = path.with_suffix(".raw")
    ffmpeg(*options, "-i", path, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", raw)
    return np.frombuffer(raw.read_bytes(), np.uint8).reshape(shape)


@pytest.mark.heavy
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_clip_that_starts_late(extension: str, tmp_path: Path) -> None:
    late = tmp_path / f"late.{extension}"
    ffmpeg("-itsoffset", "0.8", "-i", clip(tmp_path / "a.mkv"), "-c", "copy", late)
    media = probe(late)
    assert media.video[0].start_ms == pytest.approx(800, abs=25)
    assert media.video[0].duration_ms == pytest.approx(2000, abs=50)
    assert media.duration_ms == pytest.approx(2800, abs=50)
    assert not media.every_notice
    ffmpeg("-i", late, "-c", "copy", "-output_ts_offset", "60", tmp_path / f"clock.{extension}")
    told = probe(tmp_path / f"clock.{extension}").every_notice
    assert [one[:24] for one in told] == ["its clock stands at 60.0"]


@pytest.mark.heavy
def test_a_broadcast_stream_starts_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    ffmpeg("-i", clip(tmp_path / "a.mkv"), "-c:v", "copy", "-output_ts_offset", "3000", path)
    media = probe(path)
    assert media.video[0].start_ms < 100
    assert media.duration_ms == pytest.approx(2000, abs=100)


@pytest.mark.heavy
def test_cover_art_is_no_moving_picture(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "1", tmp_path / "cover.png")
    sources: list[str | Path] = [
        "-i",
        write_noise(tmp_path / "a.wav"),
        "-i",
        tmp_path / "cover.png",
    ]
    maps = ["-map", "0", "-map", "1", "-disposition:v", "attached_pic"]
    ffmpeg(*sources, *maps, tmp_path / "a.mp3")
    media = probe(tmp_path / "a.mp3")
    assert (media.cover_art, media.has_video, media.has_audio) == (True, False, True)


@pytest.mark.heavy
def test_a_still_picture_is_a_picture_without_duration(tmp_path: Path) -> None:
    for extension in ("png", "jpg", "webp"):
        path = tmp_path / f"a.{extension}"
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "1", path)
        media = probe(path)
        assert (media.duration_ms, media.video[0].duration_ms, media.video[0].width) == (
            None,
            None,
            64,
        )
        assert file_type(media, b"").content_type.startswith("image/")


@pytest.mark.heavy
def test_interlacing_colour_and_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    look = ["-vf", "setparams=field_mode=tff:color_trc=bt709", "-flags", "+ildct+ilme"]
    source = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=1"]
    ffmpeg(*source, *look, "-c:v", "libx264", "-x264opts", "tff=1", "-pix_fmt", "yuv420p", path)
    shown = probe(path).video[0]
    assert (shown.interlaced, shown.color_transfer, shown.pixel_format) == (
        True,
        "bt709",
        "yuv420p",
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("mov", FileType("video/quicktime", "mov")),
        ("mp4", FileType("video/mp4", "mp4")),
        ("mkv", FileType("video/x-matroska", "mkv")),
    ],
)
def test_a_file_is_called_by_its_bytes(extension: str, expected: FileType, tmp_path: Path) -> None:
    path = clip(tmp_path / f"a.{extension}", seconds=1).rename(tmp_path / "a.wav")
    assert file_type(probe(path), path.read_bytes()[:64]) == expected


@pytest.mark.heavy
def test_names_have_no_say(tmp_path: Path) -> None:
    for name in ("take %03d.png", "-i.m3u8", "http:a.srt", "ü 'x'[1].avi", "plain"):
        path = write_noise(tmp_path / "a.wav").rename(tmp_path / name)
        assert probe(path).container == "wav"


@pytest.mark.heavy
def test_the_same_file_probes_the_same(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    assert probe(path).model_dump_json() == probe(path).model_dump_json()


def test_half_an_object_from_ffprobe_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "ffprobe"
    tool.write_text("#!/bin/sh\necho '{ \"streams\": ['\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path('/usr/bin')}:/bin")
    with pytest.raises(UnsupportedMedia, match="header cannot be read"):
        probe(write_noise(tmp_path / "a.wav"))


def test_reasons_are_sentences_without_paths(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFF" + bytes(40))
    with pytest.raises(UnsupportedMedia) as caught:
        probe(path)
    assert re.fullmatch(
        r"[a-z ]+ffmpeg knows, .+: export it again|[a-z ]+can be decoded.*", caught.value.message
    )
    assert str(tmp_path) not in str(caught.value.to_json())


def test_a_rate_at_which_nothing_can_be_heard_is_refused(tmp_path: Path) -> None:
    """A kilobyte at 1 Hz would be a quarter of an hour."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 1)
    with pytest.raises(UnsupportedMedia, match="at 1 Hz"):
        probe(path)


@pytest.mark.heavy
def test_a_program_stream_tells_the_time_of_few_pictures(tmp_path: Path) -> None:
    """Its header counts on from there, and is no better for the others being untold."""
    path = tmp_path / "a.mpg"
    words = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1.2"]
    words += ["-f", "lavfi", "-i", "sine=r=48000:d=1.2", "-c:v", "libx264", "-c:a", "mp2"]
    ffmpeg(*words, "-f", "vob", path)
    media = probe(path)
    assert media.duration_ms == pytest.approx(1200, abs=45)
    assert media.video[0].frame_rate_kind == "unknown"


def test_a_timecode_that_ffprobe_finds_odd_is_read_from_its_track(tmp_path: Path) -> None:
    """Final Cut Camera marks 24 frames a second as drop frame; the media then seemed to begin at 0."""
    path = tmp_path / "phone.mov"
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=24:d=0.5"]
    ffmpeg(*picture, "-timecode", "19:36:10:02", "-c:v", "mpeg4", path)
    data = bytearray(path.read_bytes())
    flags = data.index(b"tmcd\0\0\0\0\0\0\0\1") + 16
    assert data[flags : flags + 4] == bytes(4)
    data[flags + 3] |= 1
    path.write_bytes(data)
    assert probe(path).timecode == "19:36:10:02"


def test_a_cameras_and_a_recorders_clock(tmp_path: Path) -> None:
    film, sound, plain = (tmp_path / name for name in ("a.mov", "b.wav", "c.wav"))
    tone = ["-f", "lavfi", "-i", "sine=d=0.5:r=48000"]
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=30000/1001:d=0.5"]
    ffmpeg(*picture, *tone, "-timecode", "07:51:47;17", "-c:a", "pcm_s16le", film)
    bext = ["-metadata", "time_reference=1382400000", "-write_bext", "1"]
    ffmpeg(*tone, *bext, sound)
    ffmpeg(*tone, plain)
    assert probe(film).timecode == "07:51:47;17"
    assert probe(sound).time_reference == 1_382_400_000
    assert (probe(plain).timecode, probe(plain).time_reference) == (None, None)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.ogg", "a.wav"])
def test_what_a_file_says_of_itself(tmp_path: Path, name: str) -> None:
    """Ogg has its tags in the stream; a line end is none in a title."""
    told = [
        "-metadata",
        "title=Folge 12:\n B\u00e4ume",
        "-metadata",
        "artist=J\u00f6rg & S\u00f6hne",
    ]
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", *told, tmp_path / name)
    tags = dict(probe(tmp_path / name).tags)
    assert tags["title"] == "Folge 12: B\u00e4ume" and tags["artist"] == "J\u00f6rg & S\u00f6hne"
