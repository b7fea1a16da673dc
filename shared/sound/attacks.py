"""Onsets, and where exactly each begins: to half a millisecond.

Onset strength tells them (``onsets``), to a frame of 12 ms. The energy of the signal's slope, which
rumble and DC hardly move, tells in steps of 0.5 ms where the next 5 ms are strongest against the 10 ms
before; from there it goes back to the foot of the rise.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.sound.masking import HIDDEN_DB
from shared.sound.onsets import FINE, LOUDEST, Samples, Tracks, local_mean, pick_peaks
from shared.sound.tremolo import swing_rate_hz, unchanged

STEPS_PER_S = 2000
WEAKEST_DB = 0.5
"""What stands out less is no onset for anybody."""
SHARP = 0.3
"""So much of the threshold an onset must rise beyond its bands' neighbours: a vibrato's don't."""
_STRUCK_DB = 3.0
"""A recording that begins on a sound: its first frames are so far above those that follow."""
_EARLY = 3
"""An onset of its own so many frames from the beginning stands for the recording's first sound."""
_BACK_STEPS, _ON_STEPS = STEPS_PER_S // 16, STEPS_PER_S // 40
"""The attack is sought 62 ms before its frame and 25 ms after."""
_APART_STEPS = STEPS_PER_S // 33
"""Two attacks are 30 ms apart, or one."""
_MOVED_DB, _SUDDEN_DB = 2.0, 6.0
"""What stands out less from where sound was before, and rises less within 10 ms, may be a vibrato."""
_FAINTEST = 1e-12
_LOUD, _NOISE, _FAINT = 100.0, 3.0, 0.002
"""Of an attack that stands 20 dB out, what is no louder than noise in its peaks, or than so much of it, comes
before it."""
_ROW_STEPS = STEPS_PER_S // 4
"""A vibrato of 4 Hz and more comes and comes again; a slow note in another's place comes alone."""


@dataclass(frozen=True)
class Onset:
    """One beginning."""

    frame: int
    """The fine frame where onset strength peaks."""
    step: int
    """Its first half millisecond, counted from 0."""
    strength_db: float
    sharp_db: float


def find_onsets(tracks: Tracks, slope: NDArray[np.floating]) -> list[Onset]:
    """All onsets in order. ``slope``: the slope's energy, ``STEPS_PER_S`` values a second.

    The strongest are placed first, so that a weak one beside it never takes its attack.
    """
    slope = np.asarray(slope)  # of a memory map each small part would take ten times as long to cut
    frames = onset_frames(tracks, WEAKEST_DB)
    flux_db, near = tracks.fine_flux_db, FINE
    mean_db = local_mean(flux_db, FINE)
    rated = []
    for frame in frames.tolist():
        strength_db = float(flux_db[frame : frame + near + 1].max() - mean_db[frame])
        sharp_db = float(tracks.fine_sharp_db[max(0, frame - near) : frame + near + 1].max())
        if frame == 0:
            strength_db = sharp_db = max(struck_db(tracks), strength_db)
        rated.append((-strength_db, frame, sharp_db))
    taken: list[int] = []
    found: list[Onset] = []
    for negative_db, frame, sharp_db in sorted(rated):
        step = _free_step(
            slope, round(frame * tracks.hop / FINE / tracks.sample_rate_hz * STEPS_PER_S), taken
        )
        if step is not None:
            insort(taken, step)
            found.append(Onset(frame, step, -negative_db, sharp_db))
    found = _without_vibrato(sorted(found, key=lambda onset: onset.step), tracks, slope)
    return [onset for onset in found if not _only_swings(onset, tracks, slope)]


def _only_swings(onset: Onset, tracks: Tracks, slope: NDArray[np.floating]) -> bool:
    """Is it a swing of a tremolo: neither sudden, nor with another spectrum than the one before?"""
    if rise_db(slope, onset.step) >= _SUDDEN_DB:
        return False
    rate_hz = swing_rate_hz(slope, onset.step, STEPS_PER_S)
    if rate_hz is None:
        return False
    return unchanged(tracks.bands_db, onset.frame // FINE, round(tracks.frames_per_s / rate_hz))


def _without_vibrato(
    onsets: Sequence[Onset], tracks: Tracks, slope: NDArray[np.floating]
) -> list[Onset]:
    """Without rows of what only moves: neither new where it is, nor sudden."""
    moving = [
        onset.step
        for onset in onsets
        if tracks.fine_unmoved_db[onset.frame] < _MOVED_DB
        and rise_db(slope, onset.step) < _SUDDEN_DB
    ]
    near = np.diff(moving) <= _ROW_STEPS
    in_row = np.append(near, False) | np.append(False, near) if moving else ()
    rows = {step for step, row in zip(moving, in_row, strict=True) if row}
    return [onset for onset in onsets if onset.step not in rows]


def rise_db(slope: NDArray[np.floating], step: int) -> float:
    """How far the strongest 5 ms of the 9 from ``step`` on stand above the strongest 5 of the 20 before."""
    starts = [step + late for late in (0, 4, 8) if step + late < len(slope)]
    after = [_mean_of_ten(slope, first) for first in starts]
    before = [_mean_of_ten(slope, step - 10 * back) for back in range(1, 5) if 10 * back <= step]
    return float(10 * np.log10((max(after) + _FAINTEST) / (max(before, default=0.0) + _FAINTEST)))


def _mean_of_ten(slope: NDArray[np.floating], first: int) -> np.floating:
    """As ``mean()`` gives it, in a third of its time: of so few it is all preparation."""
    part = slope[first : first + 10]
    mean: np.floating = np.add.reduce(part) / len(part)
    return mean


def _free_step(slope: NDArray[np.floating], coarse: int, taken: list[int]) -> int | None:
    """The attack near ``coarse`` that none of ``taken`` has; ``None``: there is no room."""
    place = bisect_left(taken, coarse)
    low, high = coarse - _BACK_STEPS, coarse + _ON_STEPS
    if place:
        low = max(low, taken[place - 1] + _APART_STEPS)
    if place < len(taken):
        high = min(high, taken[place] - _APART_STEPS)
    return attack_step(slope, low, high)


def onset_frames(tracks: Tracks, threshold_db: float) -> NDArray[np.int64]:
    """Fine frames where something begins, in order; 0 where the recording begins with an attack.

    Spectral flux needs a frame before it, so a recording that starts on its first sound is told by
    that sound's decay. What flickers weakly in it so early is no beginning of its own.
    """
    frames = pick_peaks(tracks.fine_flux_db, threshold_db, fine=FINE)
    around = frames[:, None] + np.arange(-FINE, FINE + 1)
    near = np.clip(around, 0, max(tracks.fine_flux_db.size - 1, 0))
    frames = frames[tracks.fine_sharp_db[near].max(axis=1, initial=0.0) >= SHARP * threshold_db]
    frames = frames[tracks.fine_new_db[frames] >= HIDDEN_DB]
    early = frames <= _EARLY * FINE
    strongest_db = float(tracks.fine_flux_db[frames[early]].max(initial=0.0))
    if struck_db(tracks) > max(_STRUCK_DB, strongest_db):
        frames = np.concatenate([[0], frames[~early]])
    return frames


def struck_db(tracks: Tracks) -> float:
    """How far the recording's first 50 ms stand above the 200 ms after."""
    head, after = tracks.power[:2], tracks.power[4:12]
    if not after.size:
        return 0.0
    # The softest quarter: the next sound may begin within that time.
    return float(10 * np.log10((head.max() + 1e-9) / (np.percentile(after, 25) + 1e-9)))


def slope_energy(samples: Samples, sample_rate_hz: int) -> NDArray[np.float64]:
    """Mean square of the slope over each 0.5 ms of ``(samples, channels)``, what is left over cut off."""
    step = max(1, sample_rate_hz // STEPS_PER_S)
    count = len(samples) // step
    slope = np.diff(np.clip(samples, -LOUDEST, LOUDEST), axis=0, prepend=samples[:1])
    squares = np.square(slope[: count * step]).reshape(count, -1) if count else np.zeros((0, 1))
    return np.asarray(squares.mean(axis=1, dtype=np.float64))


def attack_step(energy: NDArray[np.floating], low: int, high: int) -> int | None:
    """The step of ``[low, high]`` where the energy rises; ``None`` where that range is empty."""
    low, high = max(low, 0), min(high, len(energy) - 1)
    if low > high:
        return None
    first, last = max(0, low - 20), min(len(energy), high + 80)
    part = np.asarray(energy[first:last], np.float64)
    total = np.concatenate([[0.0], np.cumsum(part)])
    at = np.arange(low - first, high - first + 1)
    ahead = (total[np.minimum(at + 10, len(part))] - total[at]) / 10
    past = (total[at] - total[np.maximum(at - 20, 0)]) / np.maximum(np.minimum(at, 20), 1)
    floor = 1e-5 * part.max() + 1e-18
    best = int(np.argmax((ahead + floor) / (past + floor)))
    quiet = past[: best + 1].min()
    strongest = float(ahead[best : best + 60].max())
    foot = quiet + 0.02 * max(strongest - quiet, 0.0)
    while best > 0 and foot < past[best] and past[best - 1] <= 1.05 * past[best]:
        best -= 1
    return low + best + _still_before(part[at[best] :][:10], float(quiet), strongest)


def _still_before(energy: NDArray[np.floating], quiet: float, strongest: float) -> int:
    """How many steps pass before anything is heard.

    A click of less than a step is as strong in any 5 ms that hold it, and the first of them would be taken.
    """
    if strongest < _LOUD * quiet:
        return 0
    heard = energy > max(_NOISE * quiet, quiet + _FAINT * (strongest - quiet))
    return int(np.argmax(heard))
