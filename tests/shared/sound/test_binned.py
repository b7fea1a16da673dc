"""Numbers for parts of a second stay with the clock."""

from __future__ import annotations

import numpy as np
import pytest

from shared.sound.binned import Binned


@pytest.mark.parametrize("rate", [11_025, 22_050])
def test_an_hour_of_a_rate_that_has_no_whole_10_ms_does_not_drift(rate: int) -> None:
    binned = Binned(rate, 100, np.add)
    minute = np.zeros(60 * rate, np.float32)
    for _ in range(59):
        binned.add(minute)
    minute[59 * rate :] = 1  # the last second of the hour
    binned.add(minute)
    levels = binned.taken()
    assert len(levels) == 360_000
    assert np.flatnonzero(levels > 0.5)[0] == 359_900 and levels[-1] == 1


def test_blocks_of_any_length_make_the_same_numbers() -> None:
    values = np.random.default_rng(1).random(5_000)
    whole = Binned(22_050, 100, np.add)
    whole.add(values)
    parted = Binned(22_050, 100, np.add)
    for first in range(0, len(values), 37):
        parted.add(values[first : first + 37])
    assert np.allclose(whole.finish(), parted.finish(), rtol=1e-12)
