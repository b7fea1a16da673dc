"""A piece of an upload on a disk that is full: what is kept is what was sent, from its beginning."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from functions.api.upload_pieces import Piece
from shared.errors import Unavailable

BLOCK = 1 << 20
DATA = os.urandom(3 * BLOCK)


async def sent() -> AsyncIterator[bytes]:
    for start in range(0, len(DATA), BLOCK):
        yield DATA[start : start + BLOCK]


def test_a_disk_that_is_full_for_a_moment_leaves_nothing_twice() -> None:
    """Half of a block was written when it was full, and room came with the very next write."""

    class Full(io.BytesIO):
        writes = 0

        def write(self, data: Any, /) -> int:
            self.writes += 1
            if self.writes == 2:
                super().write(bytes(data)[: BLOCK // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    file = Full()
    with pytest.raises(Unavailable, match="No space left"):
        anyio.run(Piece(len(DATA), range(len(DATA))).receive, file, sent())
    assert file.getvalue() == DATA[: BLOCK + BLOCK // 2]
