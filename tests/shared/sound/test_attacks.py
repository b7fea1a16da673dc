"""Attacks are placed to half a millisecond, however short what is struck."""

from __future__ import annotations

import numpy as np
import pytest

from shared.sound.attacks import STEPS_PER_S, attack_step, slope_energy

RATE_HZ = 44_000


@pytest.mark.parametrize("noise", [0.0, 1e-4])
@pytest.mark.parametrize("samples", [1, 5, 40])
def test_a_click_shorter_than_a_step_is_not_taken_for_earlier(samples: int, noise: float) -> None:
    """Of one sample the 5 ms that hold it are as strong from 4.5 ms before it on."""
    sound = noise * np.random.default_rng(1).standard_normal((RATE_HZ // 2, 1))
    sound[RATE_HZ // 4 : RATE_HZ // 4 + samples] += 0.5
    found = attack_step(slope_energy(sound.astype(np.float32), RATE_HZ), 400, 600)
    assert found == pytest.approx(STEPS_PER_S // 4, abs=1)
