"""Where the sound begins and ends, told by the file in words that ffmpeg does not heed."""

from __future__ import annotations

import struct
from pathlib import Path

import mutagen.mp4
import numpy as np
import pytest

from shared.media.decode import audio_blocks
from shared.media.probe import probe
from tests.shared.media.odd_sound import Samples, encoded, write_raw_wav

RATE = 44_100


def sweep(seconds: float, rate: int = RATE) -> Samples:
    """A tone that rises: wherever it is shifted to, it is like itself at one place alone."""
    at = np.arange(round(seconds * rate)) / rate
    return np.asarray(0.4 * np.sin(2 * np.pi * (200 * at + 800 * at**2)))


def late_samples(sound: Samples, truth: Samples) -> int:
    size = 1 << (len(sound) + len(truth)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(truth, size)), size)
    at = int(np.argmax(alike))
    return at if at < size // 2 else at - size


def heard(path: Path) -> tuple[int | None, Samples]:
    media = probe(path)
    assert media.audio[0].duration_ms == media.duration_ms and media.audio[0].start_ms == 0
    return media.duration_ms, np.concatenate(list(audio_blocks(path, media)))[:, 0]


def of_itunes(path: Path, lead: int, behind: int, samples: int) -> Path:
    """AAC without an edit list, and iTunes' comment; the encoder's own delay is 1,024 samples."""
    padded = np.concatenate([np.zeros(lead - 1024), sweep(2.0), np.zeros(behind)])
    source = write_raw_wav(path.with_suffix(".wav"), padded, RATE)
    encoded(source, path, "-c:a", "aac", "-use_editlist", "0")
    tags = mutagen.mp4.MP4(str(path))
    said = f" 00000000 {lead:08X} {behind:08X} {samples:016X} 00000000"
    tags["----:com.apple.iTunes:iTunSMPB"] = [said.encode()]
    tags.save()
    return path


@pytest.mark.heavy
@pytest.mark.parametrize("lead", [1024, 2112])
def test_itunes_comment_begins_and_ends_the_sound(lead: int, tmp_path: Path) -> None:
    """Its priming stood as silence before the sound: words, cuts and loops came 2,112 samples late."""
    path = of_itunes(tmp_path / "a.m4a", lead, 700, 2 * RATE)
    duration_ms, sound = heard(path)
    assert (duration_ms, len(sound)) == (2000, 2 * RATE)
    assert late_samples(sound, sweep(2.0)) == 0
    at_another_rate = audio_blocks(path, probe(path), sample_rate_hz=16_000)
    assert len(np.concatenate(list(at_another_rate))) == 32_000


@pytest.mark.heavy
def test_a_length_in_itunes_comment_that_is_not_the_files_is_not_believed(tmp_path: Path) -> None:
    _, sound = heard(of_itunes(tmp_path / "a.m4a", 2112, 700, RATE))
    assert len(sound) == 2 * RATE + 700
    assert late_samples(sound, sweep(2.0)) == 0


@pytest.mark.heavy
@pytest.mark.first_is_quick
@pytest.mark.parametrize("zeros", [1, 417, 4096])
def test_zeros_before_an_mp3_hide_no_delay(zeros: int, tmp_path: Path) -> None:
    """Files that were cut or downloaded in pieces: all was 1,105 samples late, and 815 too long."""
    source = write_raw_wav(tmp_path / "a.wav", sweep(2.0), RATE)
    data = encoded(source, tmp_path / "a.mp3", "-metadata", "title=x").read_bytes()
    tag = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[9:5:-1]))
    for place in (0, tag):
        path = tmp_path / "zeros.mp3"
        path.write_bytes(data[:place] + bytes(zeros) + data[place:])
        duration_ms, sound = heard(path)
        assert (duration_ms, len(sound)) == (2000, 2 * RATE)
        assert late_samples(sound, sweep(2.0)) == 0


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("codec", "before", "behind"), [("libopus", 312, 648), ("alac", 0, 2304)], ids=str
)
def test_a_cafs_table_of_packets_says_what_is_no_sound(
    codec: str, before: int, behind: int, tmp_path: Path
) -> None:
    """A messenger's voice notes (Opus) came 312 samples late; Apple's ALAC was longer than its sound."""
    source = write_raw_wav(tmp_path / "a.wav", sweep(2.0, 48_000), 48_000)
    path = encoded(source, tmp_path / "a.caf", "-c:a", codec)
    whole = bytearray(path.read_bytes())
    place = whole.find(b"pakt") + 20  # behind the number of packets
    whole[place : place + 16] = struct.pack(">qii", 96_000, before, behind)
    path.write_bytes(whole)
    duration_ms, sound = heard(path)
    assert (duration_ms, len(sound)) == (2000, 96_000)
    assert late_samples(sound, sweep(2.0, 48_000)) == 0


@pytest.mark.heavy
@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
def test_blocks_of_adpcm_end_where_their_wav_says(codec: str, tmp_path: Path) -> None:
    """The last block is filled up: up to a quarter of a second of silence counted as sound."""
    source = write_raw_wav(tmp_path / "a.wav", sweep(2.0), RATE)
    path = encoded(source, tmp_path / "coded.wav", "-c:a", codec)
    whole = bytearray(path.read_bytes())
    place = whole.find(b"fact") + 8
    for told, meant in ((2 * RATE, 2 * RATE), (RATE, None), (0, None)):
        whole[place : place + 4] = struct.pack("<I", told)
        path.write_bytes(whole)
        duration_ms, sound = heard(path)
        if meant is None:  # it cannot be the last block's: all that is there counts
            assert len(sound) > 2 * RATE
        else:
            assert (duration_ms, len(sound)) == (2000, meant)


@pytest.mark.heavy
@pytest.mark.first_is_quick
@pytest.mark.parametrize("suffix", ["opus", "webm", "mka", "mp4"])
def test_what_opus_needs_before_the_sound_is_no_length(suffix: str, tmp_path: Path) -> None:
    source = write_raw_wav(tmp_path / "a.wav", sweep(2.0, 48_000), 48_000)
    path = encoded(source, tmp_path / f"a.{suffix}", "-c:a", "libopus", "-strict", "-2")
    duration_ms, sound = heard(path)
    assert (duration_ms, len(sound)) == (2000, 96_000)
