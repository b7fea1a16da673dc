"""Recordings that are a loop themselves, and those that only look like one."""

from __future__ import annotations

import numpy as np
import pytest

from shared.sound.beats import hear_beats
from shared.sound.whole_loops import WholeLoop, find_whole_loop
from tests.functions.detect import synth
from tests.onset_tracks import analyse

RATE_HZ = 44_100


def whole_loop(seconds: float, bpm: float, strokes: int, first_s: float) -> WholeLoop | None:
    """Of so many snare drums, and of silence before and behind them."""
    samples = np.zeros(round(RATE_HZ * seconds), np.float32)
    for stroke in range(strokes):
        synth.place(samples, synth.snare(RATE_HZ), round(RATE_HZ * (first_s + 60 / bpm * stroke)))
    tracks = analyse([samples[:, None]], RATE_HZ)
    return find_whole_loop(tracks, hear_beats(tracks), spoken=0.0)


@pytest.mark.parametrize(
    ("seconds", "bpm", "strokes"), [(6.0, 133.3, 12), (5.5, 100.0, 8), (4.6, 150.0, 10)]
)
def test_silence_around_drums_makes_no_loop_of_them(
    seconds: float, bpm: float, strokes: int
) -> None:
    assert whole_loop(seconds, bpm, strokes, first_s=0.2) is None


def test_a_loop_that_begins_and_ends_in_silence_keeps_the_tempo_of_its_drums() -> None:
    found = whole_loop(6.0, 80.0, 8, first_s=0.1)
    assert found is not None
    assert (found.beats, found.beats_per_bar) == (8, 4)
