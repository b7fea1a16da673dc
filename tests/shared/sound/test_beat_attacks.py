"""Beats lie where what is played on them begins."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.sound.attacks import STEPS_PER_S, Onset
from shared.sound.beat_attacks import at_attacks
from shared.sound.beats import Section

PERIOD_S = 0.5
TRUE_S = 1.0 + PERIOD_S * np.arange(32)


def section(beats_s: np.ndarray) -> Section:
    return Section(beats_s, 120.0, 4, 0, 1.0, 1.0)


def onsets(times_s: np.ndarray) -> list[Onset]:
    return [Onset(0, round(float(at_s) * STEPS_PER_S), 6.0, 6.0) for at_s in np.sort(times_s)]


@given(
    st.floats(-0.03, 0.03),
    st.lists(st.integers(1, 30), max_size=12, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_beats_come_to_their_attacks_and_lie_evenly_where_nothing_begins(
    late_s: float, silent: list[int], seed: int
) -> None:
    """Sixteenths between the beats draw none away."""
    rough_s = TRUE_S + late_s + np.random.default_rng(seed).uniform(-0.012, 0.012, len(TRUE_S))
    played_s = np.delete(TRUE_S, silent)
    (found,) = at_attacks([section(rough_s)], onsets(np.append(played_s, TRUE_S + PERIOD_S / 4)))
    gaps = np.diff(np.delete(np.arange(len(TRUE_S)), silent))
    assert np.abs(np.delete(found.beats_s - TRUE_S, silent)).max() <= 0.5 / STEPS_PER_S + 1e-9
    if gaps.max() <= 8:
        assert np.abs(found.beats_s - TRUE_S).max() < 0.001
    assert (np.diff(found.beats_s) > 0).all()


def test_a_player_is_followed_beat_by_beat() -> None:
    played_s = TRUE_S + np.random.default_rng(1).normal(0, 0.008, len(TRUE_S))
    (found,) = at_attacks([section(TRUE_S + 0.015)], onsets(played_s))
    assert np.abs(found.beats_s - played_s).max() < 0.001


def test_of_few_or_weak_onsets_nothing_follows() -> None:
    weak = [Onset(0, round(at_s * STEPS_PER_S), 1.0, 1.0) for at_s in TRUE_S + 0.02]
    for few in (onsets(TRUE_S[:3]), weak, []):
        (found,) = at_attacks([section(TRUE_S + 0.02)], few)
        assert (found.beats_s == TRUE_S + 0.02).all()
