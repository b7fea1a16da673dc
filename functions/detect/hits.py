"""``detect.hits``: onsets become one-shots.

What begins where, how loud it is and where somebody speaks is the recording's activity; the sound
is decoded once, to cut.

A hit begins ``pre_roll_ms`` before its attack, or where the one before was cut. It ends where its
sound has decayed, ``pre_roll_ms`` before the next onset or speech at the latest, and at
``max_duration_ms``: it never holds what begins after it. A short fade ends it there (``end_ms``),
and silence fills its file up to ``min_duration_ms`` (0.5 s at least).

What begins in speech is a syllable and no hit, unless ``include_speech`` asks for it. A sound that
is played again is a hit again, a take of the first (``hit_sounds``). Reads ``audio_activity``;
writes ``audio_hit`` for each, ``audio_hits`` and a ``preview``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from functions.detect.hit_sounds import HitSounds
from functions.detect.reading_activity import Listened, reading_backend
from functions.detect.segments import (
    Detection,
    Samples,
    Segment,
    SegmentParams,
    fade,
    fade_samples,
    in_ms,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.media.decode import audio_blocks
from shared.sound.attacks import SHARP
from shared.sound.onsets import LOUDEST

NEAR_SILENT_DBFS = -60.0
"""A peak so low makes a hit worthless; from 48 dB above it on a hit is loud enough."""
_SHORTEST_SPEECH_MS, _SURE_SPEECH = 300, 0.7
"""Speech that is shorter or less sure (0 to 1) is none: drums pass for speech for a moment, or
unsurely."""
_SPEECH_EDGE_MS = 60
"""So near to speech it is its breath and lips."""
_SHORTEST_TAIL_S = 0.12
"""A soft sound amid a louder one's tail has no decay of its own to be seen."""


class HitsParams(SegmentParams):
    """What counts as a hit, and how it is cut."""

    max_duration_ms: int = 10_000
    """No hit is longer, 500 to 30,000."""
    pre_roll_ms: float = 5.0
    """So much is kept before the attack, 0 to 200."""
    threshold_db: float = 1.0
    """How far the onset strength (mean rise of the spectrum's bands) must stand out, 0.5 to 20."""
    include_speech: bool = False
    """Are onsets in speech hits, too?"""
    max_hits: int = 512
    """The best by score are kept, 1 to 4,096."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("pre_roll_ms", self.pre_roll_ms, 0, 200)
        check_range("threshold_db", self.threshold_db, 0.5, 20)
        check_range("max_hits", self.max_hits, 1, 4096)
        return self


@dataclass(frozen=True)
class Onset:
    """One beginning."""

    at: int
    """Sample of the attack's beginning."""
    strength_db: float
    """How far the onset strength stands above its surroundings."""
    spoken: bool
    """It lies in somebody's speech."""


def backend() -> Backend:
    """Reads what activity heard; the stub without librosa, whose onset strength and peaks those are."""
    return reading_backend("hits", 8, "librosa")


def run(job: Job, params: HitsParams, backend: Backend) -> Result:
    """Choose and cut. Raises ``ValidationError`` without activity, ``UnsupportedMedia``."""
    listened = Listened(job)
    if listened.silent:
        made = _detection(listened, [], {"onsets_ms": []}).outputs(job, [], _shaping(1, 0))
        return Result(made, StepState.SKIPPED, "silent recording")
    onsets = [] if backend.stub else find_onsets(listened, params.threshold_db)
    segments = (
        regular_segments(listened, params) if backend.stub else choose(listened, onsets, params)
    )
    rate = listened.sample_rate_hz
    about = {
        "min_quality_score": params.min_quality_score,
        "onset_count": len(onsets),
        "onsets_ms": [in_ms(onset.at, rate) for onset in onsets],
    }
    shape = _shaping(rate, rate * params.min_duration_ms // 1000)
    with audio_blocks(job.source, job.media) as blocks:
        made = _detection(listened, segments, about).outputs(job, blocks, shape, _describing(rate))
    return Result(made)


def _detection(
    listened: Listened, segments: Sequence[Segment], about: Mapping[str, Any]
) -> Detection:
    rate, samples = listened.sample_rate_hz, listened.samples
    return Detection("hit", rate, samples, listened.peaks, segments, about)


def find_onsets(listened: Listened, threshold_db: float) -> list[Onset]:
    """The onsets that stand out by ``threshold_db``, in order, those in speech told from the rest.

    Each must also rise by ``SHARP`` of the threshold beyond its bands' neighbours, which a vibrato
    doesn't.
    """
    heard, rate = listened.activity.onsets, listened.sample_rate_hz
    times_ms = np.array(heard.times_ms)
    spoken = np.zeros(len(times_ms), bool)
    for start_ms, end_ms in listened.speech(_SURE_SPEECH, _SHORTEST_SPEECH_MS):
        spoken |= (times_ms >= start_ms - _SPEECH_EDGE_MS) & (times_ms < end_ms + _SPEECH_EDGE_MS)
    return [
        Onset(round(time_ms * rate / 1000), strength_db, bool(inside))
        for time_ms, strength_db, sharp_db, inside in zip(
            heard.times_ms, heard.strength_db, heard.sharp_db, spoken, strict=True
        )
        if strength_db >= threshold_db and sharp_db >= SHARP * threshold_db
    ]


def choose(listened: Listened, onsets: Sequence[Onset], params: HitsParams) -> list[Segment]:
    """The hits that are good enough, the best ``max_hits`` of them, in the recording's order.

    Onsets whose hit is left out, in speech or too soft, still end the hit before them.
    """
    tails = _Tails(listened)
    rated = [
        _rated(listened, onset, _span(listened, tails, onsets, index, params), params)
        for index, onset in enumerate(onsets)
        if params.include_speech or not onset.spoken
    ]
    good = [hit for hit in rated if hit.score >= params.min_quality_score and hit.score > 0]
    best = sorted(good, key=lambda hit: (-hit.score, hit.start))[: params.max_hits]
    return sorted(best, key=lambda hit: hit.start)


def _span(
    listened: Listened, tails: _Tails, onsets: Sequence[Onset], index: int, params: HitsParams
) -> tuple[int, int]:
    """First sample of a hit and the one behind its last, 10 ms after its attack at the least."""
    rate, at = listened.sample_rate_hz, onsets[index].at
    longest = rate * params.max_duration_ms // 1000
    pre_roll = round(params.pre_roll_ms * rate / 1000)
    start = max(0, at - pre_roll)
    if index:
        # What an earlier onset began is not heard again: its cut is the border.
        start = max(start, min(onsets[index - 1].at + rate // 100, at))
    later = onsets[index + 1].at - pre_roll if index + 1 < len(onsets) else listened.samples
    spoken = listened.samples if params.include_speech else tails.speech_after(at)
    stop = min(tails.decayed(at, longest), later, spoken, start + longest, listened.samples)
    return start, max(stop, min(at + rate // 100, listened.samples))


class _Tails:
    """Where sounds end, in samples."""

    def __init__(self, listened: Listened) -> None:
        series = listened.activity.level_dbfs
        self._rate_hz = listened.sample_rate_hz
        self._hop = max(1, round(series.step_ms * self._rate_hz / 1000))
        self._power = 10 ** (series.values().astype(np.float64) / 10)
        self._samples = listened.samples
        starts_ms = [start for start, _ in listened.speech(_SURE_SPEECH, _SHORTEST_SPEECH_MS)]
        self._speech = np.array(starts_ms) * self._rate_hz / 1000

    def speech_after(self, at: int) -> int:
        """Where somebody begins to speak next; the recording's end where nobody does."""
        place = int(np.searchsorted(self._speech, at, side="right"))
        return int(self._speech[place]) if place < len(self._speech) else self._samples

    def decayed(self, at: int, longest: int) -> int:
        """Where the sound that begins at ``at`` is 40 dB below its peak, or down to what was there.

        At most ``longest`` samples after it, and no sooner than 0.12 s. The peak is that of the
        first 0.2 s or so, in steps of some 23 ms; what was there is the quietest of as long before,
        and 2 dB more. It must stay below for three steps: a beat of two tones is no end.
        """
        first = at // self._hop
        head = self._power[first : first + 8]
        before = self._power[max(0, first - 8) : first]
        quiet = float(before.min()) if before.size else 0.0
        end_power = max(1e-4 * float(head.max(initial=0.0)), 1.6 * quiet, 1e-9)
        top = first + int(np.argmax(head)) if head.size else first
        after = self._power[top : first + longest // self._hop]
        low = np.flatnonzero(after < end_power)
        lasting = low[:-2][(low[2:] - low[:-2]) == 2] if low.size > 2 else low[:1]
        if not lasting.size:
            return min(at + longest, self._samples)
        ends = (top + int(lasting[0])) * self._hop
        return max(ends, at + round(_SHORTEST_TAIL_S * self._rate_hz))


def _rated(listened: Listened, onset: Onset, span: tuple[int, int], params: HitsParams) -> Segment:
    """A span as a hit: how far its onset stands out times how loud it is, each 0 to 1.

    An onset is half sure at the threshold itself, and surer the further it stands above.
    """
    peak_dbfs = listened.peak_dbfs(onset.at, span[1])
    confidence = onset.strength_db / (onset.strength_db + params.threshold_db)
    confidence = min(max(confidence, 0.0), 1.0)
    loudness = min(max((peak_dbfs - NEAR_SILENT_DBFS) / 48.0, 0.0), 1.0)
    more = {
        "onset_ms": in_ms(onset.at, listened.sample_rate_hz),
        "strength_db": round(onset.strength_db, 2),
        "peak_dbfs": round(peak_dbfs, 2),
    }
    return Segment(*span, confidence * loudness, confidence, more, onset.at - span[0])


def regular_segments(listened: Listened, params: HitsParams) -> list[Segment]:
    """What the stub gives: a second of every two, known from the duration alone."""
    rate, samples = listened.sample_rate_hz, listened.samples
    length = rate * min(max(1000, params.min_duration_ms), params.max_duration_ms) // 1000
    starts = range(0, max(1, samples - length + 1), 2 * length)
    return [
        Segment(start, min(start + length, samples), 0.0, 0.0, {"onset_ms": in_ms(start, rate)})
        for start in list(starts)[: params.max_hits]
    ]


def _describing(sample_rate_hz: int) -> Callable[[Samples, Segment], Mapping[str, Any]]:
    """What each hit's sound says of it, from its attack on."""
    sounds = HitSounds(sample_rate_hz)

    def describe(read: Samples, hit: Segment) -> Mapping[str, Any]:
        return sounds.describe(np.clip(read[hit.lead :], -LOUDEST, LOUDEST), hit.more["onset_ms"])

    return describe


def _shaping(sample_rate_hz: int, shortest: int) -> Callable[[Samples, Segment], Samples]:
    """Fades that no ear notices and no click survives, then silence up to ``shortest`` samples.

    Half the pre-roll in, ``fade_samples`` out, both straight.
    """

    def shape(samples: Samples, segment: Segment) -> Samples:
        faded = fade(samples, segment.lead // 2, fade_samples(samples, sample_rate_hz))
        return np.pad(faded, ((0, max(0, shortest - len(faded))), (0, 0)))

    return shape


ENGINE = Engine(params=HitsParams, backend=backend, run=run)
