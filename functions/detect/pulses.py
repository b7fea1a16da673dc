"""What loops are cut by: the tempi and beats that ``detect.activity`` found, and its coarse spectrum.

Nothing is detected again, except where a request's bars have another length than activity's: then the
rises of the low end in the spectrum say which beat begins a bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.detect.reading_activity import Listened
from shared.contracts.audio_activity import ActivityTempo
from shared.sound.bar_lines import bar_phase


@dataclass(frozen=True)
class Pulse:
    """A stretch of the recording with one tempo."""

    beats_s: NDArray[np.float64]
    """``(beats,)``, in seconds of the recording, rising."""
    bpm: float
    """Beats a minute of the whole stretch."""
    beats_per_bar: int
    phase: int
    """Which of the first beats begins a bar, from 0."""
    clarity: float
    """How far onsets repeat at that tempo, 0 to 1."""
    loop_score: float | None
    """The recording is itself a loop of these beats, so surely."""


@dataclass(frozen=True)
class Spectra:
    """The coarse spectrum over time."""

    bands_db: NDArray[np.float32]
    """``(frames, 16)``, each the mean of 8 mel bands in dB, to 1 dB."""
    hop: int
    """Samples between frames."""
    sample_rate_hz: int
    samples: int
    """Of each of the recording's channels."""


def spectra_of(listened: Listened) -> Spectra:
    """The coarse spectrum that activity kept."""
    series, rate = listened.activity.spectrum, listened.sample_rate_hz
    hop = max(1, round(series.step_ms * rate / 1000))
    return Spectra(series.values(), hop, rate, listened.samples)


def pulses_of(listened: Listened, tracks: Spectra, beats_per_bar: int | None) -> list[Pulse]:
    """The stretches with a tempo; bars of ``beats_per_bar``, else as heard. None for none."""
    return [_pulse(listened, tempo, tracks, beats_per_bar) for tempo in listened.activity.tempi]


def _pulse(
    listened: Listened, tempo: ActivityTempo, tracks: Spectra, beats_per_bar: int | None
) -> Pulse:
    beats = listened.activity.beats[tempo.first_beat : tempo.first_beat + tempo.beat_count]
    beats_s = np.array([beat.time_ms for beat in beats]) / 1000
    per_bar = beats_per_bar or tempo.beats_per_bar
    phase = next((at for at, beat in enumerate(beats) if beat.subdivision == 1), 0)
    if per_bar != tempo.beats_per_bar:
        frames = beats_s * tracks.sample_rate_hz / tracks.hop
        phase = bar_phase(tracks.bands_db, frames, per_bar)
    return Pulse(beats_s, tempo.bpm, per_bar, phase, tempo.confidence, tempo.loop_score)
