"""The gain that is found on a sound's milliseconds."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.audio import loudnorm
from shared.audio.loudnorm import Notes, find_gain_db

RATE = 8_000
NOISE = np.random.default_rng(1).standard_normal((1, RATE)).astype(np.float32)


def noted(folder: Path, seconds: int) -> Notes:
    """Noise with ups and downs, whose peaks the limiter has to hold."""
    notes = Notes(folder / "noise.wav", RATE, 1)
    for second in range(seconds):
        notes.add(0.05 * (1 + second % 7) * NOISE)
    return notes


@pytest.mark.heavy
def test_it_is_the_same_a_minute_or_a_moment_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at_once = find_gain_db(noted(tmp_path, 20), -9.0, -1.0)
    for together in (100, 700, 3_300):
        monkeypatch.setattr(loudnorm, "_STEPS_TOGETHER", together)
        assert find_gain_db(noted(tmp_path, 20), -9.0, -1.0) == pytest.approx(at_once, abs=1e-9)


def test_a_long_sound_takes_what_a_part_of_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loudnorm, "_STEPS_TOGETHER", 5_000)
    held_bytes = []
    for seconds in (20, 100):
        tracemalloc.start()
        try:
            find_gain_db(noted(tmp_path, seconds), -9.0, -1.0)
            held_bytes.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert held_bytes[1] < 1.1 * held_bytes[0] < 1 << 20
