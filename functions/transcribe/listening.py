"""The sound of a recording alone, decoded for its words.

Whisper, voice activity and the voices' network all want 16 kHz, mono. So it is decoded to that once, into
files of float32 that are mapped: an hour is 230 MB of disk for each voice, and memory holds what is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.contracts.step_engine import Job
from shared.media.decode import audio_blocks
from shared.media.mapped import mapped
from shared.media.vad import RATE_HZ

Floats = NDArray[np.float32]

MOST_CHANNELS = 8
"""No more are told apart."""


@dataclass(frozen=True)
class Voices:
    """The sound alone."""

    duration_ms: int
    samples: Sequence[Floats]
    """16 kHz mono, memory-mapped: the mix, or one for each channel."""
    damage: str | None


def listen_to_voices(
    job: Job,
    *,
    by_channel: bool,
    progress: Callable[[float], None],
    until_ms: int | None = None,
) -> Voices:
    """Decode the recording once, for its words alone: ffmpeg resamples. Raises as ``audio_blocks``.

    ``by_channel``: each channel is a voice, from two to ``MOST_CHANNELS`` of them; otherwise the mix is the
    only one. ``until_ms``: no farther than that, more or less; the samples are the same.
    """
    media = job.media
    channels = media.heard.channels if media.audio else 1
    count = channels if by_channel and 1 < channels <= MOST_CHANNELS else 1
    expected = max(1, min(until_ms or sys.maxsize, media.duration_ms or 0) * RATE_HZ // 1000)
    paths = [job.workdir / f"voice_{index}.f32" for index in range(count)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        blocks = stack.enter_context(
            audio_blocks(job.source, media, sample_rate_hz=RATE_HZ, channels=count)
        )
        for block in blocks:
            for index, file in enumerate(files):
                file.write(np.ascontiguousarray(block[:, index], "<f4").tobytes())
            progress(min(1.0, blocks.frames / expected))
            if until_ms is not None and blocks.frames >= expected:
                break
    return Voices(
        round(1000 * blocks.frames / RATE_HZ), [mapped(path) for path in paths], blocks.damage
    )
