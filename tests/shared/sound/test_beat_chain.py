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


@given(arrays(np.float32, st.integers(50, 400), elements=st.floats(0, 40, width=32)))
def test_beats_are_in_order_whatever_comes(flux: NDArray[np.float32]) -> None:
    found = beat_frames(flux.astype(float), np.full(10, 20.0), FRAMES_PER_S)
    assert (np.diff(found) > 0).all() and np.isfinite(found).all()
