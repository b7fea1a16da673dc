"""The least MP4 there can be: one track of H.264 pictures at given times (ISO/IEC 14496-12 and -15).

It is for ffmpeg to read, and to store beside sound: nothing else hands it coded pictures together with
their times. Times of decoding follow from those at which pictures are shown: the n-th picture is decoded
when the n-th is shown, all of them so much earlier that none is shown before it is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

_UNITY = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_LARGE_BOX = struct.Struct(">I4sQ")
_MOVIE_HZ = 1000


@dataclass(frozen=True)
class Track:
    """What its pictures have in common."""

    width: int
    height: int
    ticks_hz: int
    avcc: bytes
    """Their parameter sets, as a sample entry holds them."""


@dataclass(frozen=True)
class StoredPicture:
    """One of them."""

    ticks: int
    """When it is shown; no two are at the same time."""
    data: bytes
    """Its units, the length of each before it in four bytes."""
    key: bool


@dataclass(frozen=True)
class _Stored:
    shown: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: tuple[int, ...]
    """Numbers of those that decoding can begin with, from 1."""


def write_mp4(path: Path, track: Track, pictures: Iterable[StoredPicture]) -> list[tuple[int, int]]:
    """Write the pictures, as they are decoded; at least one. Memory holds one of them.

    Returns when each is shown, and its size in bytes.
    """
    shown, sizes, keys = [], [], []
    with path.open("wb") as file:
        file.write(_box(b"ftyp", b"isom", _numbers(512), b"isomavc1"))
        begun = file.tell()
        file.write(_LARGE_BOX.pack(1, b"mdat", 0))
        first = file.tell()
        for picture in pictures:
            file.write(picture.data)
            shown.append(picture.ticks)
            sizes.append(len(picture.data))
            if picture.key:
                keys.append(len(sizes))
        end = file.tell()
        file.write(_movie(track, _Stored(tuple(shown), tuple(sizes), tuple(keys)), first))
        file.seek(begun)
        file.write(_LARGE_BOX.pack(1, b"mdat", end - begun))
    return list(zip(shown, sizes, strict=True))


def decoded_at(shown: Sequence[int]) -> list[int]:
    """When each is decoded, rising; ``shown``: when it is shown, in the order of decoding."""
    ordered = sorted(shown)
    places = {ticks: place for place, ticks in enumerate(ordered)}
    late = max(number - places[ticks] for number, ticks in enumerate(shown))
    step = max(1, ordered[1] - ordered[0]) if len(ordered) > 1 else 1
    before = [ordered[0] - step * count for count in range(late, 0, -1)]
    return [*before, *ordered][: len(shown)]


def _movie(track: Track, stored: _Stored, first: int) -> bytes:
    decoded = decoded_at(stored.shown)
    offset = -decoded[0]
    steps = [later - earlier for earlier, later in pairwise(decoded)]
    last = steps[-1] if steps else 1
    length = max(stored.shown) + last
    samples = _box(
        b"stbl",
        _box(b"stsd", _numbers(0, 1), _sample_entry(track)),
        _box(b"stts", _numbers(0), _runs([*steps, last])),
        _box(
            b"ctts", _numbers(0), _runs(a - b for a, b in zip(stored.shown, decoded, strict=True))
        ),
        _box(b"stss", _numbers(0, len(stored.keys), *stored.keys)),
        _box(b"stsc", _numbers(0, 1, 1, len(stored.sizes), 1)),
        _box(b"stsz", _numbers(0, 0, len(stored.sizes), *stored.sizes)),
        _box(b"co64", _numbers(0, 1), struct.pack(">Q", first)),
    )
    media_header = struct.pack(
        ">IQQIQHH", 1 << 24, 0, 0, track.ticks_hz, length + offset, 0x55C4, 0
    )
    handler = _box(b"hdlr", _numbers(0, 0), b"vide", bytes(13))
    here = _box(b"dinf", _box(b"dref", _numbers(0, 1), _box(b"url ", _numbers(1))))
    visual = _box(b"vmhd", _numbers(1, 0, 0))
    media = _box(
        b"mdia", _box(b"mdhd", media_header), handler, _box(b"minf", visual, here, samples)
    )
    lasting = round(length * _MOVIE_HZ / track.ticks_hz)
    edit = _box(b"elst", _numbers(1 << 24, 1), struct.pack(">QqI", lasting, offset, 1 << 16))
    header = _numbers(1 << 24 | 3) + struct.pack(">QQIIQ", 0, 0, 1, 0, lasting) + bytes(16)
    size = _numbers(track.width << 16, track.height << 16)
    movie = struct.pack(">IQQIQ", 1 << 24, 0, 0, _MOVIE_HZ, lasting)
    movie += _numbers(1 << 16, 1 << 24) + bytes(8) + _UNITY + bytes(24) + _numbers(2)
    tracked = _box(b"trak", _box(b"tkhd", header, _UNITY, size), _box(b"edts", edit), media)
    return _box(b"moov", _box(b"mvhd", movie), tracked)


def _sample_entry(track: Track) -> bytes:
    head = bytes(6) + struct.pack(">H", 1) + bytes(16)
    head += struct.pack(">HHII", track.width, track.height, 72 << 16, 72 << 16)
    head += bytes(4) + struct.pack(">H", 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    return _box(b"avc1", head, _box(b"avcC", track.avcc))


def _runs(values: Iterable[int]) -> bytes:
    """How many, and a row for each run of equal ones: its length and its value."""
    rows = [(len(list(run)), value) for value, run in groupby(values)]
    return _numbers(len(rows), *(number for row in rows for number in row))


def _numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body
