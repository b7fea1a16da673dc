"""Overlapping segments over a recording, and their sum: whatever the pieces, the same samples.

Demucs works on segments (7.8 s of Hybrid Transformer Demucs, 44 s of the table's other models), a quarter
of each shared with the next, and fades from one to the other (triangular weights). What a segment gives
depends on its own samples and on few around it, which a piece sees, too, so any run of segments can be a
piece of work of its own. A piece hands over *weighted sums*: where two pieces overlap their sums are added,
and only then divided by the weights. A sample lies in two segments at most, so it makes no difference, not
even in the last bit, where pieces begin.

    segments   |----0----|         |----2----|         |----4----|
                     |----1----|         |----3----|         |----5----|
    pieces     [ 0, 1              )[ 2, 3             )[ 4, 5            )
    sums       [ ................ tail ]
                                    [ ................ tail ]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums = NDArray[np.float32]

OVERLAP = 0.25
"""Of a segment, shared with the next. Demucs' own; up to 0.5 a sample lies in two segments."""


def weights(segment_frames: int) -> NDArray[np.float32]:
    """A segment's weights, ``(segment_frames,)``: a triangle with its peak (1) in the middle, nowhere 0.

    As ``demucs.apply.apply_model`` has it with its ``transition_power`` of 1.
    """
    half = segment_frames // 2
    rise = np.arange(1, half + 1, dtype=np.float32)
    fall = np.arange(segment_frames - half, 0, -1, dtype=np.float32)
    triangle = np.concatenate([rise, fall])
    return np.asarray(triangle / triangle.max(), np.float32)


@dataclass(frozen=True)
class Grid:
    """The segments over ``frames`` samples of a lane, its lead included; the last ones may be cut short."""

    frames: int
    segment_frames: int
    padding_frames: int = 0
    """By so much more than a whole segment the model sees, half of it on either side."""

    @property
    def stride_frames(self) -> int:
        """From one segment's start to the next one's."""
        return int((1 - OVERLAP) * self.segment_frames)

    @property
    def starts(self) -> range:
        """Where segments begin."""
        return range(0, self.frames, self.stride_frames)

    def pieces(self, segments: int, first: int = 0, last: int | None = None) -> list[range]:
        """The starts in ``[first, last)``, so many in each piece; without ``last`` all from ``first`` on."""
        at, end = (-(-frame // self.stride_frames) for frame in (first, last or 0))
        starts = self.starts[at : None if last is None else end]
        return [starts[at : at + segments] for at in range(0, len(starts), segments)]

    def span(self, piece: Sequence[int]) -> tuple[int, int]:
        """The samples that a piece's sums cover, half-open."""
        return piece[0], min(piece[-1] + self.segment_frames, self.frames)

    def window(self, piece: Sequence[int]) -> tuple[int, int]:
        """The samples that a piece must see: what lies around its segments, as far as a model looks. A
        segment that is cut short looks further back, for what it lacks.
        """
        first, last = self.span(piece)
        behind = (self.segment_frames + self.padding_frames) // 2
        ahead = self.padding_frames - self.padding_frames // 2
        return max(0, first - behind), min(last + ahead, self.frames)

    def weight_sums(self, piece: Sequence[int]) -> NDArray[np.float32]:
        """The weights over a piece's span, ``(frames,)``; its neighbours' are not in it."""
        first, last = self.span(piece)
        sums, triangle = np.zeros(last - first, np.float32), weights(self.segment_frames)
        for start in piece:
            count = min(self.segment_frames, last - start)
            sums[start - first : start - first + count] += triangle[:count]
        return sums


class Joiner:
    """Turns pieces' sums, in order and without gaps, into samples; holds no more than one overlap of them."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._sums: Sums | None = None
        self._weights = np.zeros(0, np.float32)

    def add(self, piece: Sequence[int], sums: Sums) -> Sums:
        """The samples that are final now: up to the next piece's start. ``(frames, ...)``.

        ``sums``: weighted, over ``grid.span(piece)``; what the piece before left is added in place.
        """
        weight_sums = self._grid.weight_sums(piece)
        if self._sums is not None:
            sums[: len(self._sums)] += self._sums
            weight_sums[: len(self._weights)] += self._weights
        after = piece[-1] + self._grid.stride_frames
        final = min(after, self._grid.frames) - piece[0]
        self._sums, self._weights = sums[final:].copy(), weight_sums[final:]
        divisor = weight_sums[:final].reshape(-1, *(1 for _ in sums.shape[1:]))
        return np.asarray(sums[:final] / divisor, np.float32)
