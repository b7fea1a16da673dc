"""``transform.resample``: tempo and pitch, each without the other (see ``shared.media.stretch``).

    the recording's sound -> [ groups of up to eight channels ] -> Rubber Band, or atempo and asetrate
                          -> cut to begin with the sound and to last round(frames / tempo) -> WAV, read back

It writes one ``audio_resampled``, whose meta holds both lengths in frames. The sample rate stays the
recording's: what is resampled is time and pitch. Rubber Band (Breakfast Quay) is a phase vocoder; ``atempo``
overlaps and adds waveforms where they are alike (WSOLA: W. Verhelst and M. Roelands, ICASSP 1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from functions.transform.groups import fed_group, groups_of, side_by_side
from functions.transform.sound import (
    Clamps,
    Opened,
    Sound,
    ffmpeg_backend,
    frame_count,
    open_sound,
    written,
)
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.errors import ValidationError
from shared.media.decode import audio_blocks
from shared.media.ffmpeg import run as run_ffmpeg
from shared.media.ffmpeg import timeout_for
from shared.media.stretch import Quality, stretch_filters, timed
from shared.media.vad import RATE_HZ
from shared.sound.tones import FeatureMeter

Keep = Literal["heard", "notes", "strokes"]

TEMPO_RANGE = (0.5, 2.0)
PITCH_RANGE_ST = (-12.0, 12.0)
_HEARD_S = 30
"""So much from its beginning says whether a recording holds notes."""
_WITHOUT_NOTES = 0.25
"""Half of the time less of its energy is in tones (0 to 1): drums have up to 0.17, speech 0.5, notes 0.9."""
_REALTIME_FACTOR = 12.0
"""Seconds that one of sound may take; ``high`` took 0.12 on two quiet cores (docs/quality/cost.md)."""


class ResampleParams(SoundParams):
    """How much faster, how much higher, how well."""

    tempo: float = 1.0
    """1.25: a quarter faster. Clamped to 0.5..2."""
    pitch: float = 0.0
    """Semitones up, clamped to -12..12."""
    quality: Quality = "high"
    """``draft`` is several times faster."""
    keep: Keep = "heard"
    """What is to stay as it is: ``notes`` in tune or ``strokes`` in time; ``heard``: strokes where a
    recording holds no notes. For ``high``."""
    preserve_formants: bool = False
    """A shifted voice keeps its size: no chipmunk, no giant. Needs ``high``."""

    @model_validator(mode="after")
    def _check_formants(self) -> Self:
        if self.preserve_formants and self.quality != "high":
            raise ValidationError("preserve_formants", "needs quality 'high'")
        return self


def backend() -> Backend:
    """ffmpeg; raises ``MissingDependency``."""
    return ffmpeg_backend("resample-8")


def run(job: Job, params: ResampleParams, backend: Backend) -> Result:
    """Change it; with nothing to change, copy the very samples.

    Raises ``MissingDependency`` for an ffmpeg without Rubber Band, ``UnsupportedMedia`` where there is no
    sound or samples are not numbers, and what ffmpeg raises.
    """
    clamps = Clamps()
    tempo = clamps.take("tempo", params.tempo, *TEMPO_RANGE)
    pitch = clamps.take("pitch", params.pitch, *PITCH_RANGE_ST)
    sound = open_sound(job)
    rate = sound.sample_rate_hz
    strokes = (tempo, pitch) != (1, 0) and keeps_strokes(job, params)
    filters = stretch_filters(
        tempo, pitch, params.quality, rate, params.preserve_formants, strokes=strokes
    )
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
        "keep": "strokes" if strokes else "notes",
        "preserve_formants": params.preserve_formants,
        "changes": [name for name, on in (("tempo", tempo != 1), ("pitch", pitch != 0)) if on],
        "clamped": clamps.report,
        "frames_in": frames,
        "frames_out": frames_out,
        "sample_rate_hz": rate,
        "channels": sound.channels,
        **audio.meta,
    }
    output = Output("audio_resampled", "resampled", audio.path, "audio/wav", meta)
    return Result([output], reason=_beyond(audio.peak))


def _beyond(peak: float) -> str | None:
    """What to know of a result beyond full scale: waves that lay beside each other come to lie together."""
    if peak <= 1:
        return None
    return f"its peaks reach {20 * math.log10(peak):+.1f} dBFS: it is written as floating point"


def keeps_strokes(job: Job, params: ResampleParams) -> bool:
    """Are strokes to stay in time? As asked for, or where the recording's beginning holds no notes."""
    if params.quality != "high" or params.preserve_formants or params.keep == "notes":
        return False
    if params.keep == "strokes":
        return True
    meter, left = FeatureMeter(), _HEARD_S * RATE_HZ
    with audio_blocks(job.source, job.media, sample_rate_hz=RATE_HZ, channels=1) as blocks:
        for block in blocks:
            meter.add(block[:, 0])
            left -= len(block)
            if left <= 0:
                break
    heard = meter.finish()
    tonality = heard.tonality[heard.flatness > 0]
    return bool(tonality.size) and float(np.median(tonality)) < _WITHOUT_NOTES


def _writer(job: Job, sound: Sound, filters: str) -> Callable[[str, Path], None]:
    """What ``sound.written`` calls with an encoder and a path, once or twice: it stretches anew each time.

    Channels of a group keep their phases to each other, which makes a stereo picture; groups are stretched
    apart, so between them phases may drift.
    """

    def write(codec: str, path: Path) -> None:
        wav: tuple[str | Path, ...] = ("-c:a", codec, *sound.wav_args, path)
        groups = groups_of(sound, job.workdir) if filters else []
        if not groups:
            with sound.fed() as opened:
                _run(job, sound, opened, filters, wav)
            return
        for group in groups:
            with fed_group(sound, group) as opened:
                _run(job, sound, opened, filters, group.out)
        with sound.fed_with(side_by_side(groups)) as opened:
            _run(job, sound, opened, "", wav)

    return write


def _run(
    job: Job,
    sound: Sound,
    opened: Opened,
    filters: str,
    out: tuple[str | Path, ...],
) -> None:
    """One pass through ``filters``, in floats or doubles, into what ``out`` names; without any, a copy."""
    chain = f"aformat=sample_fmts={sound.working_format},{filters}" if filters else "anull"
    run_ffmpeg(
        [
            "-y",
            *opened.words,
            "-filter_complex",
            f"{opened.head}{chain}[out]",
            "-map",
            "[out]",
            *out,
        ],
        timeout_s=timeout_for(sound.duration_ms, realtime_factor=_REALTIME_FACTOR),
        pass_fds=opened.fds,
        duration_ms=sound.duration_ms,
        progress=job.progress,
    )


ENGINE = Engine(params=ResampleParams, backend=backend, run=run)
