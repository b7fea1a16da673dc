"""The sound of the room: found in a recording's quietest stretches, and as much of it as is wanted.

While the recording goes by, each section's quietest half second is kept; the loudest 20 ms in it
decide, so that a click or the rest of a word doesn't pass for quiet. To fill a longer place, grains
of it follow each other in an order that is random to the ear and always the same, overlapping by
halves at equal power: noise keeps its level and its spectrum, and nothing is heard to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from functions.render.cut.crossfades import Sound

TONE_S = 0.5
"""Of quiet that is kept for each section: it fits into a pause of speech, and holds several grains."""
_STEP_S = 0.02
_LEAST_SECTION_S = 10.0
_SECTIONS = 32
"""At most so many for a recording, for memory."""
_ALIKE_DB = 6.0
"""The nearest section's is taken unless it is this much louder than a quarter of them are: nobody may
pause in a section, and a recording's first second may be digital silence when the rest is not."""
_LOWEST = 1e-10
"""Mean square: -100 dBFS. What is quieter is as quiet."""
_GATE_DB = 10.0
"""Blocks that lie so far below the mean of all do not count for a bleep's level."""
_BLEEP_HZ = 1000.0
_GRAIN_S = 0.16
"""Shorter grains flutter, longer ones are heard to come again."""


@dataclass(frozen=True)
class _Quiet:
    """A half second, where it was, and the mean square of its loudest 20 ms."""

    at: int
    loudest: float
    sound: Sound


@dataclass
class Room:
    """Listens to a recording from its start to its end."""

    sample_rate_hz: int
    frames: int
    """Of the recording, about."""
    silenced: Sequence[tuple[int, int]]
    """What must not be heard anywhere, in order; none overlaps."""
    _quiets: dict[int, _Quiet] = field(default_factory=dict)
    _powers: list[float] = field(default_factory=list)
    _rest: Sound | None = None
    """The end of what was heard: from where the next half second may begin."""
    _rest_at: int = 0
    _rest_steps: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Its powers, of whole steps."""

    def hear(self, block: Sound) -> None:
        """The next block, ``(frames, channels)``. However short blocks are, half seconds reach across them;
        their grid of 20 ms begins with the recording."""
        step = round(_STEP_S * self.sample_rate_hz)
        sound = block if self._rest is None else np.concatenate([self._rest, block])
        count = len(sound) // step
        fresh = sound[len(self._rest_steps) * step : count * step]
        squares = np.square(fresh, dtype=np.float64).mean(axis=1)
        steps = squares.reshape(-1, step).mean(axis=1)
        if len(steps):
            self._powers.append(float(steps.mean()))
        powers = np.concatenate([self._rest_steps, steps])
        past = max(0, count - round(TONE_S / _STEP_S) + 1)
        if past:
            self._keep_quietest(sound, powers, step)
        self._rest, self._rest_steps = sound[past * step :].copy(), powers[past:]
        self._rest_at += past * step

    def _keep_quietest(self, sound: Sound, powers: NDArray[np.float64], step: int) -> None:
        """Of the half seconds that begin in ``sound`` and are whole; ``powers``: of its steps."""
        wide = round(TONE_S / _STEP_S)
        loudest = np.lib.stride_tricks.sliding_window_view(powers, wide).max(axis=1)
        starts = self._rest_at + step * np.arange(len(loudest))
        usable = ~self._is_silenced(starts, wide * step)
        if not usable.any():
            return
        place = int(np.argmin(np.where(usable, loudest, np.inf)))
        section = int(starts[place] // self._section)
        known = self._quiets.get(section)
        if known is None or loudest[place] < known.loudest:
            part = sound[place * step : (place + wide) * step].copy()
            self._quiets[section] = _Quiet(int(starts[place]), float(loudest[place]), part)

    def _is_silenced(self, starts: NDArray[np.int64], frames: int) -> NDArray[np.bool_]:
        """Of windows of ``frames``: does it touch anything that is not to be heard?"""
        edges = np.array(self.silenced, np.int64).reshape(-1, 2)
        if not len(edges):
            return np.zeros(len(starts), bool)
        following = np.searchsorted(edges[:, 1], starts, side="right")
        nearest = edges[np.minimum(following, len(edges) - 1), 0]
        return np.asarray((following < len(edges)) & (nearest < starts + frames))

    @property
    def _section(self) -> float:
        return max(_LEAST_SECTION_S * self.sample_rate_hz, self.frames / _SECTIONS)

    @property
    def heard(self) -> bool:
        """Was there any?"""
        return bool(self._quiets)

    def tone(self, at: int, first: int, frames: int, channels: int) -> Sound:
        """The room as it is about the recording's sample ``at``: frames from ``first`` on of as much of
        it as anybody wants, ``(frames, channels)``. Zeros where none is known.

        The same ``at`` gives the same sound, in however many parts it is asked for.
        """
        if not self._quiets:
            return np.zeros((frames, channels), np.float32)
        quarter = float(np.quantile([one.loudest for one in self._quiets.values()], 0.25))
        most = quarter * 10 ** (_ALIKE_DB / 10) + _LOWEST
        quiet = [one for one in self._quiets.values() if one.loudest <= most]
        taken = min(quiet, key=lambda one: (abs(one.at - at), one.at))
        return _texture(taken.sound, (first, frames), round(_GRAIN_S * self.sample_rate_hz), at)

    def bleep(self, first: int, frames: int, channels: int) -> Sound:
        """1 kHz, as loud as the recording is where it is not quiet (as BS.1770 gates it).

        That is the RMS of the blocks that are at most 10 dB below the mean of all, without weighting.
        ``(frames, channels)``; ``first`` counts from the bleep's beginning.
        """
        powers = np.array(self._powers or [0.0])
        spoken = powers[powers >= powers.mean() * 10 ** (-_GATE_DB / 10)].mean()
        turn = 2 * np.pi * _BLEEP_HZ / self.sample_rate_hz
        wave = np.sqrt(2 * spoken) * np.sin(turn * np.arange(first, first + frames))
        return np.repeat(wave.astype(np.float32)[:, None], channels, axis=1)


def _texture(sound: Sound, wanted: tuple[int, int], grain: int, seed: int) -> Sound:
    """Grains of ``sound``, overlapping by halves; ``wanted``: its first frame and how many."""
    first, frames = wanted
    hop = grain // 2
    rise = (np.arange(2 * hop) + 0.5) / (2 * hop)
    window = np.sin(np.pi * rise)[:, None].astype(np.float32)
    low, high = first // hop, (first + frames) // hop + 2
    starts = np.random.Generator(np.random.PCG64(seed)).integers(0, len(sound) - 2 * hop, high)
    made = np.zeros(((high - low + 1) * hop, sound.shape[1]), np.float32)
    for number, start in enumerate(starts[low:high]):
        made[number * hop : (number + 2) * hop] += window * sound[start : start + 2 * hop]
    # The grain before the first is missing in its first half.
    offset = hop + first - low * hop
    return made[offset : offset + frames]
