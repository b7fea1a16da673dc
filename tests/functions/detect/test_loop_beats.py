"""Tempo and beats of patterns whose tempo is known."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest

from functions.detect import loop_beats as tracking
from functions.detect.onsets import analyse
from tests.functions.detect import synth


@pytest.mark.parametrize("bpm", [85.0, 97.3, 120.0, 133.0, 150.0, 170.0])
def test_tempo_is_within_a_quarter_of_a_percent(bpm: float) -> None:
    truth = synth.drums(bpm=bpm, bars=12, noise_dbfs=-45)
    tracks = analyse([truth.samples[:, None]], truth.rate_hz)
    tempos_bpm, salience = tracking.tempo_salience(
        tracks.flux_db.astype(float), truth.rate_hz / tracks.hop
    )
    assert tempos_bpm[np.argmax(salience)] == pytest.approx(bpm, rel=0.0025)


@pytest.mark.parametrize("period", [15.0, 21.5, 40.0])
def test_tracks_a_pulse_through_noise_and_gaps(period: float) -> None:
    rng = np.random.default_rng(1)
    beats = np.round(np.arange(5, 900, period)).astype(int)
    flux = rng.uniform(0, 0.5, 920)
    flux[beats[rng.random(beats.size) > 0.2]] += 5.0
    found = tracking.track_beats(flux, period)
    assert mir_eval.beat.f_measure(beats / 43.0, found / 43.0, 0.05) > 0.97


def test_no_beats_in_nothing() -> None:
    assert not tracking.track_beats(np.zeros(500), 20.0).size
    assert not tracking.track_beats(np.ones(10), 20.0).size


@pytest.mark.parametrize("phase", range(4))
def test_a_bar_begins_where_the_low_end_rises(phase: int) -> None:
    beats = np.arange(10, 810, 20)
    low_db = np.full(830, -40.0)
    for beat in beats[phase::4]:
        low_db[beat : beat + 5] = 0.0
    assert tracking.bar_phase(beats, low_db, 4) == phase
