"""A recording as the model takes it: in pairs of channels, at several offsets; and back again.

The model hears two channels. One is heard twice and averaged; more are taken in pairs, in order. With
``shifts`` above 1 each pair passes several times, each time begun a little earlier in silence, and
the results are averaged (the "shift trick" of demucs, its offsets evenly spread instead of drawn:
A. Defossez, N. Usunier, L. Bottou and F. Bach, "Music Source Separation in the Waveform Domain",
arXiv:1911.13254, 2019). The work is that of one pass times pairs times shifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LONGEST_SHIFT_S = 0.5
"""Offsets lie from 0 up to below it. Demucs' own (``apply_model`` draws from 0 to 0.5 s)."""


@dataclass(frozen=True)
class Lane:
    """One pair of channels at one offset."""

    columns: tuple[int, int]
    """Of the recording; twice the same where there is but one."""
    lead_frames: int
    """Silence before the recording."""


def lanes_of(channels: int, shifts: int, rate_hz: int) -> list[Lane]:
    """All lanes, pair by pair: for each pair ``shifts`` of them, the first without a lead.

    ``rate_hz``: the model's, in whose frames leads count. Of an odd number of channels the last is alone.
    """
    pairs = [(left, min(left + 1, channels - 1)) for left in range(0, channels, 2)]
    leads = [round(number * LONGEST_SHIFT_S * rate_hz / shifts) for number in range(shifts)]
    return [Lane(pair, lead) for pair in pairs for lead in leads]


class Braid:
    """Takes what each lane gives, and gives what all of them have: ``(frames, stems, channels)``."""

    def __init__(self, lanes: Sequence[Lane], channels: int) -> None:
        self._lanes = lanes
        self._channels = channels
        self._leads = [lane.lead_frames for lane in lanes]
        self._waiting: list[list[Samples]] = [[] for _ in lanes]

    def add(self, lane: int, samples: Samples) -> None:
        """More of a lane, ``(frames, stems, 2)``, its lead included."""
        cut = min(self._leads[lane], len(samples))
        self._leads[lane] -= cut
        if len(samples) > cut:
            self._waiting[lane].append(samples[cut:])

    def ready(self) -> Iterator[Samples]:
        """What all lanes have by now, averaged over offsets; nothing, or one block.

        A channel that was heard twice is the mean of both answers.
        """
        count = min(sum(map(len, parts)) for parts in self._waiting)
        if not count:
            return
        taken = [self._take(lane, count) for lane in range(len(self._lanes))]
        pairs = dict.fromkeys(lane.columns for lane in self._lanes)
        made = np.empty((count, taken[0].shape[1], self._channels), np.float32)
        for pair in pairs:
            alike = [
                one for one, lane in zip(taken, self._lanes, strict=True) if lane.columns == pair
            ]
            mean = alike[0] if len(alike) == 1 else np.mean(alike, axis=0, dtype=np.float64)
            if pair[0] == pair[1]:
                made[:, :, pair[0]] = mean.mean(axis=2)
            else:
                made[:, :, pair[0] : pair[1] + 1] = mean
        yield made

    def _take(self, lane: int, count: int) -> Samples:
        joined = np.concatenate(self._waiting[lane])
        self._waiting[lane] = [joined[count:]] if len(joined) > count else []
        return joined[:count]
