"""One piece of an upload: which bytes a request brings, and putting them behind those that are here.

Content-Range: bytes 0-9/20    those ten
Content-Range: bytes */20      none: how much is here?
no Content-Range               all of them, or the request is refused
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import anyio.to_thread

from shared.errors import Conflict, ValidationError
from shared.homes.objects.files import disk_errors

_BLOCK_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19})")


@dataclass(frozen=True)
class Piece:
    """What one request brings of an upload of ``size`` bytes."""

    size: int
    span: range | None
    """Which bytes; ``None``: none, it only asks how much is here."""
    stated: bool = True
    """Did the request say which? Otherwise it must bring all of them."""

    @staticmethod
    def announced(headers: Mapping[str, str], size: int) -> Piece:
        """As the headers say (names in lower case). Raises ``ValidationError`` for what cannot be of this
        upload.
        """
        header = headers.get("content-range")
        if header is None:
            whole = Piece(size, range(size), stated=False)
            length = headers.get("content-length", "")
            if length.isdigit() and int(length) < size:
                raise whole.cut_short(int(length))
            return whole
        found = _CONTENT_RANGE.fullmatch(header.strip())
        if found is None:
            raise ValidationError(
                "Content-Range", "must be 'bytes FIRST-LAST/SIZE' or 'bytes */SIZE'"
            )
        if int(found[3]) != size:
            raise ValidationError("Content-Range", f"the upload was begun with {size} bytes")
        if found[1] is None:
            return Piece(size, None)
        span = range(int(found[1]), int(found[2]) + 1)
        if not span or span.stop > size:
            raise ValidationError("Content-Range", "its bytes do not lie inside the upload")
        return Piece(size, span)

    def cut_short(self, brought: int) -> ValidationError:
        """Of a request that brings a part and does not say which: any place for it would be a guess."""
        return ValidationError(
            "Content-Range",
            f"is missing: without it a PUT brings all {self.size} bytes, and this one brings {brought}."
            f" Say which they are ('bytes FIRST-LAST/{self.size}'),"
            f" or ask how much is here ('bytes */{self.size}')",
        )

    async def receive(self, file: BinaryIO, blocks: AsyncIterator[bytes]) -> int:
        """Write what comes behind what is here; returns how much is here now.

        Raises ``Conflict`` for a piece that leaves a gap, ``ValidationError`` for more bytes than said, and
        for fewer where nothing was said; of these none is kept. ``Unavailable`` where the disk is full.
        """
        here = file.seek(0, 2)
        if self.span is None:
            return here
        if self.span.start > here:
            raise Conflict(f"{here} bytes are here: go on from there")
        if len(self.span) == self.size:  # the whole once more
            file.truncate(0)
            here = 0
        skip, buffer = here - self.span.start, bytearray()
        left = len(self.span)

        async def write() -> None:
            block = bytes(buffer)
            buffer.clear()  # first: what fails half way is not written once more below
            with disk_errors():
                await anyio.to_thread.run_sync(file.write, block)

        try:
            async for block in blocks:
                left -= len(block)
                if left < 0:
                    raise ValidationError("body", "brings more bytes than it said")
                buffer += block[skip:]
                skip = max(0, skip - len(block))
                if len(buffer) >= _BLOCK_BYTES:
                    await write()
        finally:  # also of a connection that breaks: the sender goes on from here
            with disk_errors():
                if left >= 0 and buffer:
                    file.write(buffer)
                file.flush()
        if left and not self.stated:
            file.truncate(0)
            raise self.cut_short(self.size - left)
        return file.tell()


def range_of(received: int) -> dict[str, str]:
    """The header that says how much is here; none where nothing is."""
    return {"Range": f"bytes=0-{received - 1}"} if received else {}
