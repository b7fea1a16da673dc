"""``transform.resample``: tempo and pitch, each without the other (see ``shared.media.stretch``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import model_validator

from functions.transform.sound import (
    WAV_ARGS,
    Clamps,
    Sound,
    all_numbers,
    ffmpeg_backend,
    frame_count,
    open_sound,
    written,
)
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.errors import ValidationError
from shared.media.decode import BLOCK_FRAMES, SampleType
from shared.media.feed import Samples, fed, raw_input
from shared.media.ffmpeg import run as run_ffmpeg
from shared.media.ffmpeg import timeout_for
from shared.media.stretch import Quality, stretch_filters, timed

TEMPO_RANGE = (0.5, 2.0)
PITCH_RANGE_ST = (-12.0, 12.0)
_REALTIME_FACTOR = 12.0
MOST_TOGETHER = 8
"""So many channels Rubber Band keeps in phase with each other; with more it ends by SIGSEGV."""


class ResampleParams(SoundParams):
    """How much faster, how much higher, how well."""

    tempo: float = 1.0
    """1.25: a quarter faster. Clamped to 0.5..2."""
    pitch: float = 0.0
    """Semitones up, clamped to -12..12."""
    quality: Quality = "high"
    """``draft`` is several times faster."""
    preserve_formants: bool = False
    """A shifted voice keeps its size: no chipmunk, no giant. Needs ``high``."""

    @model_validator(mode="after")
    def _check_formants(self) -> Self:
        if self.preserve_formants and self.quality != "high":
            raise ValidationError("preserve_formants", "needs quality 'high'")
        return self


def backend() -> Backend:
    """ffmpeg; raises ``MissingDependency``."""
    return ffmpeg_backend("resample-3")


def run(job: Job, params: ResampleParams, backend: Backend) -> Result:
    """Change it; with nothing to change, copy the very samples."""
    clamps = Clamps()
    tempo = clamps.take("tempo", params.tempo, *TEMPO_RANGE)
    pitch = clamps.take("pitch", params.pitch, *PITCH_RANGE_ST)
    sound = open_sound(job)
    rate = sound.sample_rate_hz
    filters = stretch_filters(tempo, pitch, params.quality, rate, params.preserve_formants)
    frames = frame_count(sound)
    frames_out = round(frames / tempo)
    write = _writer(job, sound, timed(filters, tempo, rate, frames_out))
    audio = written(
        sound, job.workdir / "resampled.wav", write, copied=sound.lossless and not filters
    )
    meta = {
        "tempo": tempo,
        "pitch": pitch,
        "quality": params.quality,
        "preserve_formants": params.preserve_formants,
        "changes": [name for name, on in (("tempo", tempo != 1), ("pitch", pitch != 0)) if on],
        "clamped": clamps.report,
        "frames_in": frames,
        "frames_out": frames_out,
        "sample_rate_hz": rate,
        "channels": sound.channels,
        **audio.meta,
    }
    return Result([Output("audio_resampled", "resampled", audio.path, "audio/wav", meta)])


def _writer(job: Job, sound: Sound, filters: str) -> Callable[[str, Path], None]:
    def write(codec: str, path: Path) -> None:
        if not filters or sound.channels <= MOST_TOGETHER:
            with sound.fed() as opened:
                _run(job, sound, opened, filters, ("-c:a", codec, *WAV_ARGS, path))
            return
        groups = list(_stretched_groups(job, sound, filters))
        with sound.fed_with(_interleaved(groups)) as opened:
            _run(job, sound, opened, "", ("-c:a", codec, *WAV_ARGS, path))
        for group in groups:
            group.path.unlink()

    return write


def _run(
    job: Job,
    sound: Sound,
    opened: tuple[int, list[str]],
    filters: str,
    out: tuple[str | Path, ...],
) -> None:
    source_fd, source = opened
    chain = f"aformat=sample_fmts={sound.working_format},{filters}" if filters else "anull"
    run_ffmpeg(
        ["-y", *source, "-filter_complex", f"[0:0]{chain}[out]", "-map", "[out]", *out],
        timeout_s=timeout_for(sound.duration_ms, realtime_factor=_REALTIME_FACTOR),
        pass_fds=(source_fd,),
        duration_ms=sound.duration_ms,
        progress=job.progress,
    )


@dataclass(frozen=True)
class _Group:
    """Some of the channels, stretched: raw samples on disk."""

    path: Path
    channels: int
    sample_type: SampleType


def _stretched_groups(job: Job, sound: Sound, filters: str) -> Iterator[_Group]:
    """Rubber Band breaks down on more than eight channels: as many at a time."""
    raw = {"float32": "f32le", "float64": "f64le"}[sound.sample_type]
    for first in range(0, sound.channels, MOST_TOGETHER):
        columns = slice(first, min(first + MOST_TOGETHER, sound.channels))
        count = columns.stop - columns.start
        path = job.workdir / f"channels_{first}.raw"
        with sound.blocks() as blocks:
            part = (block[:, columns] for block in all_numbers(blocks))
            shape = (sound.sample_rate_hz, count)
            with fed(part) as fd:
                opened = (fd, raw_input(fd, shape, None, sound.sample_type))
                _run(job, sound, opened, filters, ("-c:a", f"pcm_{raw}", "-f", raw, path))
        yield _Group(path, count, sound.sample_type)


def _interleaved(groups: Sequence[_Group]) -> Iterator[Samples]:
    parts = [
        np.memmap(group.path, dtype=group.sample_type, mode="r").reshape(-1, group.channels)
        for group in groups
    ]
    for first in range(0, len(parts[0]), BLOCK_FRAMES):
        yield np.concatenate([part[first : first + BLOCK_FRAMES] for part in parts], axis=1)


ENGINE = Engine(params=ResampleParams, backend=backend, run=run)
