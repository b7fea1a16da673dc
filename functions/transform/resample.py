"""``transform.resample``: tempo and pitch, each without the other.

    high    Rubber Band, phases kept together across channels. Its "crisp" way with transients would
            be a little sharper, but bends steady notes by up to 30 cents: hence "mixed"
    draft   overlapping pieces (``atempo``) of a sound played faster or slower (``asetrate``)

Either answers a little late or early, by an amount that depends on tempo, pitch, sample rate and
version. It is not assumed but heard: bursts go through the same filters, and where they come out
says how much to cut. The result is as long as the recording divided by the tempo, to the sample.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.transform.sound import (
    SAMPLE_FORMATS,
    TIMING,
    WAV_ARGS,
    Clamps,
    Sound,
    check_filters,
    ffmpeg_backend,
    frame_count,
    joined,
    known_filters,
    number,
    open_sound,
)
from shared.contracts.engine import Backend, Engine, Job, Output, Result, StepParams
from shared.errors import BackendFailed, MissingDependency, ValidationError
from shared.media.ffmpeg import MINIMUM_VERSION, timeout_for
from shared.media.ffmpeg import run as run_ffmpeg

TEMPO_RANGE = (0.5, 2.0)
PITCH_RANGE_ST = (-12.0, 12.0)
Quality = Literal["draft", "high"]

_LEAD_S = 0.1
"""Silence that goes through before the sound, so that nothing of it can be lost."""
_BURST_EVERY_S = 0.3
_BURST_S = 0.06
_BURSTS = 6
_REALTIME_FACTOR = 12.0


class ResampleParams(StepParams):
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
    return ffmpeg_backend("resample-1")


def run(job: Job, params: ResampleParams, backend: Backend) -> Result:
    """Change it; with nothing to change, copy the very samples."""
    clamps = Clamps()
    tempo = clamps.take("tempo", params.tempo, *TEMPO_RANGE)
    pitch = clamps.take("pitch", params.pitch, *PITCH_RANGE_ST)
    sound = open_sound(job)
    rate = sound.stream.sample_rate_hz
    filters = stretch_filters(tempo, pitch, params.quality, rate, params.preserve_formants)
    frames = frame_count(sound)
    frames_out = round(frames / tempo)
    path = job.workdir / "resampled.wav"
    _write(job, sound, timed(filters, tempo, rate, frames_out), path)
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
        "channels": sound.stream.channels,
        "sample_format": SAMPLE_FORMATS[sound.codec],
    }
    return Result([Output("audio_resampled", "resampled", path, "audio/wav", meta)])


def stretch_filters(
    tempo: float, pitch_st: float, quality: Quality, sample_rate_hz: int, preserve_formants: bool
) -> str:
    """The filters; empty where nothing changes. Pure."""
    if tempo == 1 and pitch_st == 0:
        return ""
    ratio = 2 ** (pitch_st / 12)
    if quality == "high":
        # Formants stay nearer to their place in Rubber Band's quicker way of shifting.
        formants = ("preserved", "speed") if preserve_formants else ("shifted", "consistency")
        return (
            f"rubberband=tempo={number(tempo)}:pitch={number(ratio)}:formant={formants[0]}"
            f":pitchq={formants[1]}:channels=together:transients=mixed"
        )
    played_hz = round(sample_rate_hz * ratio)
    faster = tempo * sample_rate_hz / played_hz
    repitch = f"asetrate={played_hz},aresample={sample_rate_hz}" if pitch_st else ""
    return joined([repitch, *_atempo(faster)])


def _atempo(factor: float) -> list[str]:
    """``atempo`` works best from 0.5 to 2: two of them go beyond."""
    if factor == 1:
        return []
    if 0.5 <= factor <= 2:
        return [f"atempo={number(factor)}"]
    return 2 * [f"atempo={number(factor**0.5)}"]


def timed(filters: str, tempo: float, sample_rate_hz: int, frames_out: int) -> str:
    """The filters with what sets their result right: where it begins, and how long it is."""
    if not filters:
        return ""
    _check_quality(filters)
    late = late_samples(filters, tempo, sample_rate_hz)
    return (
        f"{_led(filters, sample_rate_hz)},atrim=start_sample={late}:end_sample={late + frames_out}"
    )


def _check_quality(filters: str) -> None:
    if filters.startswith("rubberband") and "rubberband" not in known_filters():
        hint = "take an ffmpeg built with librubberband, or quality 'draft'"
        raise MissingDependency("ffmpeg's filter rubberband", MINIMUM_VERSION, hint)
    check_filters(filters)


def _led(filters: str, sample_rate_hz: int) -> str:
    lead = round(_LEAD_S * sample_rate_hz)
    return f"adelay=delays={lead}S:all=1,apad,{filters}"


@lru_cache(maxsize=64)
def late_samples(filters: str, tempo: float, sample_rate_hz: int) -> int:
    """How many samples of what the filters give come before the sound's first: heard by bursts."""
    every = round(_BURST_EVERY_S * sample_rate_hz)
    count = round((_BURSTS + 1) * every / tempo + 0.5 * sample_rate_hz)
    graph = (
        f"aevalsrc='{_bursts(every, sample_rate_hz)}':s={sample_rate_hz},"
        f"atrim=end_sample={_BURSTS * every},{_led(filters, sample_rate_hz)},"
        f"atrim=end_sample={count}[out]"
    )
    done = run_ffmpeg(
        ["-filter_complex", graph, "-map", "[out]", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"],
        timeout_s=timeout_for(0),
    )
    energy = np.square(np.frombuffer(done.stdout, "<f4"), dtype=np.float64)
    places = [(every // 2 + burst * every) / tempo for burst in range(_BURSTS)]
    lead = _LEAD_S * sample_rate_hz / tempo
    heard = [_centre(energy, lead + place, every / tempo) - place for place in places]
    return max(0, round(float(np.median(heard))))


def _bursts(every: int, sample_rate_hz: int) -> str:
    """A soft burst of 1 kHz in the middle of every so many samples, as ffmpeg's expression."""
    length = round(_BURST_S * sample_rate_hz)
    away = f"(mod(n\\,{every})-{every // 2})"
    inside = f"lt(abs({away})\\,{length // 2})"
    return f"0.5*{inside}*pow(cos(PI*{away}/{length})\\,2)*sin(2*PI*1000*n/{sample_rate_hz})"


def _centre(energy: NDArray[np.float64], about: float, width: float) -> float:
    """The centre of gravity of what lies within ``width`` around a place."""
    low = max(0, round(about - width / 2))
    part = energy[low : round(about + width / 2)]
    total = float(part.sum())
    if total < 1e-6:
        raise BackendFailed("ffmpeg", "nothing came through its stretching filters")
    return low + float(np.dot(part, np.arange(part.size))) / total


def _write(job: Job, sound: Sound, filters: str, path: Path) -> None:
    chain = f"aformat=sample_fmts={sound.working_format},{filters}" if filters else "anull"
    timeout_s = timeout_for(sound.duration_ms, realtime_factor=_REALTIME_FACTOR)
    graph = f"{sound.label}{TIMING},{chain}[out]"
    run_ffmpeg(
        [
            *(*sound.args, "-filter_complex", graph),
            *("-map", "[out]", "-c:a", sound.codec, *WAV_ARGS, path),
        ],
        timeout_s=timeout_s,
        duration_ms=sound.duration_ms,
        progress=job.progress,
    )


ENGINE = Engine(params=ResampleParams, backend=backend, run=run)
