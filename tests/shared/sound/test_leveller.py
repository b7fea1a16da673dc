"""Two people at unlike distances from the microphone come out alike; what is no speech is not raised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sound.leveller import MOST_GAIN_DB, Turn, level_speech

PAUSE_LUFS = -60.0


def talk(levels_lufs: list[float], seconds: int = 4) -> tuple[np.ndarray, list[Turn]]:
    """Turns of ``seconds`` with a second of pause before each and at the end."""
    steps, turns = [], []
    for lufs in levels_lufs:
        steps += [np.full(100, PAUSE_LUFS), np.full(100 * seconds, lufs)]
        end_ms = 10 * sum(map(len, steps))
        turns.append(Turn(end_ms - 1000 * seconds, end_ms))
    return np.concatenate([*steps, np.full(100, PAUSE_LUFS)]), turns


def after(levels_lufs: np.ndarray, gains_db: np.ndarray, turn: Turn) -> float:
    part = slice(int(turn.start_ms / 10), int(turn.end_ms / 10))
    return float(10 * np.log10(np.mean(10 ** ((levels_lufs + gains_db)[part] / 10))))


def test_two_speakers_seven_decibels_apart_end_alike() -> None:
    levels_lufs, turns = talk([-20.0, -27.0, -20.0, -27.0])
    levels = level_speech(levels_lufs, turns)
    assert levels is not None
    heard = [after(levels_lufs, levels.gains_db, turn) for turn in turns]
    assert max(heard) - min(heard) < 0.5
    assert levels.target_lufs == pytest.approx(-22.2, abs=0.2)


@given(st.lists(st.floats(-50, -10), min_size=1, max_size=6))
def test_pauses_are_never_raised_and_gain_has_its_limit(loudness: list[float]) -> None:
    levels_lufs, turns = talk(loudness)
    levels = level_speech(levels_lufs, turns)
    assert levels is not None and len(levels.gains_db) == len(levels_lufs)
    assert np.abs(levels.gains_db).max() <= MOST_GAIN_DB + 1e-9
    pause = np.ones(len(levels_lufs), bool)
    for turn in turns:  # but for the ramp around each turn
        pause[int(turn.start_ms / 10) - 12 : int(turn.end_ms / 10) + 12] = False
    assert levels.gains_db[pause].max() <= 1e-9


def test_a_breath_within_a_turn_is_not_raised() -> None:
    levels_lufs, turns = talk([-20.0, -30.0])
    breath = slice(int(turns[1].start_ms / 10) + 150, int(turns[1].start_ms / 10) + 190)
    levels_lufs[breath] = -48.0
    levels = level_speech(levels_lufs, turns)
    assert levels is not None
    inside = levels.gains_db[breath.start + 6 : breath.stop - 6]
    assert inside.max() <= 1e-9 and levels.gains_db[breath.start - 20] > 5


def test_one_person_keeps_loud_and_soft_where_it_is_told_who_speaks() -> None:
    levels_lufs, turns = talk([-20.0, -24.0])
    told = [Turn(turn.start_ms, turn.end_ms, "anna") for turn in turns]
    levels = level_speech(levels_lufs, told)
    assert levels is not None
    first, second = (after(levels_lufs, levels.gains_db, turn) for turn in told)
    assert first - second == pytest.approx(4.0, abs=0.3)


def test_nobody_speaks() -> None:
    assert level_speech(np.full(100, -30.0), []) is None
    assert level_speech(np.zeros(0), [Turn(0, 1000)]) is None


@given(st.integers(1, 9_000))
def test_blocks_make_no_difference(size: int) -> None:
    levels_lufs, turns = talk([-20.0, -27.0], 1)
    levels = level_speech(levels_lufs, turns)
    assert levels is not None
    sound = np.ones((len(levels_lufs) * 80, 2), np.float32)
    whole = np.concatenate(list(levels.applied([sound], 8_000)))
    parts = np.array_split(sound, range(size, len(sound), size))
    assert np.array_equal(np.concatenate(list(levels.applied(parts, 8_000))), whole)


def test_turns_that_hold_no_step_change_nothing_and_have_no_loudness() -> None:
    """One of 3 ms, and one behind the levels' end, as where less sound was decoded than was promised."""
    levels_lufs, turns = talk([-20.0, -27.0])
    end_ms = 10.0 * len(levels_lufs)
    odd = [Turn(101, 104), *turns, Turn(end_ms, end_ms + 2000)]
    levels, usual = level_speech(levels_lufs, odd), level_speech(levels_lufs, turns)
    assert levels is not None and usual is not None
    assert levels.before_lufs == [None, *usual.before_lufs, None]
    assert np.array_equal(levels.gains_db, usual.gains_db)
    assert level_speech(levels_lufs, [odd[0], odd[-1]]) is None
