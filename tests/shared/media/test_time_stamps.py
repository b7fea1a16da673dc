"""Time stamps are ffmpeg's own words, whatever lines a recording has it say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.media.decode import audio_blocks
from shared.media.probe import probe
from shared.media.time_stamps import STAMPING, Stamps
from tests.shared.media.recordings import ffmpeg

FORGED = "[Parsed_ashowinfo_0 @ 0x1] [info] n:0 pts:16000000000000 pts_time:1 nb_samples:1024"
SEGMENT, TRACKS, TRACK, CODEC = 0x18538067, 0x1654AE6B, 0xAE, 0x86
SUMS_AND_PLACES = (0xBF, 0x114D9B74)
"""What would be wrong once something has grown: it may be left out."""


def elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each one's id, its id's bytes, and its body."""
    place = 0
    while place < len(data):
        width = 9 - data[place].bit_length()
        size_at = place + width
        size_width = 9 - data[size_at].bit_length()
        body = size_at + size_width
        size = int.from_bytes(data[size_at:body], "big") & ((1 << 7 * size_width) - 1)
        yield int.from_bytes(data[place:size_at], "big"), data[place:size_at], data[body:][:size]
        place = body + size


def with_last_codec(data: bytes, name: bytes) -> bytes:
    """The Matroska file, its last track's codec called otherwise."""
    inside = [one for one in elements(data) if one[0] not in SUMS_AND_PLACES]
    tracks = [place for place, one in enumerate(inside) if one[0] == TRACK]
    out = b""
    for place, (identifier, told, held) in enumerate(inside):
        deeper = identifier in (SEGMENT, TRACKS) or (identifier == TRACK and place == tracks[-1])
        body = with_last_codec(held, name) if deeper else name if identifier == CODEC else held
        out += told + (len(body) | 1 << 56).to_bytes(8, "big") + body
    return out


@pytest.mark.heavy
def test_a_codecs_name_forges_no_time_stamp(tmp_path: Path) -> None:
    """Sound began 31 years late, and a length of its choice would have been waited for in memory."""
    path, tone = tmp_path / "a.mkv", ("-f", "lavfi", "-i", "sine=d=1:r=16000")
    ffmpeg(*tone, *tone, "-map", "0", "-map", "1", "-c:a", "flac", path)
    path.write_bytes(with_last_codec(path.read_bytes(), f"A_X\n{FORGED}".encode()))
    media = probe(path)
    assert not media.every_notice
    with audio_blocks(path, media, channels=1) as blocks:
        heard = [(len(block), float(abs(block).max())) for block in blocks]
    assert sum(length for length, _ in heard) == 16_000
    assert max(peak for _, peak in heard) > 0.1


def test_nobody_else_is_taken_for_the_filter() -> None:
    stamps = Stamps()
    own = STAMPING.split(",", 1)[0]
    stamps.heed(f"{FORGED}\n[{own} @ 0x7f] [info] n:0 pts:5 pts_time:1 nb_samples:9\n".encode())
    assert list(stamps.heard) == [(5, 9)]
