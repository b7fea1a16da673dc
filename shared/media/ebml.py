"""The elements of a Matroska or WebM file, as far as a refusal needs them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from shared.media.boxes import read_at

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_CLUSTER_BYTES = b"\x1f\x43\xb6\x75"
_SIMPLE_BLOCK = 0xA3
_MOST_ELEMENTS = 4096


def elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of each EBML element there, up to the first that holds media."""
    for _ in range(_MOST_ELEMENTS):
        header = read_at(file, start, 12)
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


def what_lacks(file: BinaryIO, size: int) -> str | None:
    """Of a WebM or Matroska file that nothing could be read of: what it lacks, and what to do.

    Browsers' recorders hand a recording out in parts, of which the first alone says what is in them.
    """
    file.seek(0)
    head = file.read(_LOOKED_AT_BYTES)
    if not head.startswith(EBML) and (at := head.find(EBML)) > 0 and b"webm" in head[at : at + 64]:
        return (
            f"it is WebM whose beginning lies {at:,} bytes behind the file's: its parts were joined in "
            "another order than they were recorded in. Join them in that order and upload the whole"
        )
    if head.startswith(_CLUSTER_BYTES) or _begins_with_a_block(file, size):
        return (
            "it is a later part of a WebM or Matroska recording, as browsers' recorders hand them out, "
            "without the beginning that says what is in it: join all parts from the first on and upload "
            "the whole"
        )
    if head.startswith(EBML) and size < _LOOKED_AT_BYTES and _CLUSTER_BYTES not in head:
        return (
            "it holds the beginning of a WebM or Matroska recording, and neither sound nor pictures: the "
            "recorder was stopped before it had any. Record it again"
        )
    return None


_LOOKED_AT_BYTES = 1 << 20


def _begins_with_a_block(file: BinaryIO, size: int) -> bool:
    """Are the first two elements blocks of a cluster?"""
    found = [identifier for identifier, _, _ in islice(elements(file, 0, size), 2)]
    return found == [_SIMPLE_BLOCK, _SIMPLE_BLOCK]
