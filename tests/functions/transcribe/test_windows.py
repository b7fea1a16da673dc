from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.transcribe.windows import (
    LEAD_MS,
    WHOLE_PAUSE_MS,
    WINDOW_MS,
    Part,
    fill,
    with_pauses,
)
from shared.sound.speech import Voiced
from tests.functions.transcribe.sounds import Samples, noise, silence

gaps_and_lengths_ms = st.lists(
    st.tuples(st.integers(0, 200), st.integers(2, 7000)), min_size=1, max_size=12
)


def pack(voice: Samples, phrases: list[Voiced]) -> list[list[Part]]:
    """All windows, where the model hears each to its end."""
    left, windows = list(with_pauses(phrases, len(voice) // 16)), []
    while left:
        window, left = fill(voice, left)
        windows.append(window)
    return windows


def length_ms(window: list[Part]) -> int:
    last = window[-1]
    return last.at_ms + last.end_ms - last.start_ms


def joined(phrases: list[Voiced]) -> list[tuple[int, int]]:
    """Where they are, those that touch as one."""
    found: list[tuple[int, int]] = []
    for one in phrases:
        start_ms = found.pop()[0] if found and found[-1][1] == one.start_ms else one.start_ms
        found.append((start_ms, one.end_ms))
    return found


@given(gaps_and_lengths_ms, st.integers(0, 100))
def test_every_phrase_is_in_windows_that_hold_it(drawn: list[tuple[int, int]], seed: int) -> None:
    phrases, at_ms = list[Voiced](), 0
    for gap, length in drawn:
        start_ms = at_ms + 10 * gap
        at_ms = start_ms + 10 * length
        phrases.append(Voiced(start_ms, at_ms, 0.9))
    sound = np.random.default_rng(seed).standard_normal(16 * at_ms, np.float32)
    windows = pack(sound, phrases)
    assert all(length_ms(window) <= WINDOW_MS for window in windows)
    pieces = [part.phrase for window in windows for part in window]
    assert joined(pieces) == joined(phrases)
    for window in windows:
        assert window[0].at_ms == 0
        for one, other in pairwise(window):
            assert other.at_ms == one.at_ms + one.end_ms - one.start_ms
    # Two neighbours that would fit into one window would have been put there, with the pause between them.
    spared_ms = WHOLE_PAUSE_MS // 2 - LEAD_MS
    assert all(length_ms(a) + length_ms(b) + spared_ms > WINDOW_MS for a, b in pairwise(windows))


def test_a_phrase_is_heard_with_what_lies_before_and_after_it() -> None:
    """Its onset would be lost otherwise; of a pause between two each has half, or little."""
    phrases = [Voiced(1000, 2000, 0.9), Voiced(2100, 3000, 0.9)]
    (window,) = pack(noise(5), phrases)
    assert [(part.start_ms, part.end_ms) for part in window] == [(800, 2050), (2050, 3250)]
    (window,) = pack(noise(9), [Voiced(3000, 4000, 0.9), Voiced(5800, 7000, 0.9)])
    assert [(part.start_ms, part.end_ms) for part in window] == [(2800, 4900), (4900, 7250)]
    (window,) = pack(noise(9), [Voiced(3000, 4000, 0.9), Voiced(6200, 7000, 0.9)])
    assert [(part.start_ms, part.end_ms) for part in window] == [(2800, 4500), (6000, 7250)]
    ((first,),) = pack(noise(2), [Voiced(0, 1000, 0.9)])
    assert first.start_ms == 0, "not before the recording"


@pytest.mark.parametrize("before_s", [0.0, 12.0])
def test_what_does_not_fit_is_cut_in_its_last_pause(before_s: float) -> None:
    """After 24 s of a window a pause of 250 ms; an earlier and a shorter one are left alone."""
    whole_s = 22 - before_s
    first = [Voiced(0, 12_000, 0.9)] if before_s else []
    parts = [
        *([noise(before_s)] if before_s else []),
        *(noise(whole_s), silence(0.3), noise(1.7)),
        *(silence(0.25), noise(1), silence(0.1), noise(20)),
    ]
    end_ms = sum(map(len, parts)) // 16
    phrases = [*first, Voiced(round(1000 * before_s), end_ms, 0.9)]
    cut_ms = pack(np.concatenate(parts), phrases)[0][-1].phrase.end_ms
    assert 24_000 < cut_ms < 24_250


def test_without_a_pause_it_is_cut_where_it_is_quietest() -> None:
    parts = [noise(25), 0.5 * noise(0.25), noise(20)]
    (cut, *_), *_ = pack(np.concatenate(parts), [Voiced(0, 45_250, 0.9)])
    assert 25_000 < cut.phrase.end_ms < 25_250


def test_a_pause_fills_even_a_little_room() -> None:
    parts = [noise(26), silence(0.25), noise(8)]
    phrases = [Voiced(0, 24_000, 0.9), Voiced(24_000, 34_250, 0.9)]
    (_, cut), _ = pack(np.concatenate(parts), phrases)
    assert 26_000 < cut.phrase.end_ms < 26_250


def test_a_phrase_that_nearly_fits_is_not_cut_for_little_room() -> None:
    phrases = [Voiced(0, 24_000, 0.9), Voiced(24_000, 34_000, 0.9)]
    windows = pack(noise(34), phrases)
    assert [[part.phrase for part in window] for window in windows] == [[one] for one in phrases]
