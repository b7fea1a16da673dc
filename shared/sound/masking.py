"""Would anybody hear what is new? What a louder sound beside it masks is no beginning.

A coder of sound puts its noise where its own sound hides it, and a chord's partials beat. Both lift
many bands by many decibels, far below the tones that sound: onset strength, which goes by decibels,
takes that for an attack.

Each band masks those above it by 5 dB less a Bark, which is what a loud tone does, and those below it
by 15 (Terhardt, "Calculating Virtual Pitch", Hearing Research 1, 1979, equation 6: 24 + 230 / f - 0.2 L
upwards, 27 downwards; mel bands are a Bark wide at the low end, and smear that).

A partial that moves sideways begins nothing either, and what only comes back does not. So each frame is
also told how far it stands out from what was there just before within a vibrato's reach (Böck and
Widmer, "Maximum Filter Vibrato Suppression for Onset Detection", DAFx 2013, whose filter is a band wide
at each side: too narrow for a semitone up and down), or in the same place within a vibrato's period.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

UPWARDS_DB, DOWNWARDS_DB = 5.0, 15.0
"""By so much a Bark what masks falls off above and below."""
HIDDEN_DB = -5.0
"""What is new in no band by more than this beside what masks it is not heard."""
_DEEPEST_DB = 60.0
"""What falls off further masks nothing."""
_BEFORE, _AFTER = (-4, -2), (2, 10)
"""Frames on whose mean, and on whose highest, what is new is told by: 12 ms each, from the onset's."""
_LATELY, _PERIOD = -5, -24
"""A partial that moves was elsewhere in the frames from the one on, and here from the other on: 280 ms."""
_REACH_SEMITONES, _SAME_SEMITONES = 3.0, 0.3
"""So far it moves, and so near it comes back; a band at least, each."""
_LOUDER = 1.5
"""So much louder than there, in power, is more than moving."""
_CONTEXT = _AFTER[1] - _PERIOD


class NewSound:
    """Takes the power of each band, frame by frame, and tells how far what is new stands out.

    Two rows: from what masks it, and by how much of it that did not move there (see above).
    """

    def __init__(self, edges_hz: NDArray[np.float64], floor_power: float) -> None:
        """``edges_hz``: ``(bands + 2,)``, where each band begins, peaks and ends.

        Powers are a hertz's; below ``floor_power`` nothing is heard.
        """
        self._width = ((edges_hz[2:] - edges_hz[:-2]) / 2).astype(np.float32)
        self._floor = np.float32(floor_power)
        import scipy.sparse

        bark = _bark(edges_hz[1:-1])
        above = bark[:, None] - bark[None, :]
        falls_db = np.where(above > 0, UPWARDS_DB * above, -DOWNWARDS_DB * above)
        masks = np.where(falls_db < _DEEPEST_DB, 10 ** (-falls_db / 10), 0.0)
        # Sparse: a dense product of this size wakes BLAS's threads, which wait longer than they work.
        self._masks = scipy.sparse.csr_matrix(masks.astype(np.float32))
        self._reach = _Neighbours(edges_hz[1:-1], _REACH_SEMITONES)
        self._same = _Neighbours(edges_hz[1:-1], _SAME_SEMITONES)
        self._held: Floats | None = None
        """``(bands, frames)``: a frame is taken with those beside it, of one band, which lie together."""

    def process(self, power: Floats) -> Floats:
        """``(frames, bands)`` in, ``(2, frames)`` out: the decibels of the frames that are decided by then.

        The first four, before which too little is known, stand out by any measure.
        """
        first = np.zeros((2, 0), np.float32)
        if self._held is None:
            first = np.full((2, -_BEFORE[0]), np.inf, np.float32)
            self._held = np.zeros((power.shape[1], _BEFORE[0] - _PERIOD), np.float32)
        held = np.concatenate([self._held, power.T], axis=1)
        count = max(0, held.shape[1] - _CONTEXT)
        self._held = held[:, count:]
        return np.concatenate([first, self._standing_out_db(held, count)], axis=1)

    def finish(self) -> Floats:
        """Of the frames that are left: nothing follows them."""
        if self._held is None:
            return np.zeros((2, 0), np.float32)
        return self.process(self._held[:, -1:].repeat(_AFTER[1], axis=1).T)

    def _standing_out_db(self, held: Floats, count: int) -> Floats:
        """Of ``count`` frames; ``held`` begins with what comes before the first of them."""
        if not count:
            return np.zeros((2, 0), np.float32)
        width = self._width[:, None]
        heard = np.maximum(held, self._floor) * width

        def highest(values: Floats, first: int, last: int) -> Floats:
            return _highest(values[:, first - _PERIOD :], count, last - first + 1)

        past = range(_BEFORE[0] - _PERIOD, _BEFORE[1] - _PERIOD + 1)
        before = sum(heard[:, at : at + count] for at in past) / np.float32(len(past))
        after = highest(heard, *_AFTER)
        masked = self._masks @ before + self._floor * width
        lately = highest(self._reach.highest(heard), _LATELY, _BEFORE[1])
        here = highest(self._same.highest(heard), _PERIOD, _BEFORE[1])
        moved = _LOUDER * np.minimum(lately, here)
        beside = [
            ((after - known) / masked).max(axis=0, initial=1e-12) for known in (before, moved)
        ]
        return np.asarray(10 * np.log10(beside), np.float32)


def _highest(values: Floats, count: int, frames: int) -> Floats:
    """Of each ``frames`` from the first ``count`` on."""
    wide, size = values[:, : count + frames - 1], 1
    while 2 * size <= frames:
        wide, size = np.maximum(wide[:, :-size], wide[:, size:]), 2 * size
    return np.maximum(wide[:, :count], wide[:, frames - size :][:, :count])


class _Neighbours:
    """The highest of each band and those within so many semitones of it, one at each side at least."""

    def __init__(self, centres_hz: NDArray[np.float64], semitones: float) -> None:
        by, number = 2 ** (semitones / 12), np.arange(len(centres_hz))
        first = np.minimum(np.searchsorted(centres_hz, centres_hz / by), np.maximum(number - 1, 0))
        behind = np.searchsorted(centres_hz, centres_hz * by, side="right")
        behind = np.maximum(behind, np.minimum(number + 2, len(number)))
        # Of runs of 2 ** n bands two cover any range of up to twice as many.
        doublings = np.frexp(behind - first)[1] - 1
        self._ranges = [
            (of, first[of], behind[of] - (1 << doubling))
            for doubling in range(int(doublings.max(initial=0)) + 1)
            for of in [np.flatnonzero(doublings == doubling)]
        ]

    def highest(self, values: Floats) -> Floats:
        """``(bands, frames)`` in and out."""
        made, runs = np.empty_like(values), values
        for doubling, (of, first, last) in enumerate(self._ranges):
            if doubling:
                half = 1 << (doubling - 1)
                runs = np.maximum(runs[:-half], runs[half:])
            made[of] = np.maximum(runs[first], runs[last])
        return made


def _bark(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Critical-band rate (Zwicker and Terhardt 1980)."""
    return np.asarray(13 * np.arctan(0.00076 * hz) + 3.5 * np.arctan(np.square(hz / 7500)))
