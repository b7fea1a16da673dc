"""Sound that is made here, on its way into an ffmpeg through a pipe: float32."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
"""``(channels, frames)``."""


def raw_input(fd: int, shape: tuple[int, int], layout: str | None = None) -> list[str]:
    """ffmpeg's words that open what ``fed`` gives; ``shape``: sample rate and channels."""
    rate, channels = shape
    known = re.fullmatch(r"[0-9a-z.()]+", layout or "")
    kept = ("-channel_layout", str(layout)) if known else ("-ac", f"{channels}")
    raw = ("-f", "f32le", "-ar", f"{rate}", *kept)
    return ["-protocol_whitelist", "pipe", *raw, "-i", f"pipe:{fd}"]


@contextmanager
def fed(blocks: Iterator[Signal]) -> Iterator[int]:
    """The end of a pipe from which a child reads the blocks, interleaved.

    Raises what went wrong in making them rather than what the child made of their lack.
    """
    read_fd, write_fd = os.pipe()
    with ThreadPoolExecutor(1, "limit") as pool:
        feeding = pool.submit(_feed, blocks, write_fd)
        try:
            yield read_fd
        finally:
            os.close(read_fd)  # a feeder that the child no longer hears is told so
            error = feeding.exception()
            if error is not None and not isinstance(error, BrokenPipeError):
                raise error


def _feed(blocks: Iterator[Signal], fd: int) -> None:
    with open(fd, "wb", buffering=0) as pipe:
        for signal in blocks:
            left = np.ascontiguousarray(signal.T).data.cast("B")
            while left:
                left = left[pipe.write(left) :]
