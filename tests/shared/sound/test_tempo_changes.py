"""Tempi of seconds whose change is known, and strokes in two tempi."""

from __future__ import annotations

import numpy as np
import pytest

from shared.sound.tempo_changes import steady_parts, turn

FRAMES_PER_S = 43.0


@pytest.mark.parametrize("other_bpm", [112.0, 128.0, 172.0])
@pytest.mark.parametrize("slope_s", [0, 1, 3])
def test_a_change_at_once_ends_a_part(other_bpm: float, slope_s: int) -> None:
    """As it is heard: over several seconds."""
    slope = np.geomspace(120.0, other_bpm, slope_s + 2)[1:-1]
    tempi = np.concatenate([np.full(12, 120.0), slope, np.full(12, other_bpm)])
    (one, other) = steady_parts(tempi)
    assert one[0] == 0 and other[1] == len(tempi)
    assert 11 <= one[1] <= other[0] <= 13 + slope_s


@pytest.mark.parametrize(
    "tempi",
    [
        np.linspace(100, 125, 34),
        np.linspace(125, 100, 20),
        np.append(np.full(16, 120.0), np.geomspace(120, 72, 9)),
        120 + 3 * np.sin(np.arange(40) / 2),
        np.full(30, 120.0),
        np.full(2, 120.0),
    ],
    ids=["quicker", "slower", "slower at the end", "by a player", "steady", "short"],
)
def test_what_drifts_is_one_part(tempi: np.ndarray) -> None:
    assert steady_parts(tempi) == [(0, len(tempi))]


def test_each_of_several_changes_ends_a_part() -> None:
    tempi = np.repeat([120.0, 100.0, 110.0, 90.0], 12)
    assert steady_parts(tempi) == [(0, 12), (12, 24), (24, 36), (36, 48)]


@pytest.mark.parametrize("heard", [(380, 400), (420, 440), (460, 460)])
def test_the_other_tempo_begins_on_its_first_stroke(heard: tuple[int, int]) -> None:
    """However loud either side is, and where exactly the change was heard."""
    strength = np.zeros(900)
    strength[20:420:20] = 1.0
    strength[420::27] = 5.0
    strength += 0.2 * np.random.default_rng(3).random(900)
    assert 414 <= turn(strength, heard, (20.0, 27.0), FRAMES_PER_S) <= 420
