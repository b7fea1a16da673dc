"""Beats at the attacks of what is played on them.

``beats`` finds them by where onset strength peaks, to a frame, 5 to 30 ms behind the attack. A musician
cuts and warps at the attack, which ``attacks`` knows to half a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.sound.attacks import STEPS_PER_S, Onset
from shared.sound.beats import Section

_AUDIBLE_DB = 2.0
"""A weaker onset may be anything."""
_NEAR_S = 0.05
"""So far ahead of a beat, or behind it, its attack is sought; a section's median tells how late it is."""
_OWN_S = 0.03
"""An attack so near to where the section lets it be expected is the beat's own."""
_ENOUGH = 4
"""Of fewer attacks near beats nothing follows."""
_SILENT_BEATS = 8
"""So far apart, at most, two beats tell by their attacks where those between them are."""


def at_attacks(sections: Sequence[Section], onsets: Sequence[Onset]) -> list[Section]:
    """The sections with each beat at its attack; one on which nothing begins lies evenly between others.

    A section with few attacks near its beats stays as it is.
    """
    attacks_s = [onset.step / STEPS_PER_S for onset in onsets if onset.strength_db >= _AUDIBLE_DB]
    if len(attacks_s) < _ENOUGH:
        return list(sections)
    return [
        replace(section, beats_s=_at_attacks(section.beats_s, np.array(attacks_s)))
        for section in sections
    ]


def _at_attacks(
    beats_s: NDArray[np.float64], attacks_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    late_s = beats_s - _nearest(beats_s, attacks_s)
    near = np.abs(late_s) <= _NEAR_S
    if near.sum() < _ENOUGH:
        return beats_s
    moved_s = np.maximum(beats_s - np.median(late_s[near]), 0.0)
    attack_s = _nearest(moved_s, attacks_s)
    own = np.flatnonzero(np.abs(attack_s - moved_s) <= _OWN_S)
    moved_s[own] = attack_s[own]
    for one, other in pairwise(own.tolist()):
        if other - one <= _SILENT_BEATS:
            moved_s[one : other + 1] = np.linspace(moved_s[one], moved_s[other], other + 1 - one)
    return moved_s


def _nearest(times_s: NDArray[np.float64], attacks_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of ``attacks_s``, two or more and in order, the one nearest to each time."""
    after = np.clip(np.searchsorted(attacks_s, times_s), 1, len(attacks_s) - 1)
    before_s, after_s = attacks_s[after - 1], attacks_s[after]
    return np.where(times_s - before_s <= after_s - times_s, before_s, after_s)
