"""Chunks are where and what the format says: read back by hand and by libsndfile."""

from __future__ import annotations

import io
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnsupportedMedia
from shared.sound.riff import Cue, acid_chunk, cue_chunks, smpl_chunk, with_chunks

RATE_HZ = 48_000


def wav(samples: int = 999, subtype: str = "PCM_24", channels: int = 1) -> bytes:
    made = io.BytesIO()
    sound = np.linspace(-0.5, 0.5, samples * channels).reshape(samples, channels)
    soundfile.write(made, sound, RATE_HZ, subtype, format="WAV")
    return made.getvalue()


def parsed(data: bytes) -> dict[bytes, bytes]:
    """Identifier -> body of each chunk, walking the file as RIFF says."""
    assert data[:4] == b"RIFF" and struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, at = {}, 12
    while at < len(data):
        assert at % 2 == 0
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        found[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def loop_file(samples: int = 999) -> bytes:
    cues = [Cue(0, "1.1"), Cue(500, "1.2")]
    return with_chunks(
        wav(samples),
        smpl_chunk(RATE_HZ, 60, (0, samples)),
        cue_chunks(cues),
        acid_chunk(123.5, 16, 3),
    )


def test_sample_chunk_loops_from_the_first_sample_to_the_last() -> None:
    fields = struct.unpack("<15I", parsed(loop_file())[b"smpl"])
    assert fields[2:4] == (20_833, 60)
    assert fields[7:9] == (1, 0)
    assert fields[9:] == (0, 0, 0, 998, 0, 0)  # forward, last sample inclusive, for ever


def test_cues_point_into_the_sound_and_have_labels() -> None:
    chunks = parsed(loop_file())
    count, *points = struct.unpack("<I" + "2I4s3I" * 2, chunks[b"cue "])
    assert count == 2
    assert points == [1, 0, b"data", 0, 0, 0, 2, 500, b"data", 0, 0, 500]
    labels = parsed(b"RIFF" + struct.pack("<I", len(chunks[b"LIST"])) + chunks[b"LIST"])
    assert labels[b"labl"] == struct.pack("<I", 2) + b"1.2\0"


def test_tempo_chunk() -> None:
    fields = struct.unpack("<IHHfIHHf", parsed(loop_file())[b"acid"])
    assert fields == (4, 0, 0, 0.0, 16, 4, 3, 123.5)


def test_libsndfile_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(loop_file())
    with soundfile.SoundFile(path) as file:
        log = file.extra_info
        assert file.frames == 999
    assert re.search(r"Midi Note\s*: 60", log)
    assert re.search(r"Start\s*: *0 +End\s*: *998", log), log
    assert re.search(r"Beats\s*: 16", log) and re.search(r"Tempo\s*: 123.5", log), log
    assert re.search(r"Meter\s*: 3/4", log), log


def test_ffmpeg_plays_it(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(loop_file())
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"]
    ran = subprocess.run(command, check=True, capture_output=True)
    assert (len(ran.stdout), ran.stderr) == (2 * 999, b"")


@given(
    samples=st.integers(0, 50),
    channels=st.integers(1, 3),
    subtype=st.sampled_from(["PCM_16", "PCM_24", "FLOAT"]),
    labels=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)),
)
def test_the_sound_stays_the_same(
    samples: int, channels: int, subtype: str, labels: list[str]
) -> None:
    before = wav(samples, subtype, channels)
    after = with_chunks(before, smpl_chunk(RATE_HZ, 60), cue_chunks([Cue(0, t) for t in labels]))
    chunks = parsed(after)
    assert chunks[b"data"] == parsed(before)[b"data"]
    assert soundfile.info(io.BytesIO(after)).frames == samples
    assert (b"cue " in chunks) == bool(labels)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3" + bytes(40), b"RIFF" + bytes(4) + b"AVI "])
def test_what_is_no_wav_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        with_chunks(data, smpl_chunk(RATE_HZ, 60))
