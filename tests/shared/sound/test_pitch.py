"""Clear pitches are found and named; what has none gets none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sound.pitch import Pitch, normalised_difference, note_name, pitch_of
from tests.functions.detect import synth

RATE_HZ = 44_100


def stereo(mono: np.ndarray) -> np.ndarray:
    return np.stack([mono, 0.5 * mono], axis=1).astype(np.float32)


@given(note=st.integers(36, 91), cents=st.integers(-45, 45))
def test_notes_are_found_within_three_cents(note: int, cents: int) -> None:
    hertz = 440 * 2 ** ((note - 69 + cents / 100) / 12)
    found = pitch_of(stereo(synth.note(RATE_HZ, hertz)), RATE_HZ)
    assert found is not None
    assert (found.note, found.cents) == (note, pytest.approx(cents, abs=3))


@pytest.mark.parametrize("note", [21, 23, 28, 31, 100, 103])
def test_a_basss_strings_and_a_pianos_keys_are_notes(note: int) -> None:
    """A bass's begin at note 23 (B0); what is an octave off lies on the wrong key of a sampler."""
    found = pitch_of(stereo(synth.note(48_000, 440 * 2 ** ((note - 69) / 12), 1.0)), 48_000)
    assert found is not None
    assert found.note == note and abs(found.cents) < 6


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 96_000, 192_000])
def test_any_sample_rate(rate_hz: int) -> None:
    found = pitch_of(stereo(synth.note(rate_hz, 220.0)), rate_hz)
    assert found is not None and found.hz == pytest.approx(220, rel=0.003)


@pytest.mark.parametrize("missing", [1, 3])
def test_a_weak_fundamental_does_not_matter(missing: int) -> None:
    t = np.arange(RATE_HZ // 2) / RATE_HZ
    partials = [k for k in range(1, 9) if k != missing]
    sound = 0.1 * sum(np.sin(2 * np.pi * 196 * k * t) for k in partials)
    found = pitch_of(stereo(np.asarray(sound)), RATE_HZ)
    assert found is not None and note_name(found.note) == "G3"


@pytest.mark.parametrize(
    "sound",
    [
        synth.hat(RATE_HZ),
        synth.snare(RATE_HZ),
        np.random.default_rng(1).standard_normal(RATE_HZ),
        np.zeros(RATE_HZ),
        np.full(RATE_HZ, 0.5),
        np.zeros(0),
        np.sin(2e-5 * np.arange(RATE_HZ) ** 2),
        synth.note(RATE_HZ, 220, 0.05),
    ],
    ids=["hat", "snare", "noise", "silence", "dc", "nothing", "sweep", "too short"],
)
def test_what_has_no_clear_pitch_gets_none(sound: np.ndarray) -> None:
    assert pitch_of(stereo(sound), RATE_HZ) is None


def test_the_difference_function_is_the_papers() -> None:
    frame = np.random.default_rng(3).standard_normal(300)
    longest, window = 100, 200
    plain = [
        float(np.square(frame[:window] - frame[lag : lag + window]).sum())
        for lag in range(longest + 1)
    ]
    expected = [1.0] + [plain[lag] * lag / sum(plain[1 : lag + 1]) for lag in range(1, longest + 1)]
    assert normalised_difference(frame[None], longest)[0] == pytest.approx(expected, abs=1e-9)


def test_names() -> None:
    assert [note_name(note) for note in (0, 36, 60, 61, 127)] == ["C-1", "C2", "C4", "C#4", "G9"]
    assert Pitch(445.0).cents == pytest.approx(19.6, abs=0.1)
