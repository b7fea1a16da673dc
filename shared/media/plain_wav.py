"""The samples of a WAV that hold nothing to decode, read as they lie there.

Starting ffmpeg takes as long as decoding 30 s of sound, and its samples come through a pipe as floats, twice
what the file holds. A WAV of plain PCM, whose header is as every recorder writes it, needs neither: its
numbers are read here, and nothing else is. Any other file, also one that is cut off or goes on behind its
samples, is ffmpeg's; where both can read it, they give the same samples.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from shared.contracts.asset import AudioStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CODECS = {
    "pcm_u8": ("u1", 1),
    "pcm_s16le": ("<i2", 2),
    "pcm_s24le": ("<i4", 3),
    "pcm_s32le": ("<i4", 4),
}
"""ffmpeg's decoder -> what samples are read as, and the bytes of one. One of three bytes is read as the upper
three of four."""
_PCM, _EXTENSIBLE = 1, 0xFFFE
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
_MOST_CHUNKS = 64
_MOST_BEHIND = 1 << 20
"""Bytes behind the samples that are looked through: what is more may be more samples."""
_MOST_FMT = 40


@dataclass(frozen=True)
class Stored:
    """Where a WAV's samples lie, and what they are."""

    path: Path
    start: int
    """Byte of the first one."""
    frames: int
    channels: int
    codec: str

    def blocks(self, block_frames: int, sample_type: str) -> Iterator[NDArray[Any]]:
        """``(block_frames, channels)`` each, the last one shorter; full scale is 1."""
        import numpy as np

        read_as, size = _CODECS[self.codec]
        before = np.dtype(read_as).itemsize - size
        buffer = bytearray(before + block_frames * self.channels * size)
        with self.path.open("rb") as file, memoryview(buffer)[before:] as room:
            file.seek(self.start)
            left = self.frames
            while left:
                frames = min(left, file.readinto(room) // (self.channels * size))
                if not frames:
                    return  # it was cut off since its header was read
                left -= frames
                shape, steps = (frames, self.channels), (self.channels * size, size)
                yield _scaled(np.ndarray(shape, read_as, buffer, 0, steps), size, sample_type)


def _scaled(stored: NDArray[Any], size: int, sample_type: str) -> NDArray[Any]:
    if size == 3:
        stored = stored & -256  # the lowest byte is its neighbour's
    samples: NDArray[Any] = stored.astype(sample_type)
    if size == 1:
        samples -= 128
    full_scale = 1 << (8 * stored.itemsize - 1)
    samples *= samples.dtype.type(1 / full_scale)
    return samples


def stored_samples(path: Path, stream: AudioStream) -> Stored | None:
    """Where the stream's samples lie; ``None``: ffmpeg is to read them."""
    if stream.codec not in _CODECS or stream.decoder:
        return None
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        size = path.stat().st_size
        form = None
        for _ in range(_MOST_CHUNKS):
            name, length = _chunk(file)
            if name == b"fmt ":
                form = file.read(min(length, _MOST_FMT))
                file.seek(length - len(form), 1)
            elif name == b"data":
                return _found(file, path, stream, form, length, size)
            elif name in (b"", b"SMV0"):
                return None
            else:
                file.seek(length, 1)
            file.seek(length % 2, 1)
    return None


def _chunk(file: BinaryIO) -> tuple[bytes, int]:
    head = file.read(8)
    return (head[:4], struct.unpack("<I", head[4:])[0]) if len(head) == 8 else (b"", 0)


def _found(
    file: BinaryIO, path: Path, stream: AudioStream, form: bytes | None, length: int, size: int
) -> Stored | None:
    """``file`` stands at the first of ``length`` bytes of samples, in a file of ``size``."""
    frame_bytes = stream.channels * _CODECS[stream.codec][1]
    start = file.tell()
    behind = size - start - length
    whole = length > 0 and length % frame_bytes == 0 and 0 <= behind <= _MOST_BEHIND
    if form is None or not whole or not _agrees(form, stream, frame_bytes):
        return None
    file.seek(length, 1)
    if b"data" in file.read(behind):
        return None
    return Stored(path, start, length // frame_bytes, stream.channels, stream.codec)


def _agrees(form: bytes, stream: AudioStream, frame_bytes: int) -> bool:
    """Does the header say what probing found by decoding?"""
    if len(form) < 16:
        return False
    tag, channels, rate_hz, _, block_bytes, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE:
        tag = _PCM if form[24:40] == _PCM_GUID else 0
    told = (tag, channels, rate_hz, block_bytes, 8 * block_bytes)
    return told == (
        _PCM,
        stream.channels,
        stream.sample_rate_hz,
        frame_bytes,
        bits * stream.channels,
    )
