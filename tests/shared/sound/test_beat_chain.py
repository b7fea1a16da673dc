"""Beats along onset strengths whose pulse is known."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from shared.sound.beat_chain import beat_frames

FRAMES_PER_S = 43.0


@pytest.mark.parametrize("period", [15.0, 21.5, 40.0])
def test_follows_a_pulse_through_noise_and_gaps(period: float) -> None:
    rng = np.random.default_rng(1)
    beats = np.round(np.arange(5, 900, period)).astype(int)
    flux = rng.uniform(0, 0.5, 920)
    flux[beats[rng.random(beats.size) > 0.2]] += 5.0
    found = beat_frames(flux, np.full(22, period), FRAMES_PER_S)
    assert mir_eval.beat.f_measure(beats / 43.0, found / 43.0, 0.05) > 0.97


def strokes(begin: int, beats: int, frames: int, period: int = 20) -> NDArray[np.float64]:
    """Beats, and strokes between that are nearly as strong."""
    out = np.zeros(frames)
    out[begin : begin + beats * period : period] = 1.0
    out[begin + period // 2 : begin + beats * period : period] = 0.9
    return out


@pytest.mark.parametrize("periods", [2.5, 3.5, 4.5])
def test_behind_a_pause_beats_are_found_anew(periods: float) -> None:
    """It goes on half a beat off; in time, a little stronger strokes would be missed for ever."""
    again = round(190 + 20 * periods)
    found = beat_frames(
        strokes(50, 8, again + 200) + strokes(again, 8, again + 200),
        np.full(10, 20.0),
        FRAMES_PER_S,
    )
    assert found[:8] == pytest.approx(50 + 20 * np.arange(8), abs=1)
    assert found[-8:] == pytest.approx(again + 20 * np.arange(8), abs=1)
    steps = np.diff(found)
    assert steps.min() > 10 and steps.max() < 32


def test_what_is_struck_seldom_has_no_pauses() -> None:
    """A stroke every four beats, for which beats are kept up."""
    strength = np.zeros(1_000)
    strength[20::80] = 1.0
    found = beat_frames(strength, np.full(24, 20.0), FRAMES_PER_S)
    assert np.diff(found) == pytest.approx(20, abs=1)


@given(arrays(np.float32, st.integers(50, 400), elements=st.floats(0, 40, width=32)))
def test_beats_are_in_order_whatever_comes(flux: NDArray[np.float32]) -> None:
    found = beat_frames(flux.astype(float), np.full(10, 20.0), FRAMES_PER_S)
    assert (np.diff(found) > 0).all() and np.isfinite(found).all()
