"""Filters of the mix: the automated low- and high-pass, the buses' equalisers, and ducking.

    swept        Simper's trapezoidal state-variable filter (``shared.audio.modules.filters``): its cutoff
                 may move at every sample without a click
    equaliser    Bristow-Johnson's biquads, which stand still
    ducking      an envelope of what others play, held, then exponential in decibels

All keep their state from block to block: blocks of any size follow each other as one signal. Signals are
``(channels, frames)``, float32; filters work in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from functions.render.audio.envelopes import Signal, lane_octaves
from functions.render.audio.mix_plan import Points
from shared.audio.modules.dsp import one_pole
from shared.audio.modules.filters import state_variable
from shared.contracts.timeline_parts import Duck, EqBand

_HIGHEST = 0.49
"""Of the sample rate: a cutoff above it is held there."""
_INAUDIBLE = 1e-10
"""A state below it (-200 dB of full scale) has died away."""
_DAMPING = float(np.sqrt(2.0))
"""Butterworth: no resonance."""
_LEVEL_MS = 10.0
"""Time constant of the level that ducking listens to: shorter hears single periods, longer comes late."""

Floats = NDArray[np.float64]


class SweptFilter:
    """A low-pass or high-pass, 12 dB an octave, whose cutoff may move at every sample."""

    def __init__(self, mode: Literal["lowpass", "highpass"], points: Points, rate: int) -> None:
        self._mode: Literal["lowpass", "highpass"] = mode
        self._points = points
        self._rate = rate
        self._state: Floats | None = None

    def process(self, signal: Signal, first: int) -> Signal:
        """The next frames, of which the first is the lane's frame ``first``.

        Once it has had two channels it gives two: one that comes later is heard on both.
        """
        channels = max(len(signal), 0 if self._state is None else len(self._state))
        self._state = _spread(self._state, channels)
        cutoff_hz = lane_octaves(self._points, first, signal.shape[1])
        g = np.tan(np.pi * np.minimum(np.divide(cutoff_hz, self._rate), _HIGHEST))
        x = np.broadcast_to(signal, (channels, signal.shape[1])).T.astype(np.float64)
        filtered, self._state = state_variable(x, g, _DAMPING, self._state, self._mode)
        return filtered.astype(np.float32)

    @property
    def rings(self) -> bool:
        """Is there something left to be heard without input?"""
        return self._state is not None and float(np.abs(self._state).max()) > _INAUDIBLE


def _spread(state: Floats | None, channels: int) -> Floats:
    """The state of one channel for each of several: ``(channels, 2)``."""
    return np.zeros((channels, 2)) if state is None else np.broadcast_to(state, (channels, 2))


class Equaliser:
    """The bands of a bus, one behind the other; without any the signal passes untouched."""

    def __init__(self, bands: Sequence[EqBand], rate: int) -> None:
        self._sections = np.array([biquad(band, rate) for band in bands]).reshape(-1, 6)
        self._state = np.zeros((len(bands), 2, 2))

    def process(self, signal: Signal) -> Signal:
        """The next frames; two channels."""
        from scipy.signal import sosfilt

        if not len(self._sections):
            return signal
        filtered, self._state = sosfilt(self._sections, signal, axis=1, zi=self._state)
        return np.asarray(filtered, np.float32)

    @property
    def rings(self) -> bool:
        """Is there something left to be heard without input?"""
        return bool(np.abs(self._state).max(initial=0.0) > _INAUDIBLE)


def biquad(band: EqBand, rate: int) -> Floats:
    """``b0 b1 b2 1 a1 a2`` after Robert Bristow-Johnson's "Audio EQ Cookbook"; names as there.

    Cutoffs from 0.49 of the rate on are held there. Shelves and peaks take ``gain_db``; passes do not.
    """
    w0 = 2.0 * np.pi * min(band.frequency_hz / rate, _HIGHEST)
    cos, alpha = np.cos(w0), np.sin(w0) / (2.0 * band.q)
    a = 10.0 ** (band.gain_db / 40.0)
    slope = 2.0 * np.sqrt(a) * alpha
    high, low = a + 1.0, a - 1.0
    b, c = {
        "lowpass": (
            ((1 - cos) / 2, 1 - cos, (1 - cos) / 2),
            (1 + alpha, -2 * cos, 1 - alpha),
        ),
        "highpass": (
            ((1 + cos) / 2, -1 - cos, (1 + cos) / 2),
            (1 + alpha, -2 * cos, 1 - alpha),
        ),
        "peak": (
            (1 + alpha * a, -2 * cos, 1 - alpha * a),
            (1 + alpha / a, -2 * cos, 1 - alpha / a),
        ),
        "low_shelf": (
            (
                a * (high - low * cos + slope),
                2 * a * (low - high * cos),
                a * (high - low * cos - slope),
            ),
            (high + low * cos + slope, -2 * (low + high * cos), high + low * cos - slope),
        ),
        "high_shelf": (
            (
                a * (high + low * cos + slope),
                -2 * a * (low + high * cos),
                a * (high + low * cos - slope),
            ),
            (high - low * cos + slope, 2 * (low - high * cos), high - low * cos - slope),
        ),
    }[band.kind]
    return np.asarray(np.array([*b, *c]) / c[0])


class Ducker:
    """Turns a bus down while others are heard, and up again when they have been silent a while.

    Heard is what stands above the threshold (the mean square of all channels, smoothed over 10 ms).
    The way down and up is exponential, in decibels.
    """

    def __init__(self, duck: Duck, rate: int) -> None:
        self._amount_db = duck.amount_db
        self._power = 10.0 ** (duck.threshold_dbfs / 10.0)
        self._hold = round(duck.hold_ms * rate / 1000)
        # A time constant is a third of the time: by then 95 % of the way are made.
        self._attack, self._release = (
            float(np.exp(-3000.0 / (ms * rate))) for ms in (duck.attack_ms, duck.release_ms)
        )
        self._smooth = float(np.exp(-1000.0 / (_LEVEL_MS * rate)))
        self._level = np.zeros(1)
        self._down = np.zeros(1)
        self._since = self._hold + 1
        """Frames since the others were last heard."""

    def gains(self, others: Signal) -> Signal:
        """Factors for the bus, ``(frames,)``, 0 to 1; ``others``: the sum of what it makes way for, as long.

        They are never looked at ahead: the way down begins with what they say.
        """
        power = np.square(others, dtype=np.float64).mean(axis=0)[:, None]
        level = one_pole(power * (1.0 - self._smooth), self._smooth, self._level)
        self._level = _settled(level[-1])
        held = self._held(level[:, 0] > self._power)
        pole = np.where(held, self._attack, self._release)
        down = one_pole((held * (1.0 - pole))[:, None], pole, self._down)
        self._down = _settled(down[-1])
        factor = np.exp(down[:, 0].astype(np.float32) * np.float32(-self._amount_db / 8.685889638))
        return np.asarray(factor, np.float32)

    def _held(self, heard: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """``(frames,)``: were the others heard at this frame, or no longer ago than they are held?"""
        at = np.arange(len(heard))
        last = np.maximum.accumulate(np.where(heard, at, -1 - self._since))
        since = at - last
        self._since = min(int(since[-1]), self._hold + 1)
        return since <= self._hold


def _settled(state: Floats) -> Floats:
    """A copy without what is too small to matter, which would become slow denormal numbers."""
    return np.where(np.abs(state) < 1e-15, 0.0, state)
