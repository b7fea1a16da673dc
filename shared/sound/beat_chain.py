"""Beats along onset strength, given the period of each second: Ellis's dynamic programme.

D. Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research 36(1), 2007, equations
3 to 5. It differs from librosa's where that rounds: periods are not whole frames, the tempo is judged
anew each second, and beats lie between frames.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TIGHTNESS = 100.0
_PAUSE, _LONGER = 1.5, 1.5
"""So many periods without a stroke are a pause, if strokes are otherwise not nearly so far apart."""
_STRUCK = 0.2
"""A stroke has so much of the usual one's strength."""
_USUAL, _APART = 98, 90
"""Percentiles: the usual stroke's strength over frames, and how far strokes are apart."""
_SIDE = 6
"""A pause is judged with so many periods on each of its sides."""


def beat_frames(strength: Floats, periods: Floats, frames_per_s: float) -> Floats:
    """The beats, in frames and parts of them. ``periods``: frames between beats, a value a second."""
    smooth = _smoothed(strength, float(np.median(periods)))
    at = np.clip((np.arange(len(smooth)) / frames_per_s).astype(int), 0, len(periods) - 1)
    period = float(np.median(periods))
    edges = [0, *_pauses(strength, period), len(smooth)]
    found: list[Floats] = []
    for first, last in pairwise(edges):
        part = smooth[first:last]
        frames = _trimmed(_best_chain(part, periods[at[first:last]]), part)
        if len(frames):
            found.append(first + _between_frames(frames, part))
    return _bridged(found, period)


def _pauses(strength: Floats, period: float) -> list[int]:
    """Frames amid pauses: what goes on behind one need not go on in time."""
    struck = np.flatnonzero(strength >= _STRUCK * np.percentile(strength, _USUAL))
    apart = np.diff(struck)
    strokes = apart[apart > 0.1 * period]
    if not len(strokes):
        return []
    longest = max(_PAUSE * period, _LONGER * float(np.percentile(strokes, _APART)))
    found: list[int] = []
    begun = struck[0]
    for before, after in pairwise(struck):
        sides = before - begun >= _SIDE * period <= struck[-1] - after
        if after - before > longest and sides:
            found.append(int(before + after) // 2)
            begun = after
    return found


def _bridged(found: list[Floats], period: float) -> Floats:
    """One row of beats: those of a pause are as evenly between its sides as they can be."""
    beats = [np.zeros(0)]
    for side in found:
        if len(beats) > 1:
            last, first = float(beats[-1][-1]), float(side[0])
            count = max(1, round((first - last) / period))
            beats.append(np.linspace(last, first, count + 1)[1:-1])
        beats.append(side)
    return np.concatenate(beats)


def _smoothed(strength: Floats, period: float) -> Floats:
    """Onset strength in deviations, blurred by a 32nd of the period (Ellis's local score)."""
    reach = int(period)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32.0 / period) ** 2)
    scaled = np.asarray(strength, np.float64) / (np.std(strength) + 1e-9)
    return np.asarray(np.convolve(np.pad(scaled, reach), bell, "valid"))


def _best_chain(strength: Floats, periods: Floats) -> NDArray[np.int64]:
    """Frames that are strong and about a period apart (Ellis 2007, equations 3 to 5)."""
    total = strength.copy()
    links = np.full(len(strength), -1)
    costs = {period: _costs(period) for period in np.unique(periods)}
    begun = False
    for frame in range(len(strength)):
        back, cost = costs[periods[frame]]
        within = np.searchsorted(back, frame, side="right")
        begun = begun or strength[frame] >= 0.01 * strength.max()
        if within and begun:
            options = total[frame - back[:within]] - cost[:within]
            best = int(options.argmax())
            total[frame] += options[best]
            links[frame] = frame - back[best]
    chain = [_last_beat(total, float(periods[-1]))]
    while links[chain[-1]] >= 0:
        chain.append(int(links[chain[-1]]))
    return np.array(chain[::-1])


def _costs(period: float) -> tuple[NDArray[np.int64], Floats]:
    back = np.arange(max(1, round(period / 2)), int(2 * period) + 1)
    return back, _TIGHTNESS * np.log(back / period) ** 2


def _last_beat(total: Floats, period: float) -> int:
    """The best of the last period's frames: a sound between beats may come after the last of them.

    The last period ends with the last peak of the running score that is half of the usual one.
    """
    peaks = np.flatnonzero((total[1:-1] > total[:-2]) & (total[1:-1] >= total[2:])) + 1
    if not len(peaks):
        return int(total.argmax())
    last = int(peaks[total[peaks] >= 0.5 * np.median(total[peaks])][-1])
    first = max(0, last - round(0.9 * period))
    return first + int(total[first : last + 1].argmax())


def _trimmed(frames: NDArray[np.int64], strength: Floats) -> NDArray[np.int64]:
    """Without the weak beats at both ends, where no music is yet or any more."""
    held = np.convolve(np.pad(strength[frames], 2), np.hanning(5) / 2, "valid")
    strong = np.flatnonzero(held >= 0.5 * np.sqrt(np.mean(held**2)))
    return frames[strong[0] : strong[-1] + 1] if len(strong) else frames[:0]


def _between_frames(frames: NDArray[np.int64], strength: Floats) -> Floats:
    """Each beat at the top of the parabola through its frame and the neighbours."""
    inner = np.clip(frames, 1, len(strength) - 2)
    before, at, after = (strength[inner + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return np.asarray(inner + np.clip(shift, -0.5, 0.5))
