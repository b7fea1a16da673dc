"""Bars begin where a kick falls or a chord changes; on the first beat where nothing tells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.sound.bar_lines import bar_phase

BEAT = 20
"""Frames."""
BEATS = 24
FRAMES = BEAT * (0.5 + np.arange(BEATS))


def spectrum() -> NDArray[np.float32]:
    noise = np.random.default_rng(3).normal(0, 0.5, (BEAT * BEATS, 16))
    return np.asarray(noise - 50, np.float32)


def struck(bands_db: NDArray[np.float32], beats: NDArray[np.int_], bands: slice) -> None:
    """Something that dies away within a few frames."""
    for beat in beats:
        at = int(FRAMES[beat])
        for frame in range(4):
            bands_db[at + frame, bands] = -10 - 10 * frame


@pytest.mark.parametrize("phase", range(4))
def test_a_bar_begins_where_the_low_end_rises(phase: int) -> None:
    bands_db = spectrum()
    struck(bands_db, np.arange(BEATS), slice(8, 16))
    struck(bands_db, np.arange(phase, BEATS, 4), slice(0, 2))
    assert bar_phase(bands_db, FRAMES, 4) == phase


@pytest.mark.parametrize(("phase", "per_bar"), [(0, 4), (1, 4), (2, 4), (3, 4), (1, 3), (2, 3)])
def test_a_bar_begins_where_the_chord_changes(phase: int, per_bar: int) -> None:
    """No drums; each bar's chord has energy in bands of its own."""
    bands_db = spectrum()
    edges = [0, *FRAMES[phase::per_bar].astype(int), len(bands_db)]
    for number, (first, last) in enumerate(pairwise(edges)):
        bands_db[first:last, 4 + 3 * number % 11] += 25
    assert bar_phase(bands_db, FRAMES, per_bar) == phase


def test_of_kicks_on_the_one_and_the_three_the_first_begins_the_bar() -> None:
    bands_db = spectrum()
    struck(bands_db, np.arange(0, BEATS, 2), slice(0, 2))
    assert bar_phase(bands_db, FRAMES, 4) == 0


def test_where_nothing_tells_bars_begin_at_the_first_beat() -> None:
    still = np.full((BEAT * BEATS, 16), -50.0, np.float32)
    assert bar_phase(still, FRAMES, 4) == 0
    assert bar_phase(spectrum(), FRAMES[:7], 4) == 0
    assert bar_phase(spectrum()[:1], np.array([0.0, 1.0]), 2) == 0
    assert bar_phase(still[:5], np.arange(8.0), 4) == 0
