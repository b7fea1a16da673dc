"""Recordings that lie behind the first one in a file whose format holds one: nobody reads them.

People join files end to end, which is right for MP3, Ogg and broadcasts. Of WAV, AIFF, FLV, WavPack and MP4
every reader takes the first part alone, without a word; here the word is said.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from shared.media.boxes import top_boxes
from shared.media.wav_headers import chunks

_FLV_HEADER, _FLV_TAG = 13, 11
_FLV_TAGS = frozenset({8, 9, 18})
_WAVPACK_INITIAL, _TAG_BYTES = 0x800, 1 << 20
_MOST_TAGS = 1_000_000
_MOST_GAPS = 16
"""Places where no block is: each is looked through for a megabyte."""


def left_behind(path: Path) -> str | None:
    """How much of the file is another recording; ``None`` where there is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = _second(file, size)
    if begins is None:
        return _unread_chunks(path)
    percent = 100 * begins / size
    return (
        f"another recording lies behind the first, which ends at {percent:.0f} % of the file: files of this "
        "format cannot be joined end to end. The first was read; upload the others by themselves"
    )


def _unread_chunks(path: Path) -> str | None:
    """Of a WAV with several chunks of samples ffmpeg reads the last alone."""
    with path.open("rb") as file:
        lengths = [length for name, length, _ in chunks(file) if name == b"data"]
    if len(lengths) < 2 or not sum(lengths):
        return None
    percent = 100 * lengths[-1] / sum(lengths)
    return (
        f"its samples lie in {len(lengths)} chunks, of which the last was read, {percent:.0f} % of them: "
        "write it anew with one by the program that it comes from"
    )


def _second(file: BinaryIO, size: int) -> int | None:
    """Where the second one begins."""
    head = file.read(16)
    if head[:4] in (b"RIFF", b"RIFX", b"FORM"):
        return _second_chunk(file, head, size)
    if head[:3] == b"FLV":
        return _second_flv(file, size)
    if head[:4] == b"wvpk":
        return _second_wavpack(file, size)
    top = top_boxes(file, size)
    kinds = [box.kind for box in top]
    # Of fragments each may come with its own beginning, and all are read.
    if kinds.count(b"moov") < 2 or kinds.count(b"ftyp") < 2 or b"moof" in kinds:
        return None
    return [box.start - 8 for box in top if box.kind == b"ftyp"][1]


def _second_chunk(file: BinaryIO, head: bytes, size: int) -> int | None:
    """WAV and AIFF: the same head once more behind the first one's end. (Of AVI, ffmpeg reads on.)"""
    if head[8:12] == b"AVI ":
        return None
    length = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
    for end in (8 + length, 8 + length + length % 2):
        file.seek(end)
        again = file.read(12) if length > 0 and end < size else b""
        if len(again) == 12 and (again[:4], again[8:]) == (head[:4], head[8:12]):
            return end
    return None


def _second_flv(file: BinaryIO, size: int) -> int | None:
    """From tag to tag, until one is no tag but a file's beginning."""
    place = _FLV_HEADER
    for _ in range(_MOST_TAGS):
        file.seek(place)
        tag = file.read(_FLV_TAG)
        if tag[:3] == b"FLV":
            return place
        if len(tag) < _FLV_TAG or tag[0] & 0x1F not in _FLV_TAGS:
            return None
        place += _FLV_TAG + int.from_bytes(tag[1:4], "big") + 4
        if place >= size:
            return None
    return None


def _second_wavpack(file: BinaryIO, size: int) -> int | None:
    """From block to block, until one holds samples from the beginning again."""
    place, last, gaps = 0, -1, 0
    for _ in range(_MOST_TAGS):
        file.seek(place)
        block = file.read(28)
        if len(block) < 28:
            return None
        if block[:4] != b"wvpk":  # the first one's tags, at its end
            file.seek(place)
            away = file.read(_TAG_BYTES).find(b"wvpk")
            gaps += 1
            if away < 0 or gaps > _MOST_GAPS:
                return None
            place += away
            continue
        length, first, samples, flags = struct.unpack("<I8xIII", block[4:])
        if (
            samples and flags & _WAVPACK_INITIAL
        ):  # of several channels, each group has one such block
            if first <= last:
                return place
            last = first
        place += 8 + length
    return None
