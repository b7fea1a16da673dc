"""Boxes and elements that claim what cannot be: no seek where none may be, no work beyond the file."""

from __future__ import annotations

import errno
import io
import os
import struct
import tracemalloc

import pytest

from shared.media.boxes import sample_entries, top_boxes
from shared.media.ebml import EBML, what_lacks
from shared.media.encrypted import locked

FTYP = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")
SEGMENT, TRACKS = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b"


class OnExt4(io.BytesIO):
    """A file where nobody may seek behind 16 TiB; counts what is read."""

    reads = 0

    def seek(self, place: int, whence: int = 0, /) -> int:
        if whence == 0 and place > 1 << 44:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return super().seek(place, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize("power", [45, 61])
def test_a_box_may_claim_more_than_a_disk_can_hold(power: int) -> None:
    """A recording with such a box at its end was refused as `OSError: [Errno 22] Invalid argument`."""
    file = OnExt4(FTYP + struct.pack(">I4sQ", 1, b"mdat", 1 << power) + bytes(100))
    assert [box.kind for box in top_boxes(file, 136)] == [b"ftyp", b"mdat"]


@pytest.mark.parametrize("size", [b"\x01" + b"\xfe" * 7, b"\x01\x00\x10" + bytes(5)])
def test_an_element_may_claim_more_than_a_disk_can_hold(size: bytes) -> None:
    data = EBML + b"\x80" + SEGMENT + size + bytes(100)
    assert locked(OnExt4(data), len(data), data, []) is None
    assert what_lacks(OnExt4(data), len(data)) is not None


def test_tracks_that_all_claim_the_rest_of_the_file_are_not_each_gone_through() -> None:
    """100 kB of them took 17 s, each time."""
    track = struct.pack(">I4sI4sQ", 24, b"trak", 1, b"mdia", 1 << 33) * 4000
    data = FTYP + struct.pack(">I4s", 8 + len(track), b"moov") + track
    file = OnExt4(data)
    (moov,) = [box for box in top_boxes(file, len(data)) if box.kind == b"moov"]
    assert list(sample_entries(file, moov)) == []
    assert file.reads < 20_000


def test_a_million_lists_of_tracks_take_no_memory() -> None:
    lists = (TRACKS + b"\x80") * 4000
    segment = SEGMENT + (len(lists) | 1 << 56).to_bytes(8, "big") + lists
    data = EBML + b"\x80" + segment * 60
    file = OnExt4(data)
    tracemalloc.start()
    try:
        assert locked(file, len(data), data[:100], []) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
