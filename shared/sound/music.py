"""Music or not? By three measured features; docs/quality/speech.md has the figures behind the numbers.

tones       how much of the energy is in tones rather than spread over the spectrum
variety     of several pitches, or of a changing one: a test tone or mains hum is no music
pulse       how regularly something begins, where beginnings are sharp: drums have no tones
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.sound.beats import pulse_clarity
from shared.sound.onsets import Tracks
from shared.sound.tones import TONE_FRAMES_PER_S, Features

Floats = NDArray[np.float64]

AROUND_S = 1.5
"""Tones are judged over so much before and after."""
_SHARP_DB = 5.0
_NEAR_S = 4.0


def music_scores(features: Features, tracks: Tracks, start_s: float, stop_s: float) -> Floats:
    """How surely each second of a stretch without speech is music, 0 to 1; above 0.5 it is."""
    seconds = max(1, round(stop_s - start_s))
    tones = np.array([_tones(features, start_s, stop_s, second) for second in range(seconds)])
    pulse = _pulse(tracks, start_s, stop_s, seconds)
    scores = 1 - (1 - tones) * (1 - pulse)
    return _medians(scores, 2)


def _tones(features: Features, start_s: float, stop_s: float, second: int) -> float:
    """Tonality around one second, of what sounds there, and nothing where it is one steady pitch."""
    low_s = max(start_s, start_s + second + 0.5 - AROUND_S)
    high_s = min(stop_s, start_s + second + 0.5 + AROUND_S)
    # Frames whose windows reach over an edge hear what is beyond it.
    part = slice(
        int(np.ceil(low_s * TONE_FRAMES_PER_S)) + 1, max(int(high_s * TONE_FRAMES_PER_S), 1)
    )
    sounding = features.flatness[part] > 0
    if not sounding.any():
        return 0.0
    tonality = float(np.median(features.tonality[part][sounding]))
    chroma = features.chroma[part][sounding].mean(axis=0)
    hum = float(features.mains[part][sounding].mean())
    return tonality * _variety(chroma) * float(np.clip((0.8 - hum) / 0.2, 0.0, 1.0))


def _variety(chroma: NDArray[np.float32]) -> float:
    """1 from one and a half pitch classes on (two, one of them weaker), 0 for a single one."""
    shares = chroma[chroma > 0] / max(float(chroma.sum()), 1e-9)
    classes = float(np.exp(-(shares * np.log(shares)).sum()))
    return float(np.clip((classes - 1.1) / 0.4, 0.0, 1.0))


def _pulse(tracks: Tracks, start_s: float, stop_s: float, seconds: int) -> Floats:
    rate_hz = tracks.frames_per_s
    flux = tracks.flux_db[round(start_s * rate_hz) : round(stop_s * rate_hz)]
    if len(flux) < rate_hz:
        return np.zeros(seconds)
    # Footsteps fall into step for a few seconds; a beat stays.
    clarity = _medians(np.resize(pulse_clarity(flux, rate_hz), seconds), 4)
    reach = round(_NEAR_S * rate_hz)
    middles = ((np.arange(seconds) + 0.5) * rate_hz).astype(int)
    sharp = [np.percentile(flux[max(0, at - reach) : at + reach], 98) for at in middles]
    return np.asarray(
        np.where(np.array(sharp) > _SHARP_DB, np.clip((clarity - 0.14) / 0.22, 0, 1), 0.0)
    )


def _medians(values: Floats, reach: int) -> Floats:
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), 1))
