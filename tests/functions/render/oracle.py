"""What a mix should sound like, written again: one sample at a time, from the definitions alone.

It shares no code with the engine. Times are rounded to samples as the documentation says.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Sound = NDArray[np.float64]


def bent(time: float) -> float:
    return (math.exp(4 * time) - 1) / (math.exp(4) - 1)


CURVES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "exponential": bent,
    "log": lambda t: 1 - bent(1 - t),
    "s_curve": lambda t: 3 * t**2 - 2 * t**3,
    "equal_power": lambda t: math.sin(t * math.pi / 2),
}


def frame(ms: float) -> int:
    return round(ms * RATE / 1000)


def lane(keyframes: Sequence[Mapping[str, Any]], n: int) -> float:
    times = [frame(one["time_ms"]) for one in keyframes]
    if n <= times[0]:
        return float(keyframes[0]["value"])
    for index in range(len(keyframes) - 1):
        a, b = keyframes[index], keyframes[index + 1]
        if times[index] <= n < times[index + 1]:
            way = CURVES[a.get("curve", "linear")]
            gone = (n - times[index]) / (times[index + 1] - times[index])
            return float(a["value"] + (b["value"] - a["value"]) * way(gone))
    return float(keyframes[-1]["value"])


def cutoff(keyframes: Sequence[Mapping[str, Any]], n: int) -> float:
    logs = [{**one, "value": math.log(one["value"])} for one in keyframes]
    return math.exp(lane(logs, n))


def amplitude(db: float) -> float:
    return 0.0 if db <= -96 else 10 ** (db / 20)


def sides(pan: float) -> tuple[float, float]:
    turned = cmath.rect(math.sqrt(2), (1 + pan) * math.pi / 4)
    return turned.real, turned.imag


class Filter:
    """Simper's trapezoidal filter, from his paper's recurrences."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ic1 = self.ic2 = 0.0

    def __call__(self, v0: float, hz: float) -> float:
        g, k = math.tan(math.pi * min(hz / RATE, 0.49)), math.sqrt(2)
        v1 = (self.ic1 + g * (v0 - self.ic2)) / (1 + g * (g + k))
        v2 = self.ic2 + g * v1
        self.ic1, self.ic2 = 2 * v1 - self.ic1, 2 * v2 - self.ic2
        return v2 if self.kind == "lowpass" else v0 - k * v1 - v2


def strip(
    sound: Sound, settings: Mapping[str, Any], fade: Callable[[int], float] = lambda n: 1.0
) -> Sound:
    """Fades, gain, high-pass, low-pass, pan of a clip or a track: ``(frames, 2)``."""
    lanes = settings.get("automation", {})
    filters = {
        name: (Filter(name), Filter(name))
        for name in ("highpass", "lowpass")
        if f"{name}_hz" in lanes
    }
    out = np.zeros((len(sound), 2))
    for n in range(len(sound)):
        gain = amplitude(settings.get("gain_db", 0.0)) * fade(n)
        if "gain_db" in lanes:
            gain *= amplitude(lane(lanes["gain_db"], n))
        pan = lane(lanes["pan"], n) if "pan" in lanes else settings.get("pan", 0.0)
        for side in range(2):
            value = float(sound[n, side if sound.shape[1] == 2 else 0]) * gain
            for name, pair in filters.items():
                value = pair[side](value, cutoff(lanes[f"{name}_hz"], n))
            out[n, side] = value * sides(pan)[side]
    return out


def faded(clip: Mapping[str, Any], frames: int) -> Callable[[int], float]:
    def fade(n: int) -> float:
        value = 1.0
        into, out = frame(clip.get("fade_in_ms", 0)), frame(clip.get("fade_out_ms", 0))
        if n < into:
            value *= CURVES[clip.get("fade_in_curve", "linear")](n / into)
        if n >= frames - out:
            value *= CURVES[clip.get("fade_out_curve", "linear")]((frames - n) / out)
        return value

    return fade


def mixed(sources: Mapping[str, Sound], tracks: Sequence[Mapping[str, Any]], frames: int) -> Sound:
    """All tracks on buses that change nothing."""
    total = np.zeros((frames, 2))
    for track in tracks:
        own = np.zeros((frames, 2))
        for clip in track["clips"]:
            first = frame(clip.get("source_start_ms", 0))
            start = frame(clip.get("start_ms", 0))
            until_ms = clip["source_end_ms"] - clip.get("source_start_ms", 0)
            count = frame(clip.get("start_ms", 0) + until_ms) - start
            part = sources[clip["asset_id"]][first : first + count]
            own[start : start + count] += strip(part, clip, faded(clip, count))
        total += strip(own, track)
    return total
