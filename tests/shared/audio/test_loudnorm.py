"""The gain that is found on a sound's milliseconds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from shared.audio import loudnorm
from shared.audio.loudnorm import Notes, find_gain_db

RATE = 8_000
NOISE = np.random.default_rng(1).standard_normal((1, RATE)).astype(np.float32)


def noted(seconds: int) -> Notes:
    """Noise with ups and downs, whose peaks the limiter has to hold."""
    notes = Notes(RATE, 1)
    for second in range(seconds):
        notes.add(0.05 * (1 + second % 7) * NOISE)
    return notes


@pytest.mark.heavy
def test_it_is_the_same_a_minute_or_a_moment_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = find_gain_db(noted(20), -9.0, -1.0)
    for together in (100, 700, 3_300):
        monkeypatch.setattr(loudnorm, "_STEPS_TOGETHER", together)
        assert find_gain_db(noted(20), -9.0, -1.0) == pytest.approx(at_once, abs=1e-9)


def test_a_long_sound_takes_what_a_part_of_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudnorm, "_STEPS_TOGETHER", 5_000)
    notes = noted(100)
    tracemalloc.start()
    try:
        find_gain_db(notes, -9.0, -1.0)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 1 << 20
