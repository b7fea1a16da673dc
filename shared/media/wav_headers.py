"""WAV headers that ffmpeg 5.1 takes for something else, or cannot follow.

RIFX                       the byte order of RIFF turned around; ffmpeg reads its samples as RIFF's
24 bits in 32 (extensible) taken for a floating-point format of the nineties; the samples stand in
                           the upper bits (Microsoft, "Multiple channel audio data and WAVE files")
no fill byte               behind a chunk of an odd length, so that all behind it lies a byte too early
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_CHUNKS = 64
_ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
_USUAL = {b"fmt ", b"data", b"fact", b"LIST", b"bext", b"iXML", b"JUNK", b"cue ", b"smpl", b"PEAK"}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True)
class WavForm:
    """How a WAV file's samples must be read."""

    decoder: str
    """ffmpeg's name."""
    bits: int
    """Those that count."""


def misread_form(path: Path) -> WavForm | None:
    """How to read the samples where ffmpeg would not; ``None``: it knows, or it is no such file."""
    with path.open("rb") as file:
        for name, length, order in chunks(file):
            if name == b"fmt ":
                return _form(file.read(min(length, 40)), order)
    return None


def unfilled_chunk(path: Path) -> str | None:
    """The name of a chunk of an odd length behind which the next one begins at once, without a fill byte."""
    with path.open("rb") as file:
        for name, length, _ in chunks(file):
            if length % 2:
                file.seek(length, 1)
                if file.read(4) in _USUAL:
                    return name.decode("latin-1").strip()
    return None


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, str]]:
    """Name, length and byte order of a WAV's chunks, ``file`` at the beginning of each one's body."""
    head = file.read(12)
    order = _ORDERS.get(head[:4])
    if order is None or head[8:] != b"WAVE":
        return
    for _ in range(_MOST_CHUNKS):
        name, size = file.read(4), file.read(4)
        if len(size) < 4:
            return
        (length,) = struct.unpack(f"{order}I", size)
        begins = file.tell()
        yield name, length, order
        file.seek(begins + length + length % 2)


def _form(fmt: bytes, order: str) -> WavForm | None:
    if len(fmt) < 16:
        return None
    tag, channels, _, _, frame_bytes, bits = struct.unpack(f"{order}HHIIHH", fmt[:16])
    valid = bits
    extensible = tag == _EXTENSIBLE and len(fmt) >= 40
    if extensible:
        valid, _, tag = struct.unpack(f"{order}HIH", fmt[18:26])
        if order == "<" and fmt[26:40] != _GUID_TAIL:
            return None
    size = frame_bytes // channels if channels else 0
    turned = order == ">"
    if not (turned or (extensible and tag == _PCM and 8 * size != valid)):
        return None
    decoder = _decoder(tag, size, "be" if turned else "le")
    return WavForm(decoder, valid or bits) if decoder else None


def _decoder(tag: int, size: int, order: str) -> str | None:
    if tag == _PCM and size in (1, 2, 3, 4, 8):
        return "pcm_u8" if size == 1 else f"pcm_s{8 * size}{order}"
    if tag == _FLOAT and size in (4, 8):
        return f"pcm_f{8 * size}{order}"
    return None
