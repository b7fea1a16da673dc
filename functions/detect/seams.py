"""Where a loop begins and ends, to the sample, and how its end meets its beginning.

Beats are known to milliseconds, a seam needs samples. So the attack near the first beat is sought
in the sound, the loop begins on the zero crossing before it, and its length is the distance at
which that attack's sound is heard again (normalised cross-correlation). Places are samples of the
recording at its own rate; correlations go from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.detect.segments import Samples, Segment
from shared.sound.attacks import STEPS_PER_S, attack_step, slope_energy

_IN_TIME_S = 0.02
"""Seconds. Farther from the beats another sound is heard, not the same one again."""
_EVENED_S = 0.0029
"""Over so many seconds a step between a loop's end and its start is evened out: 128 samples at 44.1
kHz."""


@dataclass(frozen=True)
class Edge:
    """The sound around one edge of a loop."""

    first: int
    """The recording's sample with which ``mono`` begins."""
    mono: Samples
    """``(samples, 1)``."""
    near: int
    """The recording's sample where the edge is thought to be."""


def exact_edges(head: Edge, tail: Edge, rate: int, length: float) -> tuple[int, int]:
    """The loop's first sample, on a zero crossing before its attack, and its length in samples.

    ``length``: what its bars last at the stretch's tempo, in samples. The crossing lies at most 4
    ms before the attack. Where no attack is found, the edge's first sample stands for it.
    """
    attack = _attack(head, rate) or 0
    start = head.first + zero_crossing(head.mono, attack, round(0.004 * rate))
    return start, _length(head, tail, attack, rate, length)


def _attack(edge: Edge, rate: int) -> int | None:
    """The sample of ``edge.mono`` where something begins, to half a millisecond.

    Sought from 62 ms before ``near`` to 25 ms after it; ``None`` where ``mono`` does not reach so
    far.
    """
    step = max(1, rate // STEPS_PER_S)
    coarse = (edge.near - edge.first) // step
    found = attack_step(
        slope_energy(edge.mono, rate), coarse - STEPS_PER_S // 16, coarse + STEPS_PER_S // 40
    )
    return None if found is None else found * step


def _length(head: Edge, tail: Edge, attack: int, rate: int, usual: float) -> int:
    """The distance at which the sound around the first attack is heard again.

    By cross-correlation of 60 ms; where nothing alike is found near, by the attack that is there;
    and where that is out of time too, by the tempo; by the tracked beats where those leave it.
    Alike is a correlation above 0.6, near ``_IN_TIME_S``.
    """
    tracked = tail.near - head.near
    wanted = round(usual) if abs(usual - tracked) < 2 * _IN_TIME_S * rate else tracked
    pattern = head.mono[max(0, attack - rate // 100) : attack + rate // 20, 0]
    lag, alike = best_match(tail.mono[:, 0], pattern)
    first = head.first + max(0, attack - rate // 100)
    heard = tail.first + lag - first
    if alike > 0.6 and abs(heard - wanted) < _IN_TIME_S * rate:
        return heard
    again = _attack(tail, rate)
    if again is not None:
        length = tail.first + again - head.first - attack
        if abs(length - wanted) < _IN_TIME_S * rate:
            return length
    return wanted


def best_match(sound: NDArray[np.float32], pattern: NDArray[np.float32]) -> tuple[int, float]:
    """Where in ``sound`` ``pattern`` fits best, and the normalised correlation there.

    Both ``(samples,)``. 0 and no likeness for a pattern that is silent or longer than the sound.
    The cost is the product of both lengths, here 0.16 s and 60 ms.
    """
    if sound.size < pattern.size or not pattern.any():
        return 0, 0.0
    views = np.lib.stride_tricks.sliding_window_view(sound, pattern.size)
    dots = np.correlate(sound, pattern, mode="valid")
    total = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    energy = total[pattern.size :] - total[: len(views)]
    scale = np.sqrt(np.maximum(energy, 1e-12) * float(np.square(pattern).sum()))
    fits = dots / np.maximum(scale, 1e-9)
    best = int(np.argmax(fits))
    return best, float(fits[best])


def zero_crossing(mono: Samples, before: int, reach: int) -> int:
    """The last sample at which ``mono`` changes sign, at most ``reach`` before; else the quietest.

    ``mono`` is ``(samples, 1)``; the sample is the first of the new sign.
    """
    low = max(0, before - reach)
    part = mono[low : before + 1, 0]
    crossings = np.flatnonzero(np.signbit(part[1:]) != np.signbit(part[:-1])) + 1
    if crossings.size:
        return low + int(crossings[-1])
    return low + int(np.argmin(np.abs(part))) if part.size else before


def close_seam(read: Samples, loop: Segment, rate: int) -> Samples:
    """The loop's samples, their end led over into what was heard before their start.

    ``read`` is ``(before + samples, channels)``, the result ``(samples, channels)``. Loudness stays
    even: the weights are those of a straight crossfade, scaled by how alike the two are (from the
    equal gain of what is alike to the equal power of what is not). Without anything before the
    start, a step between end and start is evened out over ``_EVENED_S``. ``rate`` is in Hz.
    """
    body = read[loop.before :].copy()
    if not loop.before:
        return _without_step(body, rate)
    count = min(loop.before, len(body))
    rising = (np.arange(count, dtype=np.float32)[:, None] + 1) / count
    old, new = body[-count:], read[loop.before - count : loop.before]
    alike = float((old * new).sum()) / max(float(np.sqrt((old**2).sum() * (new**2).sum())), 1e-12)
    power = rising**2 + (1 - rising) ** 2 + 2 * max(alike, -0.8) * rising * (1 - rising)
    body[-count:] = (old * (1 - rising) + new * rising) / np.sqrt(power)
    return body


def _without_step(body: Samples, rate: int) -> Samples:
    """``body``, its last ``_EVENED_S`` bent in place so that the last sample equals the first.

    Of what is shorter than four times that, the last quarter.
    """
    count = min(round(_EVENED_S * rate), len(body) // 4)
    if count:
        ramp = np.linspace(0, 1, count, dtype=np.float32)[:, None]
        body[-count:] += ramp * (body[0] - body[-1])
    return body
