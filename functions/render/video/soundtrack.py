"""The sound of a rendering: the same windows, cut to the sample, as one file for the encoder.

For ``cuts`` that somebody placed, with hard edges, and for all of a recording; what an edit list leaves
has seams, and is made by ``functions.render.cut``. Windows that follow one another in the recording
are read in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from functions.render.video.rendered_windows import Window
from functions.render.video.shown_windows import ascending
from shared.contracts.asset import MediaInfo
from shared.media.decode import audio_blocks

RATE_HZ = 48_000
"""Of a rendering's sound, whatever the recording's: what is usual beside pictures."""


def write_sound(path: Path, source: Path, media: MediaInfo, windows: Sequence[Window]) -> int:
    """Raw float samples, little-endian, interleaved; returns the number of channels, at most 2.

    Each window has exactly its length: where the recording's sound ends earlier, silence follows. Its start
    and end in the rendering are rounded to samples, not its length, so nothing adds up. Memory holds a
    block. Raises as ``audio_blocks`` does.
    """
    channels = min(2, media.heard.channels)
    with path.open("wb") as file:
        for group in ascending(windows):
            _write_group(file, source, media, group, channels)
    return channels


def _write_group(
    file: IO[bytes], source: Path, media: MediaInfo, group: Sequence[Window], channels: int
) -> None:
    """One pass over the recording; ``group``: windows none of which begins before the last one's end."""
    with audio_blocks(source, media, sample_rate_hz=RATE_HZ, channels=channels) as blocks:
        pending = iter(blocks)
        first = 0
        block: NDArray[np.float32] | None = np.zeros((0, channels), np.float32)
        for window in group:
            at = _sample(window.source_start_ms)
            left = _sample(window.end_ms) - _sample(window.start_ms)
            while left > 0:
                while block is not None and at >= first + len(block):
                    first += len(block)
                    block = next(pending, None)
                if block is None:  # the sound has ended
                    file.write(bytes(4 * channels * left))
                    break
                part = block[at - first :][:left]
                file.write(part.astype("<f4").tobytes())
                at, left = at + len(part), left - len(part)


def _sample(time_ms: float) -> int:
    return round(time_ms * RATE_HZ / 1000)
