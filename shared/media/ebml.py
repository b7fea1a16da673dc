"""The elements of a Matroska or WebM file, as far as a refusal needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_MOST_ELEMENTS = 4096


def elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of each EBML element there, up to the first that holds media."""
    for _ in range(_MOST_ELEMENTS):
        file.seek(start)
        header = file.read(12)
        if start >= end or not header or not header[0]:
            return
        id_bytes = 9 - header[0].bit_length()
        coded = header[id_bytes : id_bytes + 1]
        if id_bytes > 4 or not coded or not coded[0]:
            return
        size_bytes = 9 - coded[0].bit_length()
        data = header[id_bytes : id_bytes + size_bytes]
        length = int.from_bytes(data, "big") & ((1 << 7 * size_bytes) - 1)
        unknown = length == (1 << 7 * size_bytes) - 1
        body = start + id_bytes + size_bytes
        identifier = int.from_bytes(header[:id_bytes], "big")
        if identifier == _CLUSTER:
            return
        yield identifier, body, end if unknown else min(body + length, end)
        if unknown:
            return
        start = body + length
