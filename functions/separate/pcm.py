"""The recording as a file of plain samples, and stems out of such files into WAV.

Long recordings pass through files of float32, ``(frames, channels)``, so that memory stays bounded
whatever their length. Rates are changed by soxr in streams, whose output lines up with its input.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from shared.contracts.step_engine import Job
from shared.errors import UnsupportedMedia, ValidationError
from shared.media.decode import audio_blocks

Samples = NDArray[np.float32]
SampleFormat = Literal["int24", "float32"]

LONGEST_S = 3 * 3600
MOST_CHANNELS = 8
BLOCK_FRAMES = 1 << 16
_QUALITY = "VHQ"
_WAV_BYTES = (1 << 32) - (1 << 20)
_PCM, _FLOAT = 1, 3


@dataclass(frozen=True)
class Plain:
    """A file of float32 samples, interleaved."""

    path: Path
    frames: int
    channels: int
    rate_hz: int

    def blocks(self) -> Iterator[Samples]:
        """All of it, ``(frames, channels)`` at a time."""
        size = BLOCK_FRAMES * self.channels
        with self.path.open("rb") as file:
            while (block := np.fromfile(file, "<f4", size)).size:
                yield block.reshape(-1, self.channels)


def decode(job: Job) -> Plain:
    """The recording at its own rate, with its own channels; more than eight are mixed to one.

    Raises ``UnsupportedMedia`` where there is no sound, ``ValidationError`` for
    one that is too long, and what decoding raises.
    """
    path = job.workdir / "source.f32"
    many = job.media.has_audio and job.media.heard.channels > MOST_CHANNELS
    channels = 1 if many else None
    with audio_blocks(job.source, job.media, channels=channels) as blocks, path.open("wb") as file:
        most = longest_frames(blocks.sample_rate_hz, blocks.channels)
        for block in blocks:
            if blocks.frames > most:
                limit_ms = 1000 * most // blocks.sample_rate_hz
                raise ValidationError(
                    "duration_ms", f"exceeds the maximum allowed, {limit_ms:,} ms, for separation"
                )
            file.write(block.tobytes())
            job.progress(0.0)
    if not blocks.frames:
        raise UnsupportedMedia("it holds no sound")
    return Plain(path, blocks.frames, blocks.channels, blocks.sample_rate_hz)


def longest_frames(rate_hz: int, channels: int) -> int:
    """How long a recording may be: three hours, and no stem larger than a WAV file can be."""
    return min(LONGEST_S * rate_hz, _WAV_BYTES // (4 * channels))


def at_rate(source: Plain, rate_hz: int, path: Path) -> Plain:
    """The same sound at another rate; the very file where that is its own."""
    if rate_hz == source.rate_hz:
        return source
    frames = 0
    with path.open("wb") as file:
        resampler = Resampler(source.rate_hz, rate_hz, source.channels)
        for block in resampled(source.blocks(), resampler):
            frames += len(block)
            file.write(block.tobytes())
    return Plain(path, frames, source.channels, rate_hz)


class Resampler:
    """A stream from one rate to another; the same samples where they are equal."""

    def __init__(self, from_hz: int, to_hz: int, channels: int) -> None:
        import soxr  # here, for the API imports this module and never resamples

        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality=_QUALITY)
        )

    def feed(self, block: Samples, *, last: bool = False) -> Samples:
        """What is ready after ``block``."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(np.ascontiguousarray(block), last=last))


def resampled(blocks: Iterator[Samples], resampler: Resampler) -> Iterator[Samples]:
    """All blocks through ``resampler``, to the last sample."""
    channels = 1
    for block in blocks:
        channels = block.shape[1]
        yield resampler.feed(block)
    yield resampler.feed(np.zeros((0, channels), np.float32), last=True)


def level(source: Plain, columns: Sequence[int]) -> tuple[float, float]:
    """Mean and standard deviation of the columns' mean: by these demucs normalises a recording."""
    count, total = 0, 0.0
    for block in source.blocks():
        count += len(block)
        total += float(block[:, columns].mean(axis=1, dtype=np.float64).sum())
    mean, squares = total / max(1, count), 0.0
    for block in source.blocks():
        centred = block[:, columns].mean(axis=1, dtype=np.float64) - mean
        squares += float(np.square(centred).sum())
    return mean, float(np.sqrt(squares / max(1, count - 1)))


@dataclass(frozen=True)
class Written:
    """A stem's WAV."""

    path: Path
    sample_format: SampleFormat
    peak_dbfs: float | None
    """``None``: digital silence."""
    pcm_sha256: str
    """Of the file's samples, as they are stored: its ``data`` chunk."""


def write_wav(plain: Plain, path: Path) -> Written:
    """24 bits, or float where a sample lies beyond full scale and integers would clip it.

    An own writer, for libsndfile stamps the time into float files. Layout: ``fmt``, ``data`` (RIFF,
    Microsoft and IBM, 1991).
    """
    peak = max((float(np.abs(block).max(initial=0.0)) for block in plain.blocks()), default=0.0)
    sample_format: SampleFormat = "int24" if peak < 1.0 else "float32"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        _write_header(file, plain, sample_format)
        for block in plain.blocks():
            data = block.tobytes() if sample_format == "float32" else _int24(block)
            digest.update(data)
            file.write(data)
        if file.tell() % 2:
            file.write(b"\0")
    peak_dbfs = round(20 * float(np.log10(peak)), 2) if peak > 0 else None
    return Written(path, sample_format, peak_dbfs, digest.hexdigest())


def _write_header(file: BinaryIO, plain: Plain, sample_format: SampleFormat) -> None:
    kind, bits = (_PCM, 24) if sample_format == "int24" else (_FLOAT, 32)
    frame_bytes = plain.channels * bits // 8
    size = plain.frames * frame_bytes
    form = (kind, plain.channels, plain.rate_hz, plain.rate_hz * frame_bytes, frame_bytes, bits)
    file.write(b"RIFF" + struct.pack("<I", 36 + size + size % 2) + b"WAVEfmt ")
    file.write(struct.pack("<IHHIIHH", 16, *form) + b"data" + struct.pack("<I", size))


def _int24(block: Samples) -> bytes:
    whole = np.rint(block.astype(np.float64) * (1 << 23))
    # Just below full scale there is nothing to round up to.
    whole = np.minimum(whole, (1 << 23) - 1).astype("<i4")
    return bytes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
