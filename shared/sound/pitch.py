"""The pitch of a one-shot, by YIN; and the names of notes.

A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA
111(4), 2002; equation numbers are that paper's. What has no clear and steady pitch has none here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 50.0, 4_300.0
"""Up to a piano's last key."""
_BASS_HZ = 26.0
"""Down to a piano's first key: such periods take longer sounds, and are sought where nothing is found."""
_BASS_TOP_HZ, _BASS_SHARE = 400.0, 0.5
"""They are where so much of the power is below so many hertz."""
_AFTER_ATTACK_S = 0.02
_WINDOW_S, _HOP_S = 0.04, 0.015
_MOST_FRAMES, _FEWEST_FRAMES = 24, 3
_THRESHOLD = 0.1
"""YIN's: dips of the normalised difference below it are periods."""
_SHORT_SAMPLES = 40
"""Periods shorter than so many samples are measured over several: a dip of a few samples is no parabola."""
_AUDIBLE_DB = -30.0
"""Frames are looked at down to so far below the loudest."""
_STEADY_SHARE, _STEADY_CENTS = 0.7, 40.0
"""So many of them must have the same pitch, give or take."""
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Pitch:
    """A clear pitch."""

    hz: float

    @property
    def note(self) -> int:
        """The nearest MIDI note; 69 is 440 Hz."""
        return round(self._midi)

    @property
    def cents(self) -> float:
        """How far above that note."""
        return 100 * (self._midi - self.note)

    @property
    def _midi(self) -> float:
        return float(69 + 12 * np.log2(self.hz / 440))


def note_name(note: int) -> str:
    """MIDI note 60 is ``C4``."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"


def pitch_of(sound: Samples, sample_rate_hz: int) -> Pitch | None:
    """Of ``(samples, channels)`` that begin with their attack; ``None``: nothing clear and steady.

    The loudest channel counts.
    """
    if not len(sound):
        return None
    channel = int(np.argmax(np.square(sound, dtype=np.float64).sum(axis=0)))
    mono = sound[:, channel].astype(np.float64)
    found = _steady(mono, sample_rate_hz, LOWEST_HZ)
    if found is None and _mostly_bass(mono, sample_rate_hz):
        found = _steady(mono, sample_rate_hz, _BASS_HZ)
    return found


def _mostly_bass(mono: NDArray[np.float64], sample_rate_hz: int) -> bool:
    power = np.square(np.abs(np.fft.rfft(mono[: 2 * sample_rate_hz])))
    low = power[1 : 1 + int(_BASS_TOP_HZ * min(len(mono) / sample_rate_hz, 2.0))]
    return float(low.sum()) > _BASS_SHARE * float(power[1:].sum())


def _steady(mono: NDArray[np.float64], sample_rate_hz: int, lowest_hz: float) -> Pitch | None:
    """The pitch that most audible frames have, none below ``lowest_hz``."""
    longest = int(sample_rate_hz / lowest_hz) + 1
    frames = _audible_frames(mono, sample_rate_hz, longest)
    if len(frames) < _FEWEST_FRAMES:
        return None
    found_hz = _frequencies(frames, sample_rate_hz, longest)
    if found_hz is None:
        return None
    voiced_hz = found_hz[found_hz > 0]
    if not voiced_hz.size:
        return None
    middle_hz = float(np.median(voiced_hz))
    near = np.abs(1200 * np.log2(voiced_hz / middle_hz)) < _STEADY_CENTS
    clarity = float(near.sum()) / len(frames)
    return Pitch(float(voiced_hz[near].mean())) if clarity >= _STEADY_SHARE else None


def _audible_frames(
    mono: NDArray[np.float64], sample_rate_hz: int, longest: int
) -> NDArray[np.float64]:
    """``(frames, window + longest period)``."""
    length = round(sample_rate_hz * _WINDOW_S) + longest
    tail = mono[round(sample_rate_hz * _AFTER_ATTACK_S) :]
    if len(tail) < length:
        return np.zeros((0, length))
    views = np.lib.stride_tricks.sliding_window_view(tail, length)
    frames = views[:: max(1, round(sample_rate_hz * _HOP_S))][:_MOST_FRAMES]
    power = frames.var(axis=1)
    loud = power > max(float(power.max()) * 10 ** (_AUDIBLE_DB / 10), 1e-12)
    # The first stretch alone: what sounds after a silence is another sound.
    first = int(np.argmax(loud))
    audible = np.logical_and.accumulate(loud[first:])
    return frames[first : first + int(audible.sum())]


def _frequencies(
    frames: NDArray[np.float64], sample_rate_hz: int, longest: int
) -> NDArray[np.float64] | None:
    """In Hz for each frame, 0 where no period stands out; ``None`` once too few can have one.

    Most one-shots have no pitch, and a third of their frames says so.
    """
    shortest = max(2, int(sample_rate_hz / HIGHEST_HZ))
    most_without = int((1 - _STEADY_SHARE) * len(frames)) + 1
    found_hz: list[float] = []
    for first in range(0, len(frames), most_without):
        part = frames[first : first + most_without]
        for row in normalised_difference(part, longest):
            period = _period(row, shortest)
            found_hz.append(sample_rate_hz / period if period else 0.0)
        if found_hz.count(0.0) >= most_without:
            return None
    return np.array(found_hz)


def normalised_difference(frames: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """d'(lag) for lags 0 to ``longest`` (equation 8), ``(frames, longest + 1)``."""
    window = frames.shape[1] - longest
    size = quick_size(frames.shape[1])
    spectrum = np.fft.rfft(frames, size)
    head = np.fft.rfft(frames[:, :window], size)
    alike = np.fft.irfft(spectrum * head.conj(), size)[:, : longest + 1]
    total = np.pad(np.cumsum(np.square(frames), axis=1), ((0, 0), (1, 0)))
    energy = total[:, window : window + longest + 1] - total[:, : longest + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * alike, 0.0)  # equation 7
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, longest + 1)
    ones = np.ones((len(frames), 1))
    return np.hstack([ones, difference[:, 1:] / np.maximum(mean, 1e-20)])


def quick_size(least: int) -> int:
    """The next power of two at or above, or three quarters of it: an FFT so long is quick."""
    size = 1 << max(2, (least - 1).bit_length())
    return 3 * size // 4 if 3 * size // 4 >= least else size


def _period(difference: NDArray[np.float64], shortest: int) -> float | None:
    """The first dip below the threshold, to its bottom (step 4), between samples (step 5)."""
    below = np.flatnonzero(difference[shortest:-1] < _THRESHOLD)
    if not below.size:
        return None
    lag = shortest + int(below[0])
    while lag + 2 < len(difference) and difference[lag + 1] < difference[lag]:
        lag += 1
    if difference[lag + 1] < difference[lag]:
        return None  # it falls on, to a longer period than is sought
    period = _bottom(difference, lag)
    times = 2
    while period < _SHORT_SAMPLES and times * period + 2 < len(difference):
        period = _bottom(difference, round(times * period)) / times
        times *= 2
    return period


def _bottom(difference: NDArray[np.float64], lag: int) -> float:
    """Where between samples the dip at ``lag`` is deepest."""
    left, bottom, right = difference[lag - 1 : lag + 2]
    bend = left - 2 * bottom + right
    return lag + (float(np.clip(0.5 * (left - right) / bend, -1, 1)) if bend > 1e-12 else 0.0)
