"""scipy's filters, opened by themselves."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, lfilter, sosfilt

from shared.media.linear_filter import filtered, sos_filtered


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(1, 3))
def test_it_is_scipy_s_however_the_sound_is_cut(lengths: list[int], channels: int) -> None:
    sound = np.random.default_rng(1).standard_normal((sum(lengths), channels))
    b, a = butter(2, 0.1)
    state, given_out = np.zeros((2, channels)), [np.zeros((0, channels))]
    for piece in np.split(sound, np.cumsum(lengths)):
        made, state = filtered(b, a, piece, state)
        given_out.append(made)
    np.testing.assert_array_equal(np.concatenate(given_out), lfilter(b, a, sound, axis=0))


@pytest.mark.parametrize("samples", [1, 5_000])
def test_sections_are_scipy_s(samples: int) -> None:
    sound = np.random.default_rng(1).standard_normal(samples).astype(np.float32)
    sections = butter(5, 0.1, output="sos")
    np.testing.assert_array_equal(sos_filtered(sections, sound), sosfilt(sections, sound))


@pytest.mark.heavy
def test_it_leaves_the_rest_of_scipy_signal_alone_and_stands_beside_it() -> None:
    """Importing that takes as long as listening to a minute of sound."""
    code = (
        "import sys, numpy as np; from shared.sound.loudness_meter import LoudnessMeter;"
        "LoudnessMeter(48_000, 1).add(np.zeros(9));"
        "assert 'scipy.signal' not in sys.modules;"
        "from scipy.signal import lfilter; assert lfilter([1], [1, 0.5], [2.0]) == [2.0]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
