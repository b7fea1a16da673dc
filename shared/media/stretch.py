"""Tempo and pitch, each without the other: ffmpeg's filters, and how late they answer.

    high    Rubber Band, phases kept together across channels. Its "mixed" way with transients keeps notes
            to half a cent, and smears strokes: they begin up to 16 ms early. Its "crisp" way with short
            windows keeps strokes to 4 ms (8 at half the tempo), and bends steady notes by up to 80 cents
    draft   overlapping pieces (``atempo``) of a sound played faster or slower (``asetrate``)

Either answers a little late or early, by an amount that depends on tempo, pitch, sample rate and
version. It is not assumed but heard: bursts go through the same filters, and where they come out
says how much to cut. The result is as long as the sound divided by the tempo, to the sample.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import BackendFailed, MissingDependency
from shared.media.feed import fed, raw_input
from shared.media.ffmpeg import MINIMUM_VERSION, timeout_for
from shared.media.ffmpeg import run as run_ffmpeg
from shared.media.ffmpeg_filters import check_filters, joined, known_filters, number

Quality = Literal["draft", "high"]

_LEAD_S = 0.01
"""Silence that goes through before the sound, so that nothing of it can be lost. Rubber Band takes the
phases of a steady tone from where it first hears it: behind a tenth of a second of silence they were
such that its pieces cancelled each other, and at twice the tempo a tone came out 12 dB too soft."""
_BURST_EVERY_S = 0.3
_BURST_S = 0.06
_BURSTS = 6


def stretch_filters(
    tempo: float,
    pitch_st: float,
    quality: Quality,
    sample_rate_hz: int,
    preserve_formants: bool,
    *,
    strokes: bool = False,
) -> str:
    """The filters; empty where nothing changes. ``strokes``: keep these sharp rather than notes. Pure."""
    if tempo == 1 and pitch_st == 0:
        return ""
    ratio = 2 ** (pitch_st / 12)
    if quality == "high":
        # Formants stay nearer to their place in Rubber Band's quicker way of shifting.
        transients = "crisp:window=short" if strokes else "mixed"
        formants = ("preserved", "speed") if preserve_formants else ("shifted", "consistency")
        return (
            f"rubberband=tempo={number(tempo)}:pitch={number(ratio)}:formant={formants[0]}"
            f":pitchq={formants[1]}:channels=together:transients={transients}"
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
        hint = "take an ffmpeg built with librubberband (only quality 'draft' does without)"
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
    graph = f"[0:0]{_led(filters, sample_rate_hz)},atrim=end_sample={count}[out]"
    out = ["-map", "[out]", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]
    with fed(iter([_bursts(every, sample_rate_hz)])) as fd:
        heard_by = raw_input(fd, (sample_rate_hz, 1), "mono", "float64")
        done = run_ffmpeg(
            [*heard_by, "-filter_complex", graph, *out], timeout_s=timeout_for(0), pass_fds=(fd,)
        )
    energy = np.square(np.frombuffer(done.stdout, "<f4"), dtype=np.float64)
    places = [(every // 2 + burst * every) / tempo for burst in range(_BURSTS)]
    lead = _LEAD_S * sample_rate_hz / tempo
    heard = [_centre(energy, lead + place, every / tempo) - place for place in places]
    return max(0, round(float(np.median(heard))))


def _bursts(every: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """``(samples, 1)``: a soft burst of 1 kHz in the middle of every so many samples.

    Made here: ffmpeg, reading it as an expression, takes longer for that than it takes to start.
    """
    length = round(_BURST_S * sample_rate_hz)
    at = np.arange(_BURSTS * every)
    away = at % every - every // 2
    soft = np.square(np.cos(np.pi * away / length)) * (np.abs(away) < length // 2)
    return (0.5 * soft * np.sin(2 * np.pi * 1000 * at / sample_rate_hz))[:, None]


def _centre(energy: NDArray[np.float64], about: float, width: float) -> float:
    """The centre of gravity of what lies within ``width`` around a place."""
    low = max(0, round(about - width / 2))
    part = energy[low : round(about + width / 2)]
    total = float(part.sum())
    if total < 1e-6:
        raise BackendFailed("ffmpeg", "nothing came through its stretching filters")
    return low + float(np.dot(part, np.arange(part.size))) / total
