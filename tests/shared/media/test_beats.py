from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from shared.media.beats import bar_phase, pulse_clarity, track_beats
from tests.shared.media import librosa_beats

Floats = NDArray[np.float64]
FRAMES_PER_S = 62.5


def flux_of(times_s: Floats, seconds: float, noise: float = 0.05) -> Floats:
    """Onset strength with a peak at each time, two frames wide."""
    frames = np.arange(round(seconds * FRAMES_PER_S))
    peaks = np.exp(-0.5 * (frames[:, None] - times_s[None, :] * FRAMES_PER_S) ** 2).sum(axis=1)
    return np.asarray(peaks + noise * np.abs(np.random.default_rng(1).standard_normal(len(frames))))


@pytest.mark.parametrize("bpm", [62, 87.3, 120, 133.7, 174])
def test_a_steady_beat(bpm: float) -> None:
    truth = np.arange(0.3, 19.5, 60 / bpm)
    found = track_beats(flux_of(truth, 20), FRAMES_PER_S)
    assert found.bpm == pytest.approx(bpm, rel=0.005)
    assert len(found.times_s) == pytest.approx(len(truth), abs=2)
    assert np.abs(found.times_s[:, None] - truth).min(axis=1).max() < 0.012


def test_a_tempo_that_drifts() -> None:
    truth = np.cumsum(60 / np.linspace(100, 125, 70))
    found = track_beats(flux_of(truth, truth[-1] + 0.5), FRAMES_PER_S)
    near = np.abs(found.times_s[:, None] - truth).min(axis=0) < 0.05
    assert near.mean() > 0.95 and len(found.times_s) < 1.05 * len(truth)


def test_a_known_tempo_is_kept() -> None:
    truth = np.arange(0.3, 19.5, 0.5)
    assert track_beats(flux_of(truth, 20), FRAMES_PER_S, bpm=60).bpm == pytest.approx(60, rel=0.01)


def test_agrees_with_librosa() -> None:
    flux = flux_of(np.arange(0.3, 19.5, 60 / librosa_beats.BPM), 20)
    ours = track_beats(flux, FRAMES_PER_S, bpm=librosa_beats.BPM).times_s
    theirs = np.array(librosa_beats.FRAMES) / FRAMES_PER_S
    shared = np.abs(ours[:, None] - theirs).min(axis=0) < 0.03
    assert shared.mean() > 0.95 and abs(len(ours) - len(theirs)) <= 2


def test_clarity_tells_a_beat_from_noise() -> None:
    beat = flux_of(np.arange(0.3, 19.5, 0.5), 20)
    noise = np.abs(np.random.default_rng(2).standard_normal(len(beat)))
    assert np.median(pulse_clarity(beat, FRAMES_PER_S)) > 0.8
    assert np.median(pulse_clarity(noise, FRAMES_PER_S)) < 0.25


def test_bars_begin_at_the_accents_or_at_the_first_beat() -> None:
    assert bar_phase(np.array([0.0, 0, 5, 0] * 4)) == 2
    assert bar_phase(np.ones(16)) == 0
    assert bar_phase(np.array([0.0, 9.0])) == 0


@given(arrays(np.float32, st.integers(0, 400), elements=st.floats(0, 40, width=32)))
def test_beats_are_in_order_whatever_comes(flux: NDArray[np.float32]) -> None:
    found = track_beats(flux, FRAMES_PER_S)
    assert (np.diff(found.times_s) > 0).all() and np.isfinite(found.times_s).all()
    assert found.bpm >= 0 and 0 <= found.clarity <= 1
