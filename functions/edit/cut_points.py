"""Where to cut: in the quietest 20 ms beside a word, at a zero crossing, and never inside what stays.

    pause       from what stays to what goes; of the two beside a cut the longer one stays
    searched    up to 120 ms from one of the two, without the 10 to 20 ms beside what stays
    quiet       of all windows of 20 ms there those within 3 dB of the quietest, of these the nearest
    crossing    in that window, the change of sign nearest to its middle: no step is heard

The sound is decoded once, mixed to one channel, and kept on disk as 16-bit samples, 2 bytes each: an
hour of it needs no memory. It is the mix that crosses zero at a cut; each of several channels need not.
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
"""Shorter windows take the lull between two pulses of a low voice for quiet, longer ones miss pauses."""
_ALIKE = 2.0
"""Of places no more than 3 dB louder than the quietest, the nearest is taken."""
_BESIDE_MS = 120
"""No farther from a word than this its cut is looked for."""
_MARGIN_MS = 20
"""So much of a pause stays beside a word that stays: it may ring on."""
_INTO_MS = 30
"""Where two words touch, the cut may lie so far inside the one that goes."""
_FULL_SCALE = 32_767
"""Of the stored samples, in both directions: -32,768 is never written."""


@dataclass(frozen=True)
class Sound:
    """One channel of the recording."""

    samples: NDArray[np.int16]
    """``(samples,)``, memory-mapped."""
    sample_rate_hz: int
    length: int
    """Of the recording in samples: its picture may go on after its sound, in silence."""
    damage: str | None = None
    """ffmpeg's last words, where not all could be decoded."""

    def at(self, time_ms: float) -> int:
        """The sample that begins nearest to a time, from 0 to ``length``, whatever is asked."""
        return min(max(sample_at(time_ms, self.sample_rate_hz), 0), self.length)

    def ms(self, sample: int) -> float:
        """Its time as documents hold it."""
        return ms_at(sample, self.sample_rate_hz)

    def part(self, start: int, end: int) -> NDArray[np.float64]:
        """Samples ``[start, end)``, ``(end - start,)``, full scale 1; silence before the sound's
        beginning and behind its end. Only what is asked for is read from disk.
        """
        found = np.asarray(self.samples[max(start, 0) : max(end, 0)], np.float64) / _FULL_SCALE
        return np.pad(found, (max(-start, 0), max(end - max(start, 0) - len(found), 0)))


def decoded(job: Job, duration_ms: int, progress: Callable[[float], None]) -> Sound:
    """The job's sound, in ``sound.s16`` in its folder; raises as ``audio_blocks`` does.

    ``duration_ms``: how long the recording is said to be; where it has a picture, silence follows
    its sound until then. ``progress`` is told 0 to 1. Memory holds one block.
    """
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
    """A zero crossing in the quietest 20 ms with their middle in ``[low, high]``, as near as can be.

    All are samples of the recording, ``near`` the place that is wanted most. The energies of all
    windows come from one running sum, so time and memory grow with ``high - low`` alone. In digital
    silence all windows are alike: ``near`` itself is the answer. An empty range gives ``low``.
    """
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
    """Where in ``[low, high]`` the sign changes, nearest to ``near``; the softest sample if nowhere.

    The answer is the first sample of the new sign, or one that is 0: what is cut off before it
    ends, and what begins with it starts, next to zero.
    """
    part = sound.part(low - 1, high + 1)
    signs = np.signbit(part)
    crossings = low + np.flatnonzero((signs[1:] != signs[:-1]) | (part[1:] == 0))
    if len(crossings):
        return int(crossings[np.argmin(np.abs(crossings - near))])
    return low + int(np.argmin(np.abs(part[1:])))


@dataclass(frozen=True)
class Gone:
    """What is to go, between what stays; all in ms of the recording's own time."""

    stays_until_ms: float
    """Where the word before it ends; 0 where there is none."""
    first_ms: float
    """Where what goes begins: earlier than ``stays_until_ms`` where two speak at once."""
    last_ms: float
    stays_from_ms: float
    """Where the word behind it begins; the recording's end where there is none."""


def cut_between(sound: Sound, gone: Gone) -> tuple[float, float]:
    """Start and end of the cut that takes it out, in ms.

    Of the two pauses beside it the longer one stays, for what is left is to sound like one pause: the
    cut begins by the word before it and ends by what goes, or the other way round. Where a pause is
    shorter than 20 ms, the cut may lie up to 30 ms, or a third of its length, inside what goes.
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
    """A cut in the pause between what stays and what goes, beside one of them; a sample.

    ``into_ms``: how far it may lie in what goes; its sign says on which side that is, positive behind
    the pause. ``by_what_stays``: 20 ms from what stays or half the pause, if that is less, rather
    than at the edge of what goes.
    """
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
