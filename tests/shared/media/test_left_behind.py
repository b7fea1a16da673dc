"""Files that were joined end to end, though their format holds one recording."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from shared.media.left_behind import left_behind
from shared.media.probe import probe
from tests.shared.media.odd_sound import encoded, joined
from tests.shared.media.recordings import write_noise


@pytest.mark.heavy
@pytest.mark.parametrize("suffix", ["wav", "aiff", "flv", "m4a", "wv"])
def test_what_lies_behind_the_first_is_told(suffix: str, tmp_path: Path) -> None:
    noise = write_noise(tmp_path / "noise.wav", 44_100, rate=44_100)
    one = encoded(noise, tmp_path / f"one.{suffix}")
    assert left_behind(one) is None
    media = probe(joined(tmp_path / f"two.{suffix}", one, one))
    assert any("another recording lies behind" in notice for notice in media.notices)
    assert media.duration_ms == pytest.approx(1000, abs=110)


def test_of_samples_in_several_chunks_it_is_told_which_were_read(tmp_path: Path) -> None:
    """ffmpeg takes the last one, and says nothing."""
    whole = write_noise(tmp_path / "noise.wav", 44_100, rate=44_100).read_bytes()
    data = whole[whole.index(b"data") :]
    half = len(data) // 2
    parts = b"data" + struct.pack("<I", half) + data[8 : 8 + half]
    twice = tmp_path / "twice.wav"
    twice.write_bytes(whole[: whole.index(b"data")] + parts + data)
    media = probe(twice)
    assert media.duration_ms == 1000
    assert any("in 2 chunks, of which the last was read, 67 %" in said for said in media.notices)
