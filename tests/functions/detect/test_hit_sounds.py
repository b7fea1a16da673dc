"""Hits are told by their sound: the drum where it is sure, a word where it is not, and their takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.detect.hit_kinds import CLASSES, DRUMS, kind_of, probabilities
from functions.detect.hit_sounds import HitSounds
from tests.functions.detect import synth
from tests.models import drum_synth

RATE_HZ = 44_100


def wide(mono: np.ndarray) -> np.ndarray:
    return np.asarray(mono, np.float32)[:, None]


def drums(kind: str, count: int, seed: int) -> list[np.ndarray]:
    """Sounds of the training's recipes, by a seed that it did not use."""
    rng = np.random.default_rng(seed)
    recipe = drum_synth.RECIPES[kind]
    return [wide(drum_synth.recorded(recipe(rng), rng)) for _ in range(count)]


@pytest.mark.first_is_quick
@pytest.mark.parametrize("kind", ["kick", "snare", "tom", "clap"])
def test_drums_are_named_and_hardly_ever_wrongly(kind: str) -> None:
    names = [kind_of(sound, RATE_HZ, False).name for sound in drums(kind, 30, 7)]
    assert names.count(kind) >= 18
    assert sum(name in DRUMS and name != kind for name in names) <= 2


@pytest.mark.heavy
def test_what_might_be_a_hat_or_a_cymbal_is_a_cymbal() -> None:
    names = [kind_of(sound, RATE_HZ, False).name for sound in drums("hat", 30, 8)]
    assert names.count("hat") + names.count("cymbal") >= 18


@pytest.mark.heavy
def test_what_is_no_drum_is_called_by_its_sound() -> None:
    names = [kind_of(sound, RATE_HZ, False).name for sound in drums("other", 60, 9)]
    assert sum(name in DRUMS for name in names) <= 4


def struck(hz: float, fall_s: float, noise: float) -> np.ndarray:
    """Wood, or whatever has a few partials that share no pitch, with wind behind it."""
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    partials = ((1.0, 1.0), (2.4, 0.6), (3.9, 0.4))
    sound = sum(
        level * np.sin(2 * np.pi * hz * ratio * time) * np.exp(-time / fall_s)
        for ratio, level in partials
    )
    return np.asarray(sound) + noise * np.random.default_rng(0).standard_normal(len(time))


@pytest.mark.parametrize(
    ("sound", "word"),
    [
        (struck(310, 0.03, 0.01), "knock"),
        (struck(310, 0.03, 0.05), "knock"),
        (struck(900, 0.5, 0.001), "clang"),
        (struck(90, 0.03, 0.001), "thud"),
        (struck(4_000, 0.004, 0.001), "click"),
    ],
)
def test_words_are_for_what_can_be_heard(sound: np.ndarray, word: str) -> None:
    assert kind_of(wide(sound), RATE_HZ, False).name in (word, "kick" if word == "thud" else word)


@pytest.mark.parametrize(
    ("sound", "pitched", "name"),
    [
        (synth.note(RATE_HZ, 220.0), True, "note"),
        (np.zeros(RATE_HZ), False, None),
        (np.zeros(0), False, None),
        (np.full(RATE_HZ, np.nan), False, None),
        (np.ones(3), False, None),
    ],
    ids=["note", "silence", "nothing", "no numbers", "three samples"],
)
def test_odd_sounds_have_a_word_too(sound: np.ndarray, pitched: bool, name: str | None) -> None:
    kind = kind_of(wide(sound), RATE_HZ, pitched)
    assert kind.name not in DRUMS and (name is None or kind.name == name)
    assert kind.probability == 0


@settings(max_examples=20)
@given(rate_hz=st.sampled_from([8_000, 11_025, 48_000, 192_000]), gain_db=st.integers(-50, 20))
def test_the_level_does_not_matter_and_any_rate_is_read(rate_hz: int, gain_db: int) -> None:
    sound = wide(synth.snare(rate_hz))
    louder = sound * np.float32(10 ** (gain_db / 20))
    assert kind_of(louder, rate_hz, False).name == kind_of(sound, rate_hz, False).name


def test_probabilities_are_of_all_classes() -> None:
    chances = probabilities(np.zeros(85))
    assert chances.shape == (len(CLASSES),) and chances.sum() == pytest.approx(1)


def test_takes_of_a_sound_are_counted_however_hard_it_is_struck() -> None:
    sounds = HitSounds(RATE_HZ)
    played = [(synth.snare(RATE_HZ), 1.0), (synth.kick(RATE_HZ), 1.0), (synth.snare(RATE_HZ), 0.3)]
    told = [
        sounds.describe(wide(gain * sound), 1_000.0 * index)
        for index, (sound, gain) in enumerate([*played, (synth.snare(RATE_HZ), 0.05)])
    ]
    assert [one["take"] for one in told] == [1, 1, 2, 3]
    assert [one.get("take_of_ms") for one in told] == [None, None, 0.0, 0.0]


def test_a_pitch_is_named() -> None:
    told = HitSounds(RATE_HZ).describe(wide(synth.note(RATE_HZ, 98.2)), 0.0)
    assert told["note"] == "G2" and told["pitch_hz"] == pytest.approx(98.2, rel=0.002)
    assert "pitch_hz" not in HitSounds(RATE_HZ).describe(wide(synth.hat(RATE_HZ)), 0.0)


def test_the_weights_are_those_that_the_figures_are_of() -> None:
    weights = Path(__file__).parents[3] / "functions/detect/hit_kinds.json"
    assert hashlib.sha256(weights.read_bytes()).hexdigest()[:16] == "796082f41252c18c"
