"""Sound that is made here, on its way into an ffmpeg through a pipe: float."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.media.layouts import layout_words
from shared.processes import widen

Samples = NDArray[Any]
"""``(samples, channels)``, float32 or float64."""

RAW_FORMATS = {"float32": "f32le", "float64": "f64le"}
"""Sample type -> what ffmpeg calls it, raw."""


def raw_input(
    fd: int, shape: tuple[int, int], layout: str | None = None, sample_type: str = "float32"
) -> list[str]:
    """ffmpeg's words that open what ``fed`` gives; ``shape``: sample rate and channels.

    Without a layout more than two channels are equals: ffmpeg must not guess an LFE among them.
    """
    rate, channels = shape
    words = layout_words(layout, channels)
    kept = ("-channel_layout", words) if words else ("-ac", f"{channels}")
    raw = ("-guess_layout_max", "2", "-f", RAW_FORMATS[sample_type], "-ar", f"{rate}", *kept)
    return ["-protocol_whitelist", "pipe", *raw, "-i", f"pipe:{fd}"]


@contextmanager
def fed(blocks: Iterator[Samples]) -> Iterator[int]:
    """The end of a pipe from which a child reads the blocks, interleaved.

    Raises what went wrong in making them rather than what the child made of their lack.
    """
    read_fd, write_fd = os.pipe()
    widen(write_fd)
    with ThreadPoolExecutor(1, "limit") as pool:
        feeding = pool.submit(copy_context().run, _feed, blocks, write_fd)
        try:
            yield read_fd
        finally:
            os.close(read_fd)  # a feeder that the child no longer hears is told so
            error = feeding.exception()
            if error is not None and not isinstance(error, BrokenPipeError):
                raise error


def _feed(blocks: Iterator[Samples], fd: int) -> None:
    with open(fd, "wb", buffering=0) as pipe:
        for block in blocks:
            left = np.ascontiguousarray(block).data.cast("B")
            while left:
                left = left[pipe.write(left) :]
