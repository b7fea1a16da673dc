"""Where to cut: in the quietest 20 ms beside a word, at a zero crossing, and never inside what stays.

The sound is decoded once, mixed to one channel, and kept on disk: an hour of it needs no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.contracts.edit_list import ms_at, sample_at
from shared.contracts.step_engine import Job
from shared.media.decode import audio_blocks

_QUIET_MS = 20
_ALIKE = 2.0
"""Of places no more than 3 dB louder than the quietest, the nearest is taken."""
_BESIDE_MS = 120
"""No farther from a word than this its cut is looked for."""
_MARGIN_MS = 20
"""So much of a pause stays beside a word that stays: it may ring on."""
_INTO_MS = 30
"""Where two words touch, the cut may lie so far inside the one that goes."""
_FULL_SCALE = 32_767


@dataclass(frozen=True)
class Sound:
    """One channel of the recording."""

    samples: NDArray[np.int16]
    """``(samples,)``, memory-mapped."""
    sample_rate_hz: int
    length: int
    """Of the recording in samples: its picture may go on after its sound, in silence."""
    damage: str | None = None

    def at(self, time_ms: float) -> int:
        """The sample of a time, within the recording."""
        return min(max(sample_at(time_ms, self.sample_rate_hz), 0), self.length)

    def ms(self, sample: int) -> float:
        """Its time as documents hold it."""
        return ms_at(sample, self.sample_rate_hz)

    def part(self, start: int, end: int) -> NDArray[np.float64]:
        """Samples ``[start, end)``, full scale 1; silence behind the sound's end."""
        found = np.asarray(self.samples[max(start, 0) : max(end, 0)], np.float64) / _FULL_SCALE
        return np.pad(found, (max(-start, 0), max(end - max(start, 0) - len(found), 0)))


def decoded(job: Job, duration_ms: int, progress: Callable[[float], None]) -> Sound:
    """The job's sound; raises as ``audio_blocks`` does."""
    path = job.workdir / "sound.s16"
    with audio_blocks(job.source, job.media, channels=1) as blocks, path.open("wb") as file:
        rate = blocks.sample_rate_hz
        for block in blocks:
            whole = np.clip(np.round(block[:, 0] * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE)
            file.write(whole.astype("<i2").tobytes())
            progress(min(1.0, 1000 * blocks.frames / rate / max(duration_ms, 1)))
        frames, damage = blocks.frames, blocks.damage
    samples = np.memmap(path, "<i2", "r") if frames else np.zeros(0, np.int16)
    shown = sample_at(duration_ms, rate) if job.media.has_video else 0
    return Sound(samples, rate, max(frames, shown), damage)


def quiet_point(sound: Sound, low: int, high: int, near: int) -> int:
    """A zero crossing in the quietest 20 ms with their middle in ``[low, high]``, as near as can be."""
    low, high = max(low, 0), min(high, sound.length)
    if high <= low:
        return low
    half = max(_QUIET_MS * sound.sample_rate_hz // 2000, 1)
    power = np.square(sound.part(low - half, high + half + 1))
    total = np.concatenate([[0.0], np.cumsum(power)])
    around = total[2 * half :] - total[: -2 * half]
    middles = low + np.flatnonzero(around[: high - low + 1] <= _ALIKE * max(around.min(), 1e-9))
    middle = int(middles[np.argmin(np.abs(middles - near))])
    return zero_crossing(sound, max(low, middle - half), min(high, middle + half), middle)


def zero_crossing(sound: Sound, low: int, high: int, near: int) -> int:
    """Where in ``[low, high]`` the sign changes, nearest to ``near``; the softest sample if nowhere."""
    part = sound.part(low - 1, high + 1)
    signs = np.signbit(part)
    crossings = low + np.flatnonzero((signs[1:] != signs[:-1]) | (part[1:] == 0))
    if len(crossings):
        return int(crossings[np.argmin(np.abs(crossings - near))])
    return low + int(np.argmin(np.abs(part[1:])))


@dataclass(frozen=True)
class Gone:
    """What is to go, between what stays; all in ms."""

    stays_until_ms: float
    first_ms: float
    last_ms: float
    stays_from_ms: float


def cut_between(sound: Sound, gone: Gone) -> tuple[float, float]:
    """Start and end of the cut that takes it out, in ms.

    Of the two pauses beside it the longer one stays, for what is left is to sound like one pause.
    """
    before_ms = max(gone.first_ms - gone.stays_until_ms, 0.0)
    after_ms = max(gone.stays_from_ms - gone.last_ms, 0.0)
    into_ms = min(_INTO_MS, (gone.last_ms - gone.first_ms) / 3)
    first_ms, last_ms = (
        max(gone.first_ms, gone.stays_until_ms),
        min(gone.last_ms, gone.stays_from_ms),
    )
    tight = before_ms <= after_ms
    start = _point(sound, gone.stays_until_ms, first_ms, into_ms, by_what_stays=tight)
    end = _point(sound, gone.stays_from_ms, last_ms, -into_ms, by_what_stays=not tight)
    return sound.ms(min(start, end)), sound.ms(max(start, end))


def _point(
    sound: Sound, stays_ms: float, goes_ms: float, into_ms: float, *, by_what_stays: bool
) -> int:
    """A cut in the pause between what stays and what goes, beside one of them."""
    pause_ms = abs(goes_ms - stays_ms)
    toward = 1.0 if into_ms >= 0 else -1.0
    if pause_ms < _QUIET_MS:
        edges = (stays_ms, goes_ms + into_ms)
    elif by_what_stays:
        edges = (
            stays_ms + toward * min(_MARGIN_MS, pause_ms / 2),
            stays_ms + toward * min(_BESIDE_MS, pause_ms),
        )
    else:
        edges = (goes_ms - toward * min(_BESIDE_MS, pause_ms - _MARGIN_MS / 2), goes_ms)
    low, high = sorted(sound.at(edge) for edge in edges)
    return quiet_point(sound, low, high, sound.at(edges[0 if by_what_stays else 1]))
