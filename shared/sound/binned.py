"""A number for each part of a second, however samples come in blocks and whatever their rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Binned:
    """One number for each of ``per_s`` parts of a second: the mean, or the lowest or highest value."""

    def __init__(self, rate_hz: int, per_s: int, folded: np.ufunc) -> None:
        """``folded``: ``np.add`` (the mean), ``np.minimum`` or ``np.maximum``."""
        self._rate_hz, self._per_s, self._folded = rate_hz, per_s, folded
        self._rest: NDArray[np.floating] = np.zeros(0)
        self._made: list[NDArray[np.floating]] = []
        self._taken = 0
        self._bins = 0

    def add(self, values: NDArray[np.floating]) -> None:
        """The next samples, ``(samples,)``, in a block of any length."""
        held = np.concatenate([self._rest, values])
        ready = (self._taken + len(held)) * self._per_s // self._rate_hz
        # Bin n begins at sample n * rate / per_s, rounded down: bins of 22,050 Hz differ by a sample.
        edges = np.arange(self._bins, ready + 1) * self._rate_hz // self._per_s - self._taken
        if len(edges) > 1:
            self._made.append(self._fold(held[: edges[-1]], edges[:-1], np.diff(edges)))
        self._bins, self._rest = ready, held[edges[-1] :]
        self._taken += int(edges[-1])

    def taken(self) -> NDArray[np.floating]:
        """What is ready, handed over for good."""
        made, self._made = self._made, []
        return np.concatenate([np.zeros(0), *made])

    def finish(self) -> NDArray[np.floating]:
        """What was not yet taken, the last and shorter part with it."""
        rest = self._rest
        tail = [self._fold(rest, np.array([0]), np.array([len(rest)]))] if len(rest) else []
        return np.concatenate([self.taken(), *tail])

    def _fold(
        self, values: NDArray[np.floating], starts: NDArray[np.intp], counts: NDArray[np.intp]
    ) -> NDArray[np.floating]:
        folded = self._folded.reduceat(values, starts)
        return np.asarray(folded / counts if self._folded is np.add else folded)
