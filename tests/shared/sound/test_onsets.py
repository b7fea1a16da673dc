"""Onset strength is librosa's, and does not depend on how the recording falls into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sound.onsets import FINE, FLOOR_POWER, hop_samples, pick_peaks
from tests.functions.detect import synth
from tests.onset_tracks import analyse


@pytest.mark.heavy
def test_equals_librosa() -> None:
    import librosa

    samples = synth.drums(rate_hz=22_050, bars=4).samples
    tracks = analyse([samples[:, None]], 22_050)
    mel = librosa.feature.melspectrogram(y=samples, sr=22_050, pad_mode="reflect")
    mel_db = librosa.power_to_db(mel, amin=FLOOR_POWER, top_db=None)
    theirs = librosa.onset.onset_strength(S=mel_db)
    np.testing.assert_allclose(tracks.flux_db, theirs, atol=2e-3)
    assert (tracks.fine_flux_db[::FINE] == tracks.flux_db).all()


@pytest.mark.heavy
@pytest.mark.parametrize("fine", [1, FINE])
def test_peaks_are_librosa_s(fine: int) -> None:
    """To the last bit, equal values and both ends included."""
    import librosa

    rng = np.random.default_rng(fine)
    for length in range(1, 400):
        flux_db = np.square(rng.standard_normal(length)).astype(np.float32)
        flux_db = np.round(4 * flux_db) / 4 if length % 3 else flux_db
        for threshold_db in (0.0, 0.7, 1.0):
            theirs = librosa.util.peak_pick(
                flux_db,
                pre_max=fine,
                post_max=fine,
                pre_avg=4 * fine,
                post_avg=4 * fine + 1,
                delta=threshold_db,
                wait=fine,
            )
            ours = pick_peaks(flux_db, threshold_db, fine=fine)
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("block", [1, 777, 4_096, 65_536])
def test_blocks_do_not_matter(block: int) -> None:
    rate_hz = 8_000
    samples = synth.drums(rate_hz=rate_hz, bars=1).samples[:, None].repeat(2, axis=1)
    whole = analyse([samples], rate_hz)
    cut = analyse([samples[at : at + block] for at in range(0, len(samples), block)], rate_hz)
    for name in vars(whole):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


@given(st.integers(1, 3_000), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_any_length_and_channels(samples: int, channels: int) -> None:
    tracks = analyse([np.full((samples, channels), 0.5, np.float32)], 8_000)
    assert tracks.flux_db.size == tracks.power.size == tracks.peak.size
    assert tracks.fine_new_db.size == tracks.fine_flux_db.size == FINE * tracks.flux_db.size
    assert tracks.flux_db.size == 1 + samples // hop_samples(8_000)
    assert tracks.silent  # constant: all of it is DC offset
    assert not pick_peaks(tracks.flux_db, 0.1).size
