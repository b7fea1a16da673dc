"""Words' times, moved to where they are heard to begin and end.

Whisper's times come from its attention, in steps of 20 ms: words begin in the pause before them, and whole
rows of them lie 100 to 200 ms early. So the sound itself is asked where it is quiet, and each border
between two words takes one of these stretches, or none: the cheapest way for all of them together.

    words -> stretches without a pause of 3 s -> levels of each 5 ms -> quiet: below a limit that follows the
    room and the voice -> a phrase's last word as long as it sounds -> each border to a quiet (dynamic
    programming, R. Bellman 1957) -> the same words, none over the next

Order, text and number of words stay; only times change. Costs were set on the sounds of
docs/quality/speech.md, "Word times", whose table says what they give. It cannot tell a breath or a
crowd from a word where no quiet lies between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from shared.contracts.spoken_word import SpokenWord
from shared.media.mapped import let_go
from shared.media.vad import RATE_HZ
from shared.sound.levels import runs
from shared.sound.speech import Voiced

Floats = NDArray[np.float32]

_STEP_MS = 5
"""Every time that comes of a quiet is a multiple of it from a stretch's beginning."""
_STEP_SAMPLES = RATE_HZ * _STEP_MS // 1000
_AROUND_MS = 400
"""So far before its first word and behind its last one a stretch is looked at."""
_APART_MS = 3000
"""Words farther apart than this are looked at in stretches of their own."""
_CLOSURE_MS, _CLICK_MS = 50, 20
"""A shorter quiet is none; one that a shorter sound interrupts is one."""
_ABOVE_FLOOR_DB, _BELOW_SPEECH_DB = 4.5, 38.0
"""Quiet is what lies within the one of the room's level, or the other and more below speech."""
_EMPHASIS = 0.7
"""Each sample less so much of the one before: 15 dB more at 8 kHz than at 0 Hz, where rumble is."""
_NEAR_MS, _ANEW_MS = 5000, 500
"""The level is judged within so much on either side, each so often."""
_BLOCK_SAMPLES = 60 * RATE_HZ
"""So much is read of a voice at once, however long a stretch is."""
_EARLY_MS = 60
"""By so much Whisper's borders between words come too early, in the middle."""
_FARTHEST_MS = 700
"""No farther from where two words are said to part they do."""
_PAD_MS = 75
"""Voice activity goes on for so much behind a phrase."""
_LEAST_MS = 20
"""No word is shorter: one of Whisper's steps."""
_BREATH_MS, _PAUSE_MS = 400, 150
"""A breath is no longer, and has so much quiet on either side."""

# What a way to part the words costs; the cheapest is taken. Only their ratios count: a border rather moves
# up to 117 ms to a quiet than stays where there is none.
_MOVED_PER_MS = 0.006
"""A border, for each millisecond that it moves: more trusts Whisper's times, less trusts the quiet."""
_PASSED_PER_MS, _PASSED_MOST = 0.02, 4.0
"""Quiet that lies within a word: a plosive is cheap, a pause is not."""
_BREATH_PER_MS = 0.004
"""A breath that is left out between two words: little, for it is none of either."""
_UNPARTED = 0.7
"""Two words with no quiet between them."""
_HURRIED_MS, _HURRIED = 60, 3.0
"""A word shorter than this."""


def to_edges(
    voice: Floats, words: Sequence[SpokenWord], phrases: Sequence[Voiced]
) -> list[SpokenWord]:
    """The same words of one voice (16 kHz), in the same order, none over the next.

    ``voice``: ``(samples,)``, float32, -1 to 1, perhaps mapped from a file, whose pages are given back
    after each stretch. ``words``: by their starts. ``phrases``: where there is speech in that voice, in
    order. Without words there are none. The time grows with the words, and with the square of the quiets
    that lie near each.
    """
    made: list[SpokenWord] = []
    ends_ms = [one.end_ms - _PAD_MS for one in phrases]
    for stretch in _stretches(words):
        made += _refined(voice, stretch, ends_ms)
        let_go(voice)
    return made


def _stretches(words: Sequence[SpokenWord]) -> Iterator[Sequence[SpokenWord]]:
    """The words, parted where two are farther apart than ``_APART_MS``."""
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or words[index].start_ms - words[index - 1].end_ms > _APART_MS:
            yield words[first:index]
            first = index


def _refined(
    voice: Floats, words: Sequence[SpokenWord], ends_ms: Sequence[int]
) -> list[SpokenWord]:
    """One stretch's words at their new times; ``ends_ms``: where phrases end, rising.

    The start of the first word and the end of the last are borders, too, with nothing on their other side.
    """
    longest_ms = list(_phrase_ends(words, ends_ms))
    begin_ms = max(0, words[0].start_ms - _AROUND_MS)
    until_ms = min(longest_ms[-1] + _AROUND_MS, len(voice) * 1000 // RATE_HZ)
    level = _levels(voice, begin_ms, until_ms)
    quiet = [
        (begin_ms + _STEP_MS * first, begin_ms + _STEP_MS * last)
        for first, last in _quiet(level < _limits(level))
    ]
    words = list(_sounding_on(words, longest_ms, quiet))
    first_ms, last_ms = words[0].start_ms, words[-1].end_ms
    said = [(first_ms, first_ms), *_borders(words), (last_ms, last_ms)]
    parted = _parted(said, quiet)
    return [
        word.model_copy(update={"start_ms": one[1], "end_ms": other[0]})
        for word, (one, other) in zip(words, pairwise(parted), strict=True)
    ]


def _phrase_ends(words: Sequence[SpokenWord], ends_ms: Sequence[int]) -> Iterator[int]:
    """Where a phrase's last word ends at the latest; of the others, and far from there, their own ends."""
    following = [*(word.start_ms for word in words[1:]), None]
    for word, next_ms in zip(words, following, strict=True):
        at = bisect_left(ends_ms, word.end_ms)
        end_ms = ends_ms[at] if at < len(ends_ms) else word.end_ms
        last = next_ms is None or end_ms <= next_ms
        yield end_ms if last and end_ms - word.end_ms <= _FARTHEST_MS else word.end_ms


def _sounding_on(
    words: Sequence[SpokenWord], longest_ms: Sequence[int], quiet: Sequence[tuple[int, int]]
) -> Iterator[SpokenWord]:
    """The words, a phrase's last one as long as it sounds: Whisper ends many half a second early."""
    quiet_until = [until_ms for _, until_ms in quiet]
    for word, end_ms in zip(words, longest_ms, strict=True):
        at = bisect_right(quiet_until, word.end_ms - _CLOSURE_MS)
        goes_on = at == len(quiet) or quiet[at][0] >= end_ms - _CLICK_MS
        yield word.model_copy(update={"end_ms": end_ms}) if goes_on else word


def _borders(words: Sequence[SpokenWord]) -> Iterator[tuple[int, int]]:
    """Where Whisper has one word end and the next begin; without a gap, both a little later."""
    for one, other in pairwise(words):
        if other.start_ms - one.end_ms > _EARLY_MS:
            yield one.end_ms, other.start_ms
        else:
            border_ms = (one.end_ms + other.start_ms) // 2 + _EARLY_MS
            yield border_ms, border_ms


def _levels(voice: Floats, begin_ms: int, until_ms: int) -> Floats:
    """dB of each 5 ms, ``(steps,)``: half its own power, a quarter each neighbour's; high sounds count more.

    0 dB is a mean square of 1 behind the emphasis; digital silence is -120.
    """
    first = begin_ms * RATE_HZ // 1000
    last = first + (until_ms - begin_ms) // _STEP_MS * _STEP_SAMPLES
    power = [
        _powers(np.asarray(voice[at : min(at + _BLOCK_SAMPLES, last)], np.float32))
        for at in range(first, last, _BLOCK_SAMPLES)
    ]
    around = np.convolve(np.pad(np.concatenate(power), 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    return np.asarray(10 * np.log10(around + 1e-12), np.float32)


def _powers(sound: Floats) -> Floats:
    """The mean square of each 5 ms, behind the emphasis; ``sound`` is a multiple of it long."""
    bright = sound - np.float32(_EMPHASIS) * np.concatenate([sound[:1], sound[:-1]])
    return np.asarray(np.square(bright).reshape(-1, _STEP_SAMPLES).mean(axis=1))


def _limits(level: Floats) -> Floats:
    """What is softer is quiet, in dB, ``(steps,)``: near the softest, or far below speech, of 10 s around.

    The room is their 5th percentile, speech the 95th. Where these are less than 13.5 dB apart, the limit is
    a third of that above the room.
    """
    reach, every = _NEAR_MS // _STEP_MS, _ANEW_MS // _STEP_MS
    limits = []
    for at in range(0, len(level), every):
        near = level[max(0, at - reach) : at + reach]
        floor, speech = np.percentile(near, (5, 95))
        above = min(_ABOVE_FLOOR_DB, (speech - floor) / 3)
        limits.append(max(floor + above, speech - _BELOW_SPEECH_DB))
    return np.repeat(np.array(limits, np.float32), every)[: len(level)]


def _quiet(below: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches of quiet ``[first, last)``, clicks within them passed over."""
    joined: list[tuple[int, int]] = []
    for first, last in runs(below):
        near = bool(joined) and first - joined[-1][1] < _CLICK_MS // _STEP_MS
        joined.append((joined.pop()[0] if near else first, last))
    return (run for run in joined if run[1] - run[0] >= _CLOSURE_MS // _STEP_MS)


@dataclass(frozen=True)
class _Way:
    """How the borders so far were parted, and what that costs."""

    cost: float
    last: int
    """The last quiet that was passed or taken; -1: none."""
    parted: tuple[int, int]
    """Where the last border's word before ends, and its word after begins, in ms."""
    before: _Way | None


def _parted(
    said: Sequence[tuple[int, int]], quiet: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """For each border, said to be at a time: where one word ends and the next begins, in ms.

    Each takes a quiet, in order, or none; the cheapest way for all (dynamic programming over the last
    quiet that was taken), for where one word is said too early its neighbours are.
    """
    passed = [0.0, *accumulate(map(_cost_of_passing, quiet))]
    ways = [_Way(0.0, -1, (-_FARTHEST_MS, -_FARTHEST_MS), None)]
    near = 0
    for border in said:
        while near < len(quiet) and quiet[near][1] < border[0] - _FARTHEST_MS:
            near += 1
        found: dict[tuple[int, bool], _Way] = {}
        for way in ways:
            for onward in _onward(way, border, quiet, near, passed):
                key = (onward.last, onward.parted[0] == onward.parted[1])
                if key not in found or onward.cost < found[key].cost:
                    found[key] = onward
        ways = list(found.values())
    rest = [one.cost + passed[-1] - passed[one.last + 1] for one in ways]
    best: _Way | None = ways[rest.index(min(rest))]
    made = []
    while best is not None:
        made.append(best.parted)
        best = best.before
    return made[-2::-1]


def _onward(
    way: _Way,
    border: tuple[int, int],
    quiet: Sequence[tuple[int, int]],
    near: int,
    passed: Sequence[float],
) -> Iterator[_Way]:
    """One border more: as it was said, or with a quiet that comes after the last one taken."""
    low_ms, high_ms = border
    apart_ms = max(low_ms, way.parted[1] + _LEAST_MS)
    cost = way.cost + _UNPARTED + _cost_of_length(way, apart_ms)
    cost += _MOVED_PER_MS * (apart_ms - low_ms)
    yield _Way(cost, way.last, (apart_ms, max(apart_ms, high_ms)), way)
    for index in range(max(near, way.last + 1), len(quiet)):
        end_ms, start_ms = quiet[index]
        if end_ms > high_ms + _FARTHEST_MS:
            break
        if end_ms < way.parted[1] + _LEAST_MS:
            continue
        moved_ms = max(end_ms - high_ms, low_ms - start_ms, 0)
        cost = way.cost + _MOVED_PER_MS * moved_ms + _cost_of_length(way, end_ms)
        cost += passed[index] - passed[way.last + 1]
        yield _Way(cost, index, (end_ms, start_ms), way)
        if index + 1 < len(quiet) and _breath_between(*quiet[index : index + 2]):
            breath_ms = quiet[index + 1][0] - start_ms
            cost += _BREATH_PER_MS * breath_ms
            yield _Way(cost, index + 1, (end_ms, quiet[index + 1][1]), way)


def _breath_between(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Is what lies between two quiets no more than a breath or a click in a pause?"""
    pauses = min(one[1] - one[0], other[1] - other[0]) >= _PAUSE_MS
    return pauses and other[0] - one[1] <= _BREATH_MS


def _cost_of_passing(quiet: tuple[int, int]) -> float:
    """Of a quiet that is left within a word; from 200 ms on no more."""
    return min(_PASSED_PER_MS * (quiet[1] - quiet[0]), _PASSED_MOST)


def _cost_of_length(way: _Way, end_ms: int) -> float:
    """Of a word that would begin where ``way`` ends, and end at ``end_ms``."""
    return _HURRIED if end_ms - way.parted[1] < _HURRIED_MS else 0.0
