"""What a recording stands on is told from what only swings more to one side."""

from __future__ import annotations

import numpy as np
import pytest

from shared.media.streams import Ear
from tests.shared.media.odd_sound import RATE, Samples, bursts


def offsets_of(*channels: Samples) -> tuple[float, ...]:
    ear = Ear(len(channels))
    ear.add(np.stack(channels, axis=1).astype(np.float32))
    return ear.offsets


@pytest.mark.parametrize("offset", [0.1, -0.1, 0.002])
def test_an_offset_beneath_sound_and_pauses_is_told(offset: float) -> None:
    sound = bursts(3.0)
    assert offsets_of(sound + offset, sound) == pytest.approx((offset, 0.0), abs=1e-4)


def test_beats_that_swing_to_one_side_stand_on_nothing() -> None:
    beats = abs(bursts(3.0))
    assert beats.mean() > 0.1 and not offsets_of(beats)


def test_what_ends_in_mid_recording_is_no_offset_of_it() -> None:
    assert not offsets_of(bursts(4.0) + 0.1 * (np.arange(4 * RATE) < 2 * RATE))


def test_a_sound_too_short_to_tell_is_left_as_it_is() -> None:
    assert not offsets_of(bursts(0.5) + 0.1)
