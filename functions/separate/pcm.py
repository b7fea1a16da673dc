"""The recording as a file of plain samples, and stems out of such files into WAV.

Long recordings pass through files of float32, ``(frames, channels)``, so that memory stays bounded
whatever their length. Rates are changed by soxr in streams, whose output lines up with its input.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from shared.contracts.step_engine import Job
from shared.errors import UnsupportedMedia, ValidationError
from shared.media.decode import AudioBlocks, audio_blocks
from shared.sound.riff import format_chunks

Samples = NDArray[np.float32]
SampleFormat = Literal["int24", "float32"]

LONGEST_S = 3 * 3600
MOST_CHANNELS = 8
"""Four pairs for the model, as 7.1 has them: each pair is one pass through it."""
BLOCK_FRAMES = 1 << 16
"""1.5 s at 44.1 kHz: what is held of a file while it is read."""
_QUALITY = "VHQ"
"""soxr's "very high quality" (28 bits), finer than the 24 that are written."""
_WAV_BYTES = (1 << 32) - (1 << 20)
"""RIFF counts its bytes in 32 bits; a MiB of them is left for headers."""


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


@contextmanager
def opened(job: Job) -> Iterator[AudioBlocks]:
    """The recording at its own rate, with its own channels; more than eight are mixed to one."""
    many = job.media.has_audio and job.media.heard.channels > MOST_CHANNELS
    with audio_blocks(job.source, job.media, channels=1 if many else None) as blocks:
        yield blocks


def heard(job: Job, blocks: AudioBlocks) -> Iterator[Samples]:
    """All of it, ``(frames, channels)`` at a time.

    Raises ``UnsupportedMedia`` where there is no sound, ``ValidationError`` for
    one that is too long, and what decoding raises.
    """
    most = longest_frames(blocks.sample_rate_hz, blocks.channels)
    for block in blocks:
        if blocks.frames > most:
            limit_ms = 1000 * most // blocks.sample_rate_hz
            raise ValidationError(
                "duration_ms",
                f"exceeds the maximum allowed, {limit_ms:,} ms, for separation: cut it into shorter files",
            )
        job.progress(0.0)
        yield block
    if not blocks.frames:
        raise UnsupportedMedia("it holds no sound")


def decode(job: Job) -> Plain:
    """The recording as plain samples. Raises as ``heard`` does."""
    path = job.workdir / "source.f32"
    with opened(job) as blocks, path.open("wb") as file:
        for block in heard(job, blocks):
            file.write(block.tobytes())
    return Plain(path, blocks.frames, blocks.channels, blocks.sample_rate_hz)


def longest_frames(rate_hz: int, channels: int) -> int:
    """How long a recording may be: three hours, and no stem larger than a WAV file can be."""
    return min(LONGEST_S * rate_hz, _WAV_BYTES // (4 * channels))


class Resampler:
    """A stream from one rate to another; the same samples where they are equal.

    ``channels`` columns share it: any signals of one rate. By libsoxr, linear phase.
    """

    def __init__(self, from_hz: int, to_hz: int, channels: int) -> None:
        import soxr  # here, for the API imports this module and never resamples

        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality=_QUALITY)
        )

    def feed(self, block: Samples, *, last: bool = False) -> Samples:
        """What is ready after ``block``, ``(frames, channels)``: it lags, and ``last`` gives the rest."""
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


class Level:
    """Mean and standard deviation of two columns' mean, block by block: by these demucs normalises.

    T. Chan, G. Golub and R. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances", Stanford STAN-CS-79-773, 1979, equation 2.1.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = list(columns)
        self._count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, block: Samples) -> None:
        """More of the recording, ``(frames, channels)``."""
        mono = block[:, self._columns].mean(axis=1, dtype=np.float64)
        if not len(mono):
            return
        mean, count = float(mono.mean()), self._count + len(mono)
        apart = mean - self.mean
        self._squares += float(np.square(mono - mean).sum())
        self._squares += apart * apart * self._count * len(mono) / count
        self.mean += apart * len(mono) / count
        self._count = count

    @property
    def deviation(self) -> float:
        """The sample's (divided by one less than the count, as torch has it); 0 for silence or one frame."""
        return float(np.sqrt(self._squares / max(1, self._count - 1)))


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

    An own writer, for libsndfile stamps the time into float files. Layout: ``fmt``, of floats ``fact``,
    ``data`` (``shared.sound.riff``).
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
    floats = sample_format == "float32"
    bits = 32 if floats else 24
    size = plain.frames * plain.channels * bits // 8
    form = format_chunks(plain.rate_hz, plain.channels, bits, plain.frames, floats=floats)
    after = len(b"WAVE") + len(form) + 8 + size + size % 2
    file.write(b"RIFF" + struct.pack("<I", after) + b"WAVE" + form)
    file.write(b"data" + struct.pack("<I", size))


def _int24(block: Samples) -> bytes:
    """Little endian, rounded to the nearest, undithered; ``block`` lies within -1 and 1."""
    whole = np.rint(block.astype(np.float64) * (1 << 23))
    # Just below full scale there is nothing to round up to.
    whole = np.minimum(whole, (1 << 23) - 1).astype("<i4")
    return bytes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
