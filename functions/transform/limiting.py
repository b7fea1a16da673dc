"""A recording at a gain, through the limiter, into a WAV, measured on the way.

    the recording -> decoded in blocks -> gain -> shared.audio's limiter -> ffmpeg -> WAV
                                                                              '--> ebur128

It is decoded once to be noted, millisecond by millisecond (``shared.audio.loudnorm``), which tells
the gain, and once more for each try. Samples are limited in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.transform.loudness import meter, metered
from functions.transform.sound import WAV_ARGS, Sound
from shared.audio.limiter import Limiter, Signal
from shared.audio.loudnorm import Notes
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step_engine import Job
from shared.errors import UnsupportedMedia
from shared.media.decode import BLOCK_FRAMES, AudioBlocks, audio_blocks
from shared.media.feed import fed, raw_input
from shared.media.ffmpeg_filters import check_filters

Progress = Callable[[float], None]

_METER_OUT = ("-map", "[meter]", "-f", "null", "-")


def noted(job: Job, progress: Progress) -> Notes:
    """What finding the gain needs to know of the recording."""
    stream = job.media.audio[0]
    notes = Notes(stream.sample_rate_hz, stream.channels)
    duration_frames = (job.media.duration_ms or 0) * stream.sample_rate_hz / 1000
    with audio_blocks(job.source, job.media) as blocks:
        for block in blocks:
            notes.add(block.T)
            progress(min(1.0, notes.frames / max(duration_frames, notes.frames, 1)))
    if blocks.replaced:
        raise UnsupportedMedia("its sound holds values that are not numbers")
    return notes


@dataclass(frozen=True)
class Limiting:
    """How loud it gets, and where the limiter stands."""

    gain_db: float
    threshold_dbtp: float
    frames: int

    def write(self, job: Job, sound: Sound, path: Path, progress: Progress) -> Loudness:
        """Write the limited recording; returns how loud ffmpeg finds it."""
        rate, channels = sound.stream.sample_rate_hz, sound.stream.channels
        graph = f"[0:0]asplit[out][heard];[heard]{meter(rate)}[meter]"
        check_filters(graph)
        with (
            audio_blocks(job.source, job.media) as blocks,
            fed(self._limited(blocks)) as source_fd,
        ):
            source = raw_input(source_fd, (rate, channels), sound.stream.channel_layout)
            out = ("-map", "[out]", "-c:a", sound.codec, *WAV_ARGS, path)
            return metered(
                ["-y", "-v", "info", *source, "-filter_complex", graph, *out, *_METER_OUT],
                timeout_s=3 * sound.timeout_s,
                pass_fds=(source_fd,),
                heard=lambda seconds: progress(min(1.0, seconds * rate / self.frames)),
            )

    def _limited(self, blocks: AudioBlocks) -> Iterator[Signal]:
        ahead = _Ahead(blocks, 10.0 ** (self.gain_db / 20.0))
        limiter = Limiter(ahead.read, self.threshold_dbtp, blocks.sample_rate_hz)
        for first in range(0, self.frames, BLOCK_FRAMES):
            yield limiter.process(first, min(first + BLOCK_FRAMES, self.frames))


class _Ahead:
    """Blocks that come one after the other, for a reader that looks ahead and a little back."""

    def __init__(self, blocks: AudioBlocks, factor: float) -> None:
        self._blocks = iter(blocks)
        self._factor = np.float32(factor)
        self._kept: Signal = np.zeros((blocks.channels, 0), np.float32)
        self._first = 0
        """Which frame is the first that is kept."""

    def read(self, first: int, stop: int) -> Signal:
        """Frames ``[first, stop)``, zeros outside the recording; ``first`` never falls."""
        past = max(0, first - self._first)
        self._kept, self._first = self._kept[:, past:], self._first + past
        while self._first + self._kept.shape[1] < stop:
            block = next(self._blocks, None)
            if block is None:
                break
            self._kept = np.concatenate([self._kept, block.T * self._factor], axis=1)
        signal = self._kept[:, max(0, first) - self._first : stop - self._first]
        before = max(0, -first)
        return np.pad(signal, ((0, 0), (before, stop - first - before - signal.shape[1])))
