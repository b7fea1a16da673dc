"""The room is heard at any rate, and however a recording comes in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functions.render.cut.room_tone import Room
from tests.functions.render.cutting import RATE, Sound, cut, edit, edit_list, level_db, noise
from tests.functions.render.cutting import recording as recorded


def talk(seconds: float, rate: int) -> Sound:
    """A room at -56 dBFS, in which somebody speaks but for 0.6 s in every 2.1 s."""
    room = noise(round(seconds * rate), 0.0016, seed=3)
    spoken = np.arange(len(room)) % round(2.1 * rate) < round(1.5 * rate)
    room[spoken] += noise(len(room), 0.2, seed=4)[spoken]
    return room


@pytest.mark.parametrize(
    "rate", [8_000, 11_025, 48_000, pytest.param(192_000, marks=pytest.mark.heavy)]
)
def test_pauses_are_heard_across_blocks(rate: int) -> None:
    sound = talk(7, rate).astype(np.float32)
    silenced = [(round(2 * rate), round(2.2 * rate))]
    made = []
    for frames in (len(sound), 1 << 16, 4_801, 441):
        room = Room(rate, len(sound), silenced)
        for first in range(0, len(sound), frames):
            room.hear(sound[first : first + frames])
        made.append(room.tone(0, 0, rate, 1))
        assert level_db(made[-1].astype(np.float64)) == pytest.approx(-56, abs=1)
    # In one block there is one quietest place; in several, the quietest of them.
    assert all(np.array_equal(made[0], one) for one in made[1:])


@pytest.mark.heavy
@pytest.mark.parametrize("rate", [RATE, 192_000])
def test_what_is_muted_is_filled_with_room_at_any_rate(rate: int, tmp_path: Path) -> None:
    sound = talk(7, rate)
    listed = edit_list(edit("mute", 2_200, 2_700), samples=len(sound), rate=rate)
    heard, made = cut(recorded(tmp_path / "talk.wav", sound, rate), listed, rate)
    assert made.room_heard
    assert level_db(heard[round(2.25 * rate) : round(2.65 * rate)]) == pytest.approx(-56, abs=1)
