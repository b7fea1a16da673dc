"""Cuts of what was found."""

from __future__ import annotations

import numpy as np
import pytest

from functions.detect.segments import fade, fade_samples


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000, 192_000])
def test_a_cut_fades_for_as_long_at_any_rate(rate: int) -> None:
    sound = np.ones((rate, 1), dtype=np.float32)
    count = fade_samples(sound, rate)
    faded = fade(sound, count, count)
    assert np.count_nonzero(faded < 1) / 2 / rate == pytest.approx(0.0058, rel=0.02)
    assert fade_samples(sound[:40], rate) == 10, "a short one fades over a quarter"
