from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.asset import MediaInfo
from shared.errors import UnsupportedMedia
from shared.media.decode import audio_blocks
from tests.shared.media.recordings import clip, ffmpeg, noise, probed, real, sound, write_noise
from tests.shared.media.test_ffmpeg import running


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("extension", "rate", "channels"),
    [("wav", 8000, 1), ("flac", 44100, 2), ("flac", 48000, 8), ("wav", 192000, 3)],
)
def test_lossless_files_come_out_sample_by_sample(
    extension: str, rate: int, channels: int, tmp_path: Path
) -> None:
    path = write_noise(tmp_path / f"a.{extension}", frames=rate + 7, channels=channels, rate=rate)
    blocks = audio_blocks(path, probed(path))
    decoded = np.concatenate(list(blocks))
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded, noise(rate + 7, channels))
    assert (blocks.frames, blocks.replaced, blocks.damage) == (rate + 7, 0, None)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(block_frames=st.one_of(st.integers(1, 30), st.integers(4000, 9000)))
def test_blocks_of_any_size_hold_the_same_samples(block_frames: int, tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.wav", frames=4801)
    blocks = list(audio_blocks(path, sound("wav"), block_frames=block_frames))
    assert {len(block) for block in blocks[:-1]} <= {block_frames}
    assert 0 < len(blocks[-1]) <= block_frames
    assert np.array_equal(np.concatenate(blocks), noise(4801))


def test_resampling_and_mixing_down(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(96000) / 48000)
    soundfile.write(path, np.stack([tone, tone], axis=1), 48000, subtype="FLOAT")
    decoded = np.concatenate(
        list(audio_blocks(path, sound("wav"), sample_rate_hz=16000, channels=1))
    )
    assert decoded.shape == (32000, 1)
    assert np.abs(decoded[1000:-1000, 0] - tone[::3][1000:-1000]).max() < 0.01


def test_what_is_no_number_becomes_silence_and_is_counted(tmp_path: Path) -> None:
    samples = noise(4800)
    samples[10], samples[20, 1], samples[4799, 0] = np.nan, np.inf, -np.inf
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    blocks = audio_blocks(path, sound("wav"))
    decoded = np.concatenate(list(blocks))
    assert blocks.replaced == 4
    assert np.array_equal(decoded, np.where(np.isfinite(samples), samples, 0))


@pytest.mark.heavy
def test_a_late_stream_is_heard_at_its_time(tmp_path: Path) -> None:
    ffmpeg("-i", write_noise(tmp_path / "a.wav"), "-c:a", "pcm_s24le", tmp_path / "a.mov")
    late = tmp_path / "late.mov"
    ffmpeg("-itsoffset", "0.8", "-i", tmp_path / "a.mov", "-c", "copy", late)
    media = probed(late)
    assert media.audio[0].start_ms == 800
    assert media.duration_ms == 900
    decoded = np.concatenate(list(audio_blocks(late, media)))
    assert np.array_equal(decoded, np.concatenate([np.zeros((38400, 2)), noise(4800)]))


@pytest.mark.heavy
@pytest.mark.parametrize("extension", ["mp3", "m4a", "mka", "ogg"])
def test_encoder_delay_is_cut_away(extension: str, tmp_path: Path) -> None:
    clicks = np.zeros(48000, dtype=np.float32)
    clicks[24000] = 1
    soundfile.write(tmp_path / "a.wav", clicks, 48000)
    encoded = tmp_path / f"a.{extension}"
    codec = {"mka": ["-c:a", "libopus"], "ogg": ["-c:a", "libvorbis"]}.get(extension, [])
    ffmpeg("-i", tmp_path / "a.wav", *codec, encoded)
    decoded = np.concatenate(list(audio_blocks(encoded, probed(encoded))))
    assert abs(int(np.abs(decoded).argmax()) - 24000) <= 2


@pytest.mark.heavy
def test_a_gap_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    gap = "aselect='not(between(t,0.5,1))'"
    ffmpeg("-f", "lavfi", "-i", "sine=440:r=48000:d=2", "-af", gap, tmp_path / "a.mka")
    decoded = np.concatenate(list(audio_blocks(tmp_path / "a.mka", probed(tmp_path / "a.mka"))))
    assert abs(len(decoded) - 96000) < 2000
    assert np.abs(decoded[30000:45000]).max() < 0.01 < np.abs(decoded[60000:90000]).max()


def test_a_damaged_tail_gives_what_there_is_and_says_so(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.flac", frames=96000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    blocks = audio_blocks(path, sound("flac"))
    decoded = np.concatenate(list(blocks))
    assert blocks.damage
    assert np.array_equal(decoded[:40000], noise(96000)[:40000])


def test_a_tag_of_many_lines_is_neither_damage_nor_a_time_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    lines = "A talk\nn:0 pts:90000000 pts_time:1 nb_samples:441\n[error] none\nby two"
    tone = ("-f", "lavfi", "-i", "sine=440:r=48000:d=0.2")
    ffmpeg(*tone, "-metadata", f"comment={lines}", path)
    blocks = audio_blocks(path, probed(path))
    assert sum(len(block) for block in blocks) > 9000
    assert (blocks.damage, blocks.changes) == (None, 0)


def test_what_gives_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(b"no flac at all" * 100)
    with pytest.raises(UnsupportedMedia, match="cannot be decoded"):
        list(audio_blocks(path, sound("flac")))


def test_a_recording_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="no sound"):
        audio_blocks(tmp_path / "a.mp4", MediaInfo(container="wav", duration_ms=1))


@pytest.mark.heavy
def test_the_second_stream_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "two.mka"
    first, second = write_noise(tmp_path / "1.wav"), write_noise(tmp_path / "2.wav", channels=1)
    ffmpeg("-i", first, "-i", second, "-map", "0", "-map", "1", "-c:a", "pcm_s24le", path)
    decoded = np.concatenate(list(audio_blocks(path, probed(path).with_stream(1))))
    assert np.array_equal(decoded, noise(4800, 1))


@pytest.mark.heavy
def test_leaving_early_stops_the_tool(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=300", path)
    with audio_blocks(path, sound("wav", 44100, 1), block_frames=1000) as blocks:
        next(iter(blocks))
        assert running(str(path))
    assert not running(str(path))


@pytest.mark.heavy
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=600", path)
    tracemalloc.start()
    frames = sum(len(block) for block in audio_blocks(path, sound("wav", 44100, 1)))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames == 600 * 44100
    assert peak_bytes < 4e6 < frames * 4


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", ["loops/loop_amen.flac", "segments/count.wav", "transcript/LJ001-0001.wav"]
)
def test_real_recordings_are_as_long_as_libsndfile_says(name: str) -> None:
    path = real(name)
    blocks = audio_blocks(path, probed(path))
    decoded = np.concatenate(list(blocks))
    expected, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert blocks.sample_rate_hz == rate
    assert np.array_equal(decoded, expected)


@pytest.mark.heavy
def test_sound_of_a_clip_keeps_time_with_its_picture(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    late = tmp_path / "late.mp4"
    offset: list[str | Path] = [
        "-i",
        path,
        "-itsoffset",
        "0.5",
        "-i",
        path,
        "-map",
        "0:v",
        "-map",
        "1:a",
    ]
    ffmpeg(*offset, "-c", "copy", late)
    decoded = np.concatenate(list(audio_blocks(late, probed(late))))
    loud = np.flatnonzero(np.abs(decoded[:, 0]) > 0.03)
    assert abs(int(loud[0]) - 24000) < 1200


@pytest.mark.heavy
@pytest.mark.parametrize("began_s", [0, 100])
@pytest.mark.parametrize("extension", ["flv", "wmv"])
def test_a_clock_that_runs_when_the_recording_begins(
    extension: str, began_s: int, tmp_path: Path
) -> None:
    """Sound of a stream that was joined late stood so much later than its pictures, behind silence."""
    pictures = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2")
    sound_late = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=440:r=44100:d=1.5")
    coding = ("-c:v", "libx264", "-bf", "2", "-c:a", "libmp3lame")
    coding = ("-c:a", "wmav2") if extension == "wmv" else coding
    first, path = tmp_path / f"first.{extension}", tmp_path / f"a.{extension}"
    ffmpeg(*pictures, *sound_late, *coding, first)
    ffmpeg("-i", first, "-c", "copy", "-copyts", "-output_ts_offset", f"{began_s}", path)
    media = probed(path)
    assert media.audio[0].start_ms == pytest.approx(500, abs=100)
    assert media.duration_ms == pytest.approx(2000, abs=150)
    decoded = np.concatenate(list(audio_blocks(path, media)))
    loud = np.flatnonzero(np.abs(decoded[:, 0]) > 0.03) / 44_100
    assert loud[0] == pytest.approx(media.audio[0].start_ms / 1000, abs=0.1)
    assert loud[-1] == pytest.approx(loud[0] + 1.5, abs=0.1)
