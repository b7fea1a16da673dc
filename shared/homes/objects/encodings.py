"""Objects that are stored compressed: ``Content-Encoding: gzip`` is of the transport, not of the file.

Stores hand over what they hold; it is decoded here, once for all of them, while it is fetched. The
label is no promise: bytes that are not gzip in spite of it are taken as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.errors import UnsupportedMedia
from shared.homes.objects import BLOCK_BYTES

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_NONE = {"", "identity", "aws-chunked"}
"""``aws-chunked`` is what S3's clients upload with; some servers keep the word."""


def encoding_of(content_encoding: str) -> str:
    """``gzip`` or ``""``; raises ``UnsupportedMedia`` for any other encoding, and for several."""
    words = (word.strip().lower() for word in content_encoding.split(","))
    named = [word for word in words if word not in _NONE]
    if named not in ([], ["gzip"], ["x-gzip"]):
        raise UnsupportedMedia(
            f"it is stored with Content-Encoding {content_encoding[:40]!r}: upload it as it is, or as gzip"
        )
    return "gzip" if named else ""


def most_stored_bytes(max_bytes: int) -> int:
    """So many may be stored of an encoded object that has ``max_bytes``: deflate adds a little."""
    return max_bytes + (max_bytes >> 10) + 1024


@dataclass
class Stored:
    """The blocks of an object as it is stored, and how many bytes have come."""

    blocks: Iterable[bytes]
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks:
            self.size += len(block)
            yield block

    def gunzipped(self) -> Iterator[bytes]:
        """The decoded bytes, in blocks of ``BLOCK_BYTES`` at most: a bomb is only as large as its
        reader allows. Raises ``UnsupportedMedia`` where they are cut off or damaged.
        """
        blocks = iter(self)
        head = _first_bytes(blocks, len(_MAGIC))
        if not head.startswith(_MAGIC):
            yield head
            yield from blocks
            return
        try:
            yield from _members(head, blocks)
        except (zlib.error, EOFError):
            for _ in blocks:  # to the end, where the store says whether it all came as it is there
                pass
            raise UnsupportedMedia(
                "its gzip encoding (Content-Encoding) is cut off or damaged: upload it again"
            ) from None


def _first_bytes(blocks: Iterator[bytes], count: int) -> bytes:
    head = b""
    while len(head) < count and (block := next(blocks, b"")):
        head += block
    return head


def _members(head: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Of one member after the other; what follows and is none is padding."""
    while head.startswith(_MAGIC):
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            if not head and not (head := next(blocks, b"")):
                raise EOFError
            if data := member.decompress(head, BLOCK_BYTES):
                yield data
            head = member.unconsumed_tail
        head = member.unused_data
        if len(head) < len(_MAGIC):
            head += _first_bytes(blocks, len(_MAGIC))
    for _ in blocks:
        pass
