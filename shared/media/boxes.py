"""The boxes of an ISO media file (MP4, MOV, M4A, HEIC, ...), as far as a refusal needs them.

Sizes are what the file claims: of a file that was cut off, the last box ends beyond it. However hostile
a file is, only headers are read, and of each level at most ``MOST_BOXES``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_BOXES = 4096
_FIRST = frozenset(
    (
        *(b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot"),
        *(b"sidx", b"jP  ", b"JXL "),
    )
)
_TO_SAMPLES = (b"mdia", b"minf", b"stbl", b"stsd")


@dataclass(frozen=True)
class Box:
    """One box: what comes behind its header lies from ``start`` to ``end``."""

    kind: bytes
    start: int
    end: int


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    """What lies there; nothing behind the end, where some disks let nobody seek (ext4: from 16 TiB on)."""
    if place >= file.seek(0, 2):
        return b""
    file.seek(place)
    return file.read(count)


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes that lie one behind the other from ``start`` on; stops where none can be."""
    for _ in range(MOST_BOXES):
        header = read_at(file, start, 16)
        if start + 8 > end or len(header) < 8:
            return
        size, kind = struct.unpack(">I4s", header[:8])
        body = start + 8
        if size == 1 and len(header) == 16:
            (size,) = struct.unpack(">Q", header[8:])
            body = start + 16
        stop = start + size if size else end
        if stop < body or stop > 1 << 62:
            return
        yield Box(kind, body, stop)
        start = stop


def inside(file: BinaryIO, box: Box) -> Iterator[Box]:
    """The boxes in this one. None ends behind it, whatever it claims: of a thousand that all claim the rest
    of the file each would be gone through to its end.
    """
    for child in boxes(file, box.start, box.end):
        yield Box(child.kind, child.start, min(child.end, box.end))


def top_boxes(file: BinaryIO, size: int) -> list[Box]:
    """Those of the file itself; none where it is no such file."""
    found = list(boxes(file, 0, size))
    return found if found and found[0].kind in _FIRST else []


def brands(file: BinaryIO, top: list[Box]) -> list[bytes]:
    """What the file says that it is: the major brand, then those that it is compatible with."""
    if not top or top[0].kind != b"ftyp":
        return []
    data = read_at(file, top[0].start, min(top[0].end - top[0].start, 1024))
    return [data[:4], *(data[place : place + 4] for place in range(8, len(data) - 3, 4))]


def sample_entries(file: BinaryIO, moov: Box) -> Iterator[Box]:
    """How each track's samples are stored: a box for each, called as the codec or its protection."""
    for track in inside(file, moov):
        if track.kind == b"trak" and (table := _sample_table(file, track)):
            yield from boxes(file, table.start + 8, table.end)


def _sample_table(file: BinaryIO, box: Box) -> Box | None:
    for kind in _TO_SAMPLES:
        found = next((child for child in inside(file, box) if child.kind == kind), None)
        if found is None:
            return None
        box = found
    return box
