"""WAV, written block by block, with cue points and tags; and rounding to integers, dithered.

An own writer, for libsndfile stamps the time into float files and writes no cue points. Layout:
``fmt``, of floats ``fact``, ``data``, then ``cue`` with its labels and ``INFO`` (``shared.sound.riff``).
Samples are little-endian and interleaved. Sizes are written when the file is closed; they have 32 bits,
hence the limit of 4 GiB (RF64, which has none, is not written).

Dither is triangular and not shaped: the error's mean and power do not depend on the sound (Lipshitz,
Wannamaker and Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40, 1992).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from functions.render.audio.envelopes import Signal
from shared.errors import InputTooLarge
from shared.sound.riff import Cue, cue_chunks, format_chunks, info_chunk

FLOAT = 32
_MAX_BYTES = (1 << 32) - (1 << 20)
"""Of sound: a MiB of what 32 bits can say is left for the header, cue points and tags."""
_SEED = 0x5EED
"""Of the dither's noise; any number would do, as long as it is always the same."""


class WavWriter:
    """Writes ``(channels, frames)`` blocks as float (32), or as integers of 16 or 24 bits."""

    def __init__(self, path: Path, rate: int, channels: int, bits: int, frames: int) -> None:
        """``frames``: how many there will be. Raises ``InputTooLarge`` for more than WAV holds."""
        self._frame_bytes = channels * bits // 8
        size = frames * self._frame_bytes
        if size > _MAX_BYTES:
            raise InputTooLarge(
                _MAX_BYTES,
                size,
                "a WAV holds no more: mix a shorter timeline, or at a lower sample rate",
            )
        self._file: BinaryIO = path.open("wb")
        self._form = rate, channels, bits
        self._bits = bits
        self._bytes = 0
        self._file.write(self._header(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._file.closed:
            self.close()

    def write(self, signal: Signal | NDArray[np.int32]) -> None:
        """The next ``(channels, frames)``: floats for a float file, full scale 1 and not clipped; for the
        others whole numbers (see ``Rounding``), which must fit."""
        frames = np.ascontiguousarray(signal.T)
        if self._bits == FLOAT:
            data = frames.astype("<f4").tobytes()
        elif self._bits == 16:
            data = frames.astype("<i2").tobytes()
        else:
            data = frames.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        self._file.write(data)
        self._bytes += len(data)

    def close(
        self, markers: Sequence[tuple[int, str]] = (), tags: Mapping[str, str] | None = None
    ) -> None:
        """Finish the file. ``markers``: frame and name, in order; ``tags``: as ``info_chunk`` knows them.

        Leaving a ``with`` block closes it without either. The file is as long as what was written,
        whatever was announced.
        """
        self._file.write(b"\0" * (self._bytes % 2))
        cues = [Cue(frame, name) for frame, name in markers]
        self._file.write(cue_chunks(cues) + info_chunk(tags or {}))
        total = self._file.tell()
        self._file.seek(0)
        self._file.write(self._header(total - 8))
        self._file.close()

    def _header(self, size: int) -> bytes:
        """All before the sound, of as much as was written; ``size``: of what follows it in the file."""
        frames = self._bytes // self._frame_bytes
        form = format_chunks(*self._form, frames, floats=self._bits == FLOAT)
        head = b"RIFF" + struct.pack("<I", size) + b"WAVE"
        return head + form + b"data" + struct.pack("<I", self._bytes)


class Rounding:
    """Floats to whole numbers, with triangular dither of two steps' width where wanted.

    The noise comes from a generator with a fixed seed, sample after sample: the same master always
    has the same bytes, however it is cut into blocks.
    """

    def __init__(self, bits: int, *, dither: bool) -> None:
        self._top = 1 << (bits - 1)
        self._noise = np.random.Generator(np.random.PCG64(_SEED)) if dither else None

    def round(self, signal: Signal) -> NDArray[np.int32]:
        """``(channels, frames)``, full scale at 1; what is beyond it is cut off. Blocks follow each other.

        Each channel has noise of its own. From -2**(bits - 1) to one less than its opposite: 1.0 itself is
        rounded down by a step.
        """
        scaled = signal.astype(np.float64) * self._top
        if self._noise is not None:
            pairs = self._noise.random((signal.shape[1], len(signal), 2), dtype=np.float32)
            scaled += (pairs[..., 0] - pairs[..., 1]).T
        np.rint(scaled, out=scaled)
        return np.clip(scaled, -self._top, self._top - 1).astype(np.int32)
