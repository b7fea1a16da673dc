"""What is read as it lies in a WAV is what ffmpeg gives; what is not so plain is left to ffmpeg."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.contracts.asset import AudioStream
from shared.media.decode import SampleType, audio_blocks
from shared.media.plain_wav import stored_samples
from shared.media.probe import probe
from tests.shared.media.recordings import noise

RATE_HZ, FRAMES = 44_100, 3 * (1 << 16) + 11


def stream(codec: str = "pcm_s16le", channels: int = 2) -> AudioStream:
    return AudioStream(
        index=0, codec=codec, sample_rate_hz=RATE_HZ, channels=channels, duration_ms=None
    )


def wav(path: Path, subtype: str = "PCM_16", *, frames: int = 999, channels: int = 2) -> Path:
    soundfile.write(path, noise(frames, channels), RATE_HZ, subtype=subtype)
    return path


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("subtype", "channels", "form", "sample_type"),
    [
        ("PCM_U8", 1, "WAV", "float32"),
        ("PCM_16", 2, "WAV", "float64"),
        ("PCM_24", 3, "WAVEX", "float32"),
        ("PCM_32", 6, "WAVEX", "float64"),
    ],
)
def test_the_samples_are_those_that_ffmpeg_decodes(
    subtype: str, channels: int, form: str, sample_type: SampleType, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(FRAMES, channels), RATE_HZ, subtype=subtype, format=form)
    media = probe(path)
    assert stored_samples(path, media.audio[0]) is not None
    ours = np.concatenate(list(audio_blocks(path, media, sample_type=sample_type)))
    raw = {"float32": "f32le", "float64": "f64le"}[sample_type]
    words = ["ffmpeg", "-v", "error", "-i", str(path), "-c:a", f"pcm_{raw}", "-f", raw, "-"]
    said = subprocess.run(words, check=True, capture_output=True).stdout
    assert ours.dtype == sample_type
    assert np.array_equal(ours, np.frombuffer(said, sample_type).reshape(-1, channels))


def test_chunks_before_and_behind_the_samples_are_no_sound(tmp_path: Path) -> None:
    plain = wav(tmp_path / "a.wav").read_bytes()
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    path = tmp_path / "b.wav"
    path.write_bytes(plain[:12] + odd + plain[12:] + odd)
    found = stored_samples(path, stream())
    assert found is not None
    (block,) = found.blocks(1 << 16, "float32")
    assert np.array_equal(block, soundfile.read(path, dtype="float32")[0])


def changed(plain: bytes, at: int, to: bytes) -> bytes:
    return plain[:at] + to + plain[at + len(to) :]


@pytest.mark.parametrize(
    ("what", "becomes"),
    [
        ("cut off", lambda plain: plain[:-4]),
        ("more samples behind", lambda plain: plain + b"data" + bytes(8)),
        ("of unknown length", lambda plain: changed(plain, 40, b"\xff" * 4)),
        ("half a frame behind", lambda plain: changed(plain, 40, struct.pack("<I", 3994))),
        ("floats", lambda plain: changed(plain, 20, b"\x03")),
        ("another rate", lambda plain: changed(plain, 24, struct.pack("<I", 8_000))),
        ("another size of sample", lambda plain: changed(plain, 34, b"\x0c")),
        ("turned around", lambda plain: changed(plain, 0, b"RIFX")),
        ("of more than 4 GB", lambda plain: changed(plain, 0, b"RF64")),
        ("a header alone", lambda plain: plain[:36]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_anything_else_is_left_to_ffmpeg(what: str, becomes: object, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    assert stored_samples(path, stream()) is not None
    path.write_bytes(becomes(path.read_bytes()))  # type: ignore[operator]
    assert stored_samples(path, stream()) is None, what


def test_what_ffmpeg_would_misread_is_left_to_it(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    assert stored_samples(path, stream("pcm_f32le")) is None
    assert stored_samples(path, stream("pcm_s24le")) is None
    assert stored_samples(path, stream(channels=1)) is None
