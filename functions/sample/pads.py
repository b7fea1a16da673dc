"""How a pack is played, whatever the sampler: which sound lies on which key, and which take is heard when.

    key   <- sound <- layers, by level <- takes that take turns (round robin)

Takes of one sound that differ in level become layers: a soft stroke of the recording answers a soft
stroke on the pad. A sampler makes velocity ``v`` quieter by ``40 log10(v / 127)`` dB (sfzformat.com,
``amp_veltrack``); a take that was recorded ``d`` dB below the loudest is therefore at home at
``127 * 10 ** (-d / 40)``, and is lifted by ``d`` so that it sounds there as it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from functions.sample.members import Member, best

FIRST_KEY = 36
"""Where drum pads begin: C2, where General MIDI has the kick."""
KEYS = 64
"""Sixteen pads in four banks; more sounds than that go on in a further program."""
MOST_LAYERS = 4
"""An MPC's pad has so many."""
MOST_TURNS = 100
"""SFZ's seq_length has no more (sfzformat.com); of a sound the pack has fewer takes than that."""
LAYER_DB = 3.0
"""Takes less apart in level are one layer."""
MOST_LIFT_DB = 6.0
"""SFZ's volume has no more; a take that needs more sounds softer than it was recorded."""
REACH = 12
"""A tuned sample is transposed by an octave at most."""
HIGHEST = 127


@dataclass(frozen=True)
class Layer:
    """What is heard between two velocities."""

    low: int
    """First and last velocity, 1 to 127."""
    high: int
    lift_db: float
    """0 to ``MOST_LIFT_DB``; so much the velocity's own curve is made up for."""
    takes: Sequence[Member]
    """They take turns; ``MOST_TURNS`` at most."""


@dataclass(frozen=True)
class Pad:
    """One sound."""

    name: str
    key: int
    """Where it lies, and where it sounds as recorded."""
    low_key: int
    """The keys that play it, MIDI notes; the same as ``key`` but for tuned sounds."""
    high_key: int
    layers: Sequence[Layer]


def banks(members: Sequence[Member]) -> list[list[Pad]]:
    """One sound a key, from ``FIRST_KEY`` up; each bank has ``KEYS`` at most."""
    sounds = [list(takes) for _, takes in groupby(members, key=lambda member: member.sound)]
    return [
        [
            Pad(takes[0].sound, key, key, key, layers(takes))
            for key, takes in enumerate(sounds[first : first + KEYS], FIRST_KEY)
        ]
        for first in range(0, len(sounds), KEYS)
    ]


def tuned(members: Sequence[Member]) -> list[Pad]:
    """Sounds with a pitch at that pitch, each from halfway to its neighbours.

    Of one note they take turns: the ``MOST_TURNS`` that score highest, for all sounds together may have
    more takes than a sampler takes.
    """
    pitched = sorted((one for one in members if one.pitch), key=_note)
    by_note = groupby(pitched, key=_note)
    notes = [(note, best(list(takes), MOST_TURNS)) for note, takes in by_note]
    ranges = _key_ranges([note for note, _ in notes])
    return [
        Pad(takes[0].sound, note, low, high, [Layer(1, HIGHEST, 0.0, takes)])
        for (note, takes), (low, high) in zip(notes, ranges, strict=True)
    ]


def layers(takes: Sequence[Member]) -> list[Layer]:
    """By level, the softest first; together they answer velocities 1 to 127, each exactly once.

    A group begins where a take's peak lies ``LAYER_DB`` below the group's loudest; what is softer
    than the fourth group's loudest is in the fourth. Borders lie midway, in dB, between the groups'
    homes.
    """
    loudest_db = max(take.peak_dbfs for take in takes)
    groups: list[list[Member]] = []
    for take in sorted(takes, key=lambda one: (-one.peak_dbfs, one.name)):
        near = groups and groups[-1][0].peak_dbfs - take.peak_dbfs < LAYER_DB
        if near or len(groups) == MOST_LAYERS:
            groups[-1].append(take)
        else:
            groups.append([take])
    below_db = [loudest_db - group[0].peak_dbfs for group in groups]
    home = [HIGHEST * 10 ** (-down / 40) for down in below_db]
    borders = [max(1, round((loud * soft) ** 0.5)) for loud, soft in pairwise(home)]
    highs = [HIGHEST, *(min(border, HIGHEST - 1 - i) for i, border in enumerate(borders))]
    lows = [*(high + 1 for high in highs[1:]), 1]
    made = [
        Layer(low, high, round(min(down, MOST_LIFT_DB), 1), group)
        for low, high, down, group in zip(lows, highs, below_db, groups, strict=True)
        if low <= high
    ]
    return made[::-1]


def _note(member: Member) -> int:
    """The MIDI note nearest to a pitch, 0 to 127."""
    assert member.pitch is not None
    return min(max(member.pitch.note, 0), HIGHEST)


def _key_ranges(notes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Lowest and highest key of each of the notes, which rise."""
    for index, note in enumerate(notes):
        below = (notes[index - 1] + note) // 2 + 1 if index else 0
        above = (note + notes[index + 1]) // 2 if index + 1 < len(notes) else HIGHEST
        yield max(below, note - REACH, 0), min(above, note + REACH, HIGHEST)
