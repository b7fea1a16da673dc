"""Words' times are where they are heard to begin and end; the truth is exact to the sample."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import mean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.transcribe.edges import to_edges
from functions.transcribe.whisper import find_model, load_model
from shared.contracts.spoken_word import SpokenWord
from shared.sound.speech import Voiced
from tests.bench.quality_times import compared, ours
from tests.functions.transcribe.harness import REAL_MEDIA
from tests.functions.transcribe.sounds import noise, silence
from tests.functions.transcribe.timed import Timed, TimedWord, joined, spliced


def word(start_ms: int, end_ms: int, text: str = "hello") -> SpokenWord:
    return SpokenWord(
        start_ms=start_ms, end_ms=end_ms, text=text, probability=0.9, timing="aligned"
    )


def as_whisper_says(truth: Timed, seed: int) -> list[SpokenWord]:
    """Each begins where the one before ends, all of them early by some 150 ms, in steps of 20."""
    draw = random.Random(seed)
    starts = [
        max(0, round((1000 * one.start_s - draw.uniform(80, 220)) / 20) * 20) for one in truth.words
    ]
    ends = [*starts[1:], round(1000 * truth.words[-1].end_s) - 100]
    return [
        word(low, high, one.text) for one, low, high in zip(truth.words, starts, ends, strict=True)
    ]


@pytest.mark.parametrize(("noise_db", "most_ms"), [(-80, 12), (-60, 12), (-45, 40)])
def test_words_begin_and_end_where_they_sound(noise_db: float, most_ms: float) -> None:
    """In noise the softest consonants are not heard."""
    truth = spliced(3, (120, 400), noise_db)
    moved = to_edges(truth.sound, as_whisper_says(truth, 1), [])
    found = compared(truth, [TimedWord(w.text, w.start_ms / 1000, w.end_ms / 1000) for w in moved])
    assert len(found.starts_ms) == len(truth.words) and found.in_silence == 0
    assert mean(map(abs, found.starts_ms)) < most_ms and mean(map(abs, found.ends_ms)) < most_ms


def test_a_breath_in_a_pause_belongs_to_no_word() -> None:
    breath = 0.03 * noise(0.2, 0.0, 1.0)
    sound = np.concatenate(
        [silence(0.5), noise(0.4), silence(0.5), breath, silence(0.5), noise(0.4), silence(0.5)]
    )
    one, other = to_edges(sound, [word(440, 800), word(800, 2500)], [])
    assert (one.start_ms, one.end_ms) == pytest.approx((500, 900), abs=10)
    assert other.start_ms == pytest.approx(2100, abs=10)


def test_a_phrases_last_word_ends_with_its_sound() -> None:
    """Whisper has it end half a second early: as voice activity says, where nothing quiet lies between."""
    room = np.concatenate([silence(0.5), noise(3)])
    (in_noise,) = to_edges(room, [word(500, 1100)], [Voiced(500, 1775, 0.9)])
    assert in_noise.end_ms == 1700
    cough = np.concatenate([silence(0.5), noise(1.2), silence(0.3), noise(0.3), silence(0.5)])
    (before_quiet,) = to_edges(cough, [word(500, 1640)], [Voiced(500, 2375, 0.9)])
    assert before_quiet.end_ms == pytest.approx(1700, abs=15), "a cough behind a pause is no part"


times_ms = st.lists(st.integers(0, 20_000), min_size=1, max_size=30)


@given(times_ms, st.integers(0, 50))
def test_none_is_lost_and_none_begins_before_the_last_one_ends(drawn: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.integers(0, 2, 200), 1600)
    sound = (0.1 * rng.standard_normal(320_000) * loud).astype(np.float32)
    starts = sorted(set(drawn))
    words = [word(at, at + 20 + index, f"w{index}") for index, at in enumerate(starts)]
    phrases = [Voiced(at, at + 900, 0.9) for at in range(0, 20_000, 1000)]
    moved = to_edges(sound, words, phrases)
    assert [one.text for one in moved] == [one.text for one in words]
    assert all(one.end_ms - one.start_ms >= 20 for one in moved)
    near = [pair for pair in pairwise(moved) if pair[1].start_ms - pair[0].end_ms < 3000]
    assert all(one.end_ms <= other.start_ms for one, other in near)


@pytest.mark.heavy
@pytest.mark.real_weights
@pytest.mark.usefixtures("real_models")
@pytest.mark.skipif(
    not (REAL_MEDIA / "transcript").is_dir(), reason=f"no recordings in {REAL_MEDIA}"
)
def test_real_words_can_be_cut_on() -> None:
    """A last word may be recognised as another, which ends elsewhere: half lie within."""
    model = load_model(find_model("base"), "cpu")
    truth = joined(20)
    found = compared(truth, ours(model, truth.sound))
    assert mean(map(abs, found.starts_ms)) < 50
    assert median(map(abs, found.ends_ms)) < 20
    assert found.in_silence == 0
