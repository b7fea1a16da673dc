"""Lanes, fades and pan as numbers for each sample.

Every value is computed from the sample's own number, never from where a block began: blocks of any
size give the same. A lane that stands still over a block is one number.

Lanes are worked out in the unit in which they are to move evenly: gain in decibels, pan in place, cutoffs
in octaves. Factors for each sample are float32, what leads to them float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from functions.render.audio.mix_plan import Points
from shared.audio.curves import CURVES, SHAPES
from shared.contracts.timeline_checks import SILENT_DB
from shared.contracts.timeline_parts import FadeCurve

Signal = NDArray[np.float32]
"""``(channels, frames)`` or ``(frames,)``."""
Value = float | Signal

FADES: Mapping[FadeCurve, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    **{name: SHAPES[name] for name in CURVES},
    "equal_power": lambda time: np.sin(0.5 * np.pi * time),
}
"""Time gone to amplitude, both 0 to 1. A fade-out runs the same backwards."""

_DB = float(np.log(10.0) / 20.0)


def lane_values(points: Points, first: int, frames: int) -> float | NDArray[np.float64]:
    """The lane over ``[first, first + frames)``: a number where it stands still, else ``(frames,)``.

    ``points``: at least one, by their frames. Before the first and from the last on it stands still;
    between two it goes by the first one's curve. Only spans that the block touches are worked out.
    """
    stop = first + frames
    if stop <= points[0][0] or len(points) == 1:
        return points[0][1]
    if first >= points[-1][0]:
        return points[-1][1]
    values = np.empty(frames)
    values[: max(0, points[0][0] - first)] = points[0][1]
    values[max(0, points[-1][0] - first) :] = points[-1][1]
    for (at, value, curve), (until, target, _) in pairwise(points):
        low, high = max(at, first), min(until, stop)
        if low < high:
            gone = np.arange(low - at, high - at, dtype=np.float64)
            gone /= until - at
            way = np.multiply(SHAPES[curve](gone), target - value, out=gone)
            np.add(way, value, out=values[low - first : high - first])
    return values


def lane_octaves(points: Points, first: int, frames: int) -> float | NDArray[np.float64]:
    """A lane of frequencies, which moves evenly in octaves: Hz."""
    octaves = tuple((frame, float(np.log2(value)), curve) for frame, value, curve in points)
    return np.exp2(lane_values(octaves, first, frames))


def gain(level_db: float | NDArray[np.float64]) -> Value:
    """Decibels to a factor, a number or ``(frames,)``; -96 dB and below is silence."""
    if isinstance(level_db, np.ndarray):
        factor = np.exp((level_db * _DB).astype(np.float32))
        if level_db.min() <= SILENT_DB:
            factor[level_db <= SILENT_DB] = 0.0
        return factor
    return float(np.exp(level_db * _DB)) if level_db > SILENT_DB else 0.0


def pan_gains(pan: float | NDArray[np.float64]) -> tuple[Value, Value]:
    """Factors for left and right: ``sqrt(2) cos`` and ``sqrt(2) sin`` of ``(1 + pan) 45 degrees``.

    Their squares always add to 2. Other than square roots of ``1 -/+ pan`` they have no infinite
    slope at the sides, which would be heard when a sound arrives there.
    """
    if isinstance(pan, float) and pan == 0.0:
        return 1.0, 1.0
    angle = (np.asarray(pan) + 1.0) * (0.25 * np.pi)
    if not angle.ndim:
        left, right = float(np.cos(angle)), float(np.sin(angle))
        return float(np.sqrt(2.0)) * left, float(np.sqrt(2.0)) * right
    turn = angle.astype(np.float32)
    root = np.float32(np.sqrt(2.0))
    return root * np.cos(turn), root * np.sin(turn)


def fade_gains(
    fade_in: tuple[int, FadeCurve], fade_out: tuple[int, FadeCurve], length: int, span: range
) -> Signal | None:
    """The fades of a clip of ``length`` frames over its frames ``span``; ``None``: all ones there.

    ``(frames,)``, 0 to 1. Each fade is its length in frames and its curve. The first frame of a fade-in is
    0, the frame behind a fade-out's last would be; where both overlap they are multiplied.
    """
    (into, into_curve), (out, out_curve) = fade_in, fade_out
    if span.start >= into and span.stop <= length - out:
        return None
    gains = np.ones(len(span), np.float32)
    if span.start < into:
        gone = np.arange(span.start, min(into, span.stop)) / into
        gains[: len(gone)] = FADES[into_curve](gone)
    if span.stop > length - out:
        first = max(span.start, length - out)
        left = (length - np.arange(first, span.stop)) / out
        gains[first - span.start :] *= FADES[out_curve](left).astype(np.float32)
    return gains
