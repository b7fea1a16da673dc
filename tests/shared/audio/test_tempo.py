from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.tempo import TempoChange, TempoMap, TimeSignature
from shared.errors import ValidationError

TEMPOS = st.fractions(5, 1_000, max_denominator=1_000)
BEATS = st.fractions(0, 10_000, max_denominator=960)


@st.composite
def tempo_maps(draw):
    beats = sorted(draw(st.sets(st.fractions(1, 500, max_denominator=48), max_size=6)))
    return TempoMap(draw(TEMPOS), [TempoChange(beat, draw(TEMPOS)) for beat in beats])


@given(tempo_maps(), BEATS)
def test_there_and_back_is_exact_over_tempo_changes(tempo_map, beat):
    assert tempo_map.beats_at(tempo_map.seconds_at(beat)) == beat


@given(tempo_maps(), BEATS, BEATS)
def test_later_beats_fall_later(tempo_map, one, other):
    early, late = sorted((one, other))
    assert tempo_map.seconds_at(early) <= tempo_map.seconds_at(late)


def test_a_tempo_change_by_hand():
    tempo_map = TempoMap(120, [TempoChange(8, 60), TempoChange(10, 90)])
    assert tempo_map.seconds_at(8) == 4
    assert tempo_map.seconds_at(10) == 6
    assert tempo_map.seconds_at(13) == 8
    assert tempo_map.bpm_at(9.5) == 60
    assert tempo_map.frame_at(8.5, 48_000) == 216_000


def test_floats_mean_what_they_print():
    assert TempoMap(100).seconds_at(0.1) == Fraction(6, 100)


def test_bars_follow_time_signatures():
    tempo_map = TempoMap(120, (), [TimeSignature(), TimeSignature(2, 3, 4), TimeSignature(4, 6, 8)])
    assert tempo_map.beats_at_bar(2) == 8
    assert tempo_map.beats_at_bar(4) == 14
    position = tempo_map.bar_at(Fraction(29, 2))
    assert (position.bar, position.beat) == (4, Fraction(1, 2))


@given(st.integers(0, 500), st.fractions(0, Fraction(29, 10), max_denominator=96))
def test_bars_there_and_back(bar, inside):
    tempo_map = TempoMap(97, (), [TimeSignature(), TimeSignature(3, 3, 4), TimeSignature(9, 7, 8)])
    position = tempo_map.bar_at(tempo_map.beats_at_bar(bar, inside))
    assert (position.bar, position.beat) == (bar, inside)


def test_another_starting_tempo_keeps_the_proportions():
    faster = TempoMap(100, [TempoChange(4, 50)]).starting_at(128)
    assert faster.bpm_at(0) == 128
    assert faster.bpm_at(4) == 64


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TempoMap(2), "2 BPM is outside 5 to 1,000 BPM"),
        (lambda: TempoMap(120, [TempoChange(4, 90), TempoChange(4, 80)]), "in order"),
        (lambda: TempoMap(120, (), [TimeSignature(0, 4, 5)]), "must look like 4/4"),
        (lambda: TempoMap().seconds_at(-1), "lies before the start"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ValidationError, match=words):
        make()
