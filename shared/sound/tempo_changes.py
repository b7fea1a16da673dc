"""Where a tempo changes at once, rather than drifting: between which seconds, and on which stroke.

A second's tempo is heard over several seconds, so a change at once looks like a short slope between two
levels. It is one where two constants fit the tempi on both its sides far better than one straight line
does; what drifts fits the line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE_S, _SLOPE_S = 5, 4
"""So many seconds on each side are looked at, and the slope between them is as long at most."""
_SHORT = 0.9
"""By so much each second of a slope makes a change less clear."""
_CHANGED = 0.04
"""In parts of the tempo."""
_UNLIKE_A_LINE = 0.3
"""Two constants leave so much of what the line leaves, at most."""
_STEP = 0.004
"""Tempi are told in steps of so many parts' deviation (128 to two octaves)."""
_JUMP = 1.08
"""By more than this from one second to the next is at once, whatever lies around."""
_PHASE_S = 4.0
"""The pulse on each side of a change is taken from so much of it."""
_REACH_S = 2.0
"""A change is heard so much too early or late, at most."""


def steady_parts(tempi: Floats) -> list[tuple[int, int]]:
    """Seconds ``[first, last)`` of one tempo each, steady or drifting, in order; between two it changes."""
    logs = np.log(tempi)
    found = _changes(logs)
    near = np.zeros(len(logs), bool)
    for first, last in found:
        near[first - SIDE_S + 1 : last + SIDE_S] = True
    jumps = np.flatnonzero(np.abs(np.diff(logs)) > np.log(_JUMP)) + 1
    found += [(jump, jump) for jump in jumps[~near[jumps]].tolist()]
    ends = [0, *(second for change in sorted(found) for second in change), len(tempi)]
    return list(zip(ends[0::2], ends[1::2], strict=True))


def _changes(logs: Floats) -> list[tuple[int, int]]:
    """Seconds ``[first, last)`` that lie between two tempi; the clearest first, none near another."""
    told = []
    means = np.convolve(logs, np.full(SIDE_S, 1 / SIDE_S), "valid")
    for slope in range(_SLOPE_S + 1):
        apart = np.abs(means[SIDE_S + slope :] - means[: max(0, len(means) - SIDE_S - slope)])
        for first in (np.flatnonzero(apart >= _CHANGED) + SIDE_S).tolist():
            clear = _clear_change(logs, first, first + slope)
            if clear:
                told.append((clear * _SHORT**slope, first, first + slope))
    found = []
    taken = np.zeros(len(logs), bool)
    for _, first, last in sorted(told, reverse=True):
        if not taken[first : last + SIDE_S].any():
            taken[first : last + SIDE_S] = True
            found.append((first, last))
    return found


def _clear_change(logs: Floats, first: int, last: int) -> float:
    """How far the two sides are apart, in deviations; 0 where they are no two tempi."""
    at = np.r_[first - SIDE_S : first, last : last + SIDE_S]
    sides = logs[at].reshape(2, -1)
    apart = abs(float(sides[1].mean() - sides[0].mean()))
    around = at - at.mean()
    centred = logs[at] - logs[at].mean()
    line = float(centred @ centred - (around @ centred) ** 2 / (around @ around))
    constants = float(np.square(sides - sides.mean(axis=1, keepdims=True)).sum())
    constants += len(at) * _STEP**2
    return apart / float(np.sqrt(constants)) if constants < _UNLIKE_A_LINE * line else 0.0


def turn(
    strength: Floats, change: tuple[int, int], periods: tuple[float, float], rate_hz: float
) -> int:
    """The frame of the first stroke in the other tempo, or a little before it.

    ``change``: the frames between which it is sought, more or less; ``periods``: frames between beats before
    it and after it. Each side's pulse is carried on through the change; where the strokes leave the one
    and take up the other the tempo changes.
    """
    reach = round(_REACH_S * rate_hz)
    first, last = max(0, change[0] - reach), min(len(strength), change[1] + reach)
    near = round(_PHASE_S * rate_hz)
    before, one = _carried(strength, (max(0, first - near), first), periods[0], (first, last))
    after, other = _carried(strength, (last, last + near), periods[1], (first, last))
    options = [*after.tolist(), float(last)]
    worth = [one[before < at - 1].sum() + other[after >= at - 1].sum() for at in options]
    return int(options[int(np.argmax(worth))] - min(2.0, periods[1] / 8))


def _carried(
    strength: Floats, told: tuple[int, int], period: float, within: tuple[int, int]
) -> tuple[Floats, Floats]:
    """The beats ``within`` these frames, in phase with those in ``told``, and what each is worth.

    A stroke as strong as those usually are is worth the frames from beat to beat, and none more.
    """
    part = strength[slice(*told)]
    phases = [np.arange(start, len(part), period) for start in np.arange(0.0, period, 0.5)]
    heights = [_struck(part, frames).mean() for frames in phases if len(frames)]
    best = int(np.argmax(heights))
    start = told[0] + float(phases[best][0])
    count = np.arange(np.ceil((within[0] - start) / period), (within[1] - start) / period)
    frames = start + count * period
    worth = np.minimum(_struck(strength, frames) / max(float(heights[best]), 1e-9), 1.0)
    return frames, period * worth


def _struck(strength: Floats, frames: Floats) -> Floats:
    """How strong it gets within a frame of each."""
    near = np.round(frames).astype(int)[:, None] + np.arange(-1, 2)
    return np.asarray(strength[np.clip(near, 0, len(strength) - 1)].max(axis=1))
