"""Would anybody hear what is new? What a louder sound beside it masks is no beginning.

A coder of sound puts its noise where its own sound hides it, and a chord's partials beat. Both lift
many bands by many decibels, far below the tones that sound: onset strength, which goes by decibels,
takes that for an attack.

Each band masks those above it by 5 dB less a Bark, which is what a loud tone does, and those below it
by 15 (Terhardt, "Calculating Virtual Pitch", Hearing Research 1, 1979, equation 6: 24 + 230 / f - 0.2 L
upwards, 27 downwards; mel bands are a Bark wide at the low end, and smear that).
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
_CONTEXT = _AFTER[1] - _BEFORE[0]


class NewSound:
    """Takes the power of each band, frame by frame, and tells how far what is new stands out."""

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
        self._held: Floats | None = None

    def process(self, power: Floats) -> Floats:
        """``(frames, bands)`` in, the decibels of the frames that are decided by then out.

        The first four, before which too little is known, stand out by any measure.
        """
        first = np.zeros(0, np.float32)
        if self._held is None:
            first = np.full(-_BEFORE[0], np.inf, np.float32)
            self._held = power[:0]
        held = np.concatenate([self._held, power])
        count = max(0, len(held) - _CONTEXT)
        self._held = held[count:]
        return np.concatenate([first, self._standing_out_db(held, count)])

    def finish(self) -> Floats:
        """Of the frames that are left: nothing follows them."""
        if self._held is None:
            return np.zeros(0, np.float32)
        return self.process(self._held[-1:].repeat(_AFTER[1], axis=0))

    def _standing_out_db(self, held: Floats, count: int) -> Floats:
        """Of ``count`` frames; ``held`` begins with what comes before the first of them."""
        heard = np.maximum(held, self._floor) * self._width
        past = range(0, _BEFORE[1] - _BEFORE[0] + 1)
        before = sum(heard[at : at + count] for at in past) / np.float32(len(past))
        after = heard[_AFTER[0] - _BEFORE[0] :][:count]
        for at in range(_AFTER[0] + 1, _AFTER[1] + 1):
            after = np.maximum(after, heard[at - _BEFORE[0] :][:count])
        masked = (self._masks @ before.T).T + self._floor * self._width
        beside = ((after - before) / masked).max(axis=1, initial=1e-12)
        return np.asarray(10 * np.log10(beside), np.float32)


def _bark(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Critical-band rate (Zwicker and Terhardt 1980)."""
    return np.asarray(13 * np.arctan(0.00076 * hz) + 3.5 * np.arctan(np.square(hz / 7500)))
