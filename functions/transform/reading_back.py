"""A WAV that ffmpeg wrote for us, read back: its highest sample, and excerpts for the audition picture.

Integers are compared as they lie in the file: turning all of them into floats first takes five times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shared.errors import BackendFailed

WINDOW_FRAMES = 4096
"""85 ms at 48 kHz, so 12 Hz from bin to bin. Longer ones tell bass apart better, and are fewer."""
_BLOCK_FRAMES = 16 * WINDOW_FRAMES

Windows = NDArray[np.float32]
"""``(windows, WINDOW_FRAMES, channels)``."""

_READ_AS = {
    "pcm_s24le": ("<i4", 3),
    "pcm_s32le": ("<i4", 4),
    "pcm_f32le": ("<f4", 4),
    "pcm_f64le": ("<f8", 8),
}
"""ffmpeg's encoder -> what its samples are read as, and the bytes of one. One of three bytes is read as four
from the byte before it on: the lowest is its neighbour's, and changes no order."""
_FULL = 2.0**31


def read_back(path: Path, codec: str, channels: int, window_step: int) -> tuple[float, Windows]:
    """The highest sample (1: full scale; NaN where any is), and every so many windows one.

    Raises ``BackendFailed`` where it is no WAV, or an empty one.
    """
    highest, kept, seen = 0.0, [], 0
    size = _READ_AS[codec][1]
    for block in _stored(path, codec, channels):
        most, least = _numbers(np.stack([block.max(), block.min()]), size)
        highest = float(np.max([highest, most, -least]))
        windows = as_windows(block)
        kept.append(_numbers(windows[-seen % window_step :: window_step], size).astype(np.float32))
        seen += len(windows)
    if not kept:
        raise BackendFailed("ffmpeg", "no sound came out of it")
    return highest, np.concatenate(kept)


def as_windows(samples: NDArray[Any]) -> NDArray[Any]:
    """Whole windows of ``(samples, channels)``; what is shorter than one is filled up to one."""
    if len(samples) < WINDOW_FRAMES:
        samples = np.pad(samples, ((0, WINDOW_FRAMES - len(samples)), (0, 0)))
    whole = samples[: len(samples) - len(samples) % WINDOW_FRAMES]
    return whole.reshape(-1, WINDOW_FRAMES, samples.shape[1])


def _stored(path: Path, codec: str, channels: int) -> Iterator[NDArray[Any]]:
    """Blocks of ``(samples, channels)`` as ``_READ_AS`` has them, each gone when the next one comes.

    What is no whole frame at the end is left out. Raises ``BackendFailed`` where there is no file.
    """
    read_as, size = _READ_AS[codec]
    before = np.dtype(read_as).itemsize - size
    buffer = bytearray(before + _BLOCK_FRAMES * channels * size)
    if not path.exists():
        raise BackendFailed("ffmpeg", "it wrote no WAV")
    with path.open("rb") as file, memoryview(buffer)[before:] as room:
        _find_data(file)
        while frames := file.readinto(room) // (channels * size):
            yield np.ndarray((frames, channels), read_as, buffer, 0, (channels * size, size))


def _find_data(file: BinaryIO) -> None:
    """Go to where the samples begin; they are the last that ffmpeg writes."""
    if file.read(12)[8:] == b"WAVE":
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"data":
                return
            file.seek(length + length % 2, 1)
    raise BackendFailed("ffmpeg", "it wrote no WAV")


def _numbers(stored: NDArray[Any], size: int) -> NDArray[np.floating]:
    """Full scale at 1: floats as they are, integers as float64, of three bytes without their neighbour's."""
    if stored.dtype.kind == "f":
        return stored
    return (stored & -256 if size == 3 else stored) / _FULL
