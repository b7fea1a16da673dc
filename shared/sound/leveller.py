"""A leveller for speech: every turn of speech comes to one loudness, and what is no speech is not raised.

    turn      a stretch of speech; where who speaks is told, all turns of one person are one
    loudness  of a turn: the mean of its 10 ms steps within 15 dB of its loudest second
    gain      the common loudness less the turn's, 12 dB at most either way
    breaths   steps in a turn that lie 15 dB below it for 100 ms get no gain above 0 dB; pauses neither
    ramps     the gain moves over 60 ms

Levels are K-weighted (BS.1770), as ``detect.activity`` tells them for every 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

STEP_MS = 10
MOST_GAIN_DB = 12.0
_BREATH_DB = 15.0
_BREATH_STEPS = 10
_RAMP_STEPS = 6
_EDGE_STEPS = 6
"""A turn's gain holds so long before and after it: first sounds are soft."""
_SECOND_STEPS = 100
_SHORTEST_STEPS = 30
"""What is shorter (a yes, a cough) takes the gain of the turn before it, unless it is told who speaks."""


@dataclass(frozen=True)
class Turn:
    """One stretch of speech."""

    start_ms: float
    end_ms: float
    speaker: str | None = None
    """Who, where it is told."""


@dataclass(frozen=True)
class Levels:
    """What the leveller does to a recording."""

    gains_db: Floats
    """Of each step of 10 ms."""
    before_lufs: Sequence[float | None]
    """Of each turn; ``None`` of one that holds no step: it is shorter, or lies behind the levels' end."""
    target_lufs: float
    """Where they all go: the mean of all speech."""

    def applied(self, blocks: Iterable[Floats], sample_rate_hz: int) -> Iterator[Floats]:
        """Blocks of ``(samples, channels)``, from the recording's start, at these gains."""
        first = 0
        for block in blocks:
            gain = self.factors(first, len(block), sample_rate_hz)
            first += len(block)
            yield block * gain[:, None].astype(block.dtype)

    def factors(self, first: int, count: int, sample_rate_hz: int) -> Floats:
        """For the ``count`` samples from ``first`` on."""
        step = STEP_MS * sample_rate_hz / 1000
        low = max(0, int(first / step) - 1)
        part = self.gains_db[low : int((first + count) / step) + 2]
        if not len(part):
            low, part = len(self.gains_db) - 1, self.gains_db[-1:]
        middles = (np.arange(low, low + len(part)) + 0.5) * step
        return np.asarray(
            10.0 ** (np.interp(np.arange(first, first + count), middles, part) / 20.0)
        )


def level_speech(levels_lufs: Floats, turns: Sequence[Turn]) -> Levels | None:
    """``levels_lufs``: of each 10 ms; ``None``: nobody speaks, or only in turns that hold no step."""
    steps = [_steps(turn, len(levels_lufs)) for turn in turns]
    inside = [part.stop > part.start for part in steps]
    spoken = list(compress(zip(turns, steps, strict=True), inside))
    if not spoken:
        return None
    power = 10.0 ** (np.asarray(levels_lufs, np.float64) / 10.0)
    loudness = _by_speaker([turn for turn, _ in spoken], [_mean(power[s]) for _, s in spoken])
    lengths = np.array([part.stop - part.start for _, part in spoken], np.float64)
    total = float((lengths * 10 ** (np.array(loudness) / 10)).sum() / lengths.sum())
    target = 10.0 * float(np.log10(total))
    gains = np.zeros(len(power))
    last = 0.0
    for (turn, part), lufs in zip(spoken, loudness, strict=True):
        if turn.speaker or part.stop - part.start >= _SHORTEST_STEPS:
            last = float(np.clip(target - lufs, -MOST_GAIN_DB, MOST_GAIN_DB))
        wide = slice(max(0, part.start - _EDGE_STEPS), part.stop + _EDGE_STEPS)
        gains[wide] = np.where(_breaths(levels_lufs[wide], lufs), min(last, 0.0), last)
    ramp = np.full(_RAMP_STEPS, 1 / _RAMP_STEPS)
    padded = np.pad(gains, (_RAMP_STEPS // 2, _RAMP_STEPS - 1 - _RAMP_STEPS // 2), "edge")
    known = iter(loudness)
    before = [next(known) if held else None for held in inside]
    return Levels(np.convolve(padded, ramp, "valid"), before, target)


def _steps(turn: Turn, count: int) -> slice:
    return slice(int(turn.start_ms / STEP_MS), min(round(turn.end_ms / STEP_MS), count))


def _mean(power: Floats) -> float:
    """LUFS of what is within 15 dB of the loudest second."""
    width = min(_SECOND_STEPS, len(power))
    loudest = float(np.convolve(power, np.full(width, 1 / width), "valid").max())
    heard = power[power > loudest * 10 ** (-_BREATH_DB / 10)]
    return 10.0 * float(np.log10(max(float(heard.mean()) if heard.size else loudest, 1e-12)))


def _by_speaker(turns: Sequence[Turn], loudness: Sequence[float]) -> list[float]:
    """A person's turns keep their levels to each other: their common one is what counts."""
    common = {}
    for name in {turn.speaker for turn in turns if turn.speaker}:
        own = [
            (turn.end_ms - turn.start_ms, lufs)
            for turn, lufs in zip(turns, loudness, strict=True)
            if turn.speaker == name
        ]
        power = sum(length * 10 ** (lufs / 10) for length, lufs in own)
        common[name] = 10.0 * float(np.log10(power / sum(length for length, _ in own)))
    return [
        common[turn.speaker] if turn.speaker else lufs
        for turn, lufs in zip(turns, loudness, strict=True)
    ]


def _breaths(levels_lufs: Floats, turn_lufs: float) -> NDArray[np.bool_]:
    """Steps that belong to 100 ms or more of something much softer than the turn."""
    soft = np.asarray(levels_lufs) < turn_lufs - _BREATH_DB
    if len(soft) < _BREATH_STEPS:
        return np.zeros(len(soft), bool)
    runs = np.lib.stride_tricks.sliding_window_view(soft, _BREATH_STEPS).all(axis=1)
    inside = np.convolve(runs, np.ones(_BREATH_STEPS)) > 0
    return np.asarray(inside[: len(soft)])
