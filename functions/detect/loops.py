"""``detect.loops``: what repeats, cut at bar lines.

Tempo, beats, metre and the coarse spectrum are the recording's activity, section by section; the
sound is decoded to measure and to cut. Each run of 1, 2, 3, 4, 6 or 8 bars is rated by how well
what follows (or precedes) repeats it; only what repeats is a loop. Each distinct loop is given
once, by its best take: a loop that is a better one begun at another beat, or that one played twice,
is the same. The chosen ones are measured again at the samples themselves: their length is the
distance at which the sound repeats, so it is a whole number of bars, and ``bpm`` is that length's
tempo. They start on a zero crossing just before their first attack, and their last milliseconds
blend into what was heard before that crossing, so that end and start meet as they did in the
recording.

A recording that is itself a loop is taken by its whole length, which is better evidence than any
tracking; activity says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.detect.pulses import Pulse, Spectra, pulses_of, spectra_of
from functions.detect.reading_activity import Listened, reading_backend
from functions.detect.seams import Edge, close_seam, exact_edges
from functions.detect.segments import (
    Detection,
    Segment,
    SegmentParams,
    in_ms,
    windows,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.media.decode import audio_blocks
from shared.sound.beats import BEATS_PER_BAR

BARS = (1, 2, 3, 4, 6, 8)
_BARS_WEIGHT = {1: 0.85, 2: 0.95, 3: 0.94, 4: 1.0, 6: 0.94, 8: 0.97}
"""A phrase of some bars is worth more than one bar."""
_SEAM_S = 0.012
"""Seconds of what was heard before its start that a loop's end blends into."""
_AS_ONE = 0.7
"""Two loops whose coarse spectra correlate so well are one."""
_LENGTH_OFF, _BETTER = 0.04, 0.01
"""A loop's length is sought so far around that of its beats, and believed when so much more alike."""
_OUT_OF_TIME = 0.05
"""A loop whose own tempo differs from its stretch's by a larger part is dropped."""
_REPEATED_INSIDE = 0.9
"""A part of a loop that is repeated so well within it is no loop beside it."""


class LoopsParams(SegmentParams):
    """What counts as a loop."""

    min_quality_score: float = 0.4
    """Loops that score less are left out. Clamped to 0..1."""
    beats_per_bar: int | None = None
    """2 to 12; as heard (2 to 7) where it is not given."""
    max_loops: int = 16
    """The best by score are kept, 1 to 256."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if self.beats_per_bar is not None:
            check_range("beats_per_bar", self.beats_per_bar, 2, 12)
        check_range("max_loops", self.max_loops, 1, 256)
        return self


@dataclass(frozen=True)
class Candidate:
    """A run of bars, in samples, not yet measured at the samples."""

    start: int
    stop: int
    bars: int
    beats_per_bar: int
    score: float
    confidence: float
    similarity: float
    length: float
    """What its bars last by the beats around, in samples."""
    bpm: float
    """The stretch's."""
    whole: bool = False
    """It is the recording itself."""

    def in_time(self, sample_rate_hz: int) -> bool:
        """Is its own tempo the stretch's? Else one of the two is not what it is said to be."""
        bpm = 60 * self.bars * self.beats_per_bar * sample_rate_hz / self.length
        return abs(bpm / self.bpm - 1) < _OUT_OF_TIME


def backend() -> Backend:
    """Reads what activity heard; the stub without librosa, whose onset strength that goes by."""
    return reading_backend("loops", 7, "librosa")


def run(job: Job, params: LoopsParams, backend: Backend) -> Result:
    """Find, choose, measure and cut. Raises ``ValidationError`` without activity, ``UnsupportedMedia``."""
    listened = Listened(job)
    tracks = spectra_of(listened)
    pulses = (
        [] if backend.stub or listened.silent else pulses_of(listened, tracks, params.beats_per_bar)
    )
    if backend.stub:
        loops = regular_loops(tracks, params)
    else:
        loops = measure(job, tracks, choose(tracks, pulses, params))
    beats_s = np.concatenate([np.zeros(0), *(pulse.beats_s for pulse in pulses)])
    longest = max(pulses, key=lambda pulse: len(pulse.beats_s), default=None)
    about = {
        "bpm": _bpm(loops, longest),
        "beats_per_bar": longest.beats_per_bar
        if longest
        else params.beats_per_bar or BEATS_PER_BAR,
        "min_quality_score": params.min_quality_score,
        "beats_ms": [round(1000 * float(beat_s), 3) for beat_s in beats_s],
    }
    rate = tracks.sample_rate_hz
    found = Detection("loop", rate, tracks.samples, listened.peaks, loops, about)
    with audio_blocks(job.source, job.media) as blocks:
        made = found.outputs(job, blocks if loops else [], partial(close_seam, rate=rate))
    if listened.silent:
        return Result(made, StepState.SKIPPED, "silent recording")
    return Result(made)


def _bpm(loops: Sequence[Segment], longest: Pulse | None) -> float | None:
    """The best loop's tempo, which is measured best; without loops that of most of the beats."""
    if loops:
        return float(max(loops, key=lambda loop: loop.score).more["bpm"])
    return longest.bpm if longest else None


def choose(tracks: Spectra, pulses: Sequence[Pulse], params: LoopsParams) -> list[Candidate]:
    """The best runs of bars, each distinct loop once."""
    found = [
        candidate
        for pulse in pulses
        for candidate in (*candidates(tracks, pulse, params), *_taken_whole(tracks, pulse, params))
        if candidate.score >= params.min_quality_score
    ]
    chosen: list[Candidate] = []
    for candidate in sorted(found, key=lambda each: (-each.score, each.start, each.bars)):
        if len(chosen) == params.max_loops:
            break
        if not any(_same(tracks, candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _taken_whole(tracks: Spectra, pulse: Pulse, params: LoopsParams) -> Iterator[Candidate]:
    """The recording, where it is itself a loop and its beats are whole bars."""
    length_ms = 1000 * tracks.samples / tracks.sample_rate_hz
    fits = params.min_duration_ms <= length_ms <= params.max_duration_ms
    bars, left = divmod(len(pulse.beats_s), pulse.beats_per_bar)
    if pulse.loop_score is not None and fits and bars and not left:
        sure = pulse.clarity
        yield Candidate(
            start=0,
            stop=tracks.samples,
            bars=bars,
            beats_per_bar=pulse.beats_per_bar,
            score=pulse.loop_score,
            confidence=sure,
            similarity=sure,
            length=tracks.samples,
            bpm=pulse.bpm,
            whole=True,
        )


def candidates(tracks: Spectra, pulse: Pulse, params: LoopsParams) -> Iterator[Candidate]:
    """Every run of 1, 2, 3, 4, 6 or 8 bars between the duration limits."""
    rate = tracks.sample_rate_hz
    shortest, longest = (
        rate * limit // 1000 for limit in (params.min_duration_ms, params.max_duration_ms)
    )
    last_s = pulse.beats_s[-1] + 60.0 / pulse.bpm
    lines_s = np.append(pulse.beats_s, last_s)[pulse.phase :: pulse.beats_per_bar]
    for bars in BARS:
        runs = lines_s.size - bars
        if runs > 1 and lines_s[-1] == last_s:
            runs -= 1  # no attack follows the last that says where exactly it ends
        for first in range(runs):
            start, stop = (round(float(lines_s[at]) * rate) for at in (first, first + bars))
            if stop > tracks.samples + rate // 20 or not shortest <= stop - start <= longest:
                continue
            stop = min(stop, tracks.samples)
            similarity = repeats(tracks, start, stop)
            score = similarity * (0.6 + 0.4 * pulse.clarity) * _BARS_WEIGHT[bars]
            length = rate * _lasting_s(pulse, first, bars)
            yield Candidate(
                start=start,
                stop=stop,
                bars=bars,
                beats_per_bar=pulse.beats_per_bar,
                score=score,
                confidence=pulse.clarity,
                similarity=similarity,
                length=length,
                bpm=pulse.bpm,
            )


def _lasting_s(pulse: Pulse, first: int, bars: int) -> float:
    """How long ``bars`` from the ``first`` on last: the slope of a line through a bar more on each side."""
    count = bars * pulse.beats_per_bar
    begin = pulse.phase + first * pulse.beats_per_bar
    low, high = max(0, begin - pulse.beats_per_bar), begin + count + pulse.beats_per_bar + 1
    around_s = pulse.beats_s[low:high]
    number = np.arange(len(around_s)) - (len(around_s) - 1) / 2
    return count * float(number @ around_s / (number @ number))


def repeats(tracks: Spectra, start: int, stop: int) -> float:
    """How alike this run and its repetition are, 0 to 1: after it, or before where there is none.

    The correlation of the two's coarse spectra, the mean spectrum taken off.
    """
    first, count = start // tracks.hop, (stop - start) // tracks.hop
    best = 0.0
    for shift in (-1, 0, 1):
        other = first + count + shift
        if other + count > len(tracks.bands_db):
            other = first - count - shift
        if other < 0:
            continue
        best = max(best, _correlation(tracks, first, other, count))
    return best


def _correlation(tracks: Spectra, first: int, second: int, count: int) -> float:
    """Of ``count`` frames from each, -1 to 1; 0 for less than 8 frames, and where nothing moves."""
    count = min(count, len(tracks.bands_db) - max(first, second))
    if count < 8:
        return 0.0
    a, b = (tracks.bands_db[at : at + count].astype(np.float32) for at in (first, second))
    mean = (a.mean(axis=0) + b.mean(axis=0)) / 2
    a, b = a - mean, b - mean
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-6 else 0.0


def _same(tracks: Spectra, one: Candidate, other: Candidate) -> bool:
    """Is it that loop, a take of it, begun at another beat, twice it or a part that fills it?"""
    overlap = min(one.stop, other.stop) - max(one.start, other.start)
    pairs = ((each.stop - each.start, each) for each in (one, other))
    (shorter, inner), (longer, outer) = sorted(pairs, key=lambda pair: pair[0])
    if overlap > 0.5 * shorter and (one.bars == other.bars or overlap > 0.5 * longer):
        return True
    times = round(longer / shorter)
    if abs(longer / shorter - times) > 0.02 * times:
        # Three bars and four of one pattern: as much of the longer as the shorter has.
        one_bar, other_bar = shorter / inner.bars, longer / outer.bars
        as_long = abs(one_bar / other_bar - 1) < 0.02
        return as_long and _turned_alike(tracks, inner, outer, 1) > _AS_ONE
    if overlap > 0.9 * shorter and inner.similarity > _REPEATED_INSIDE:
        return True
    return _turned_alike(tracks, inner, outer, times) > _AS_ONE


def _turned_alike(tracks: Spectra, inner: Candidate, outer: Candidate, times: int) -> float:
    """The best correlation of ``inner``, repeated, with ``outer``, begun at any of its beats."""
    short = _spectra(tracks, inner)
    long = _spectra(tracks, outer)
    if len(short) < 8 or len(long) < 8:
        return 0.0
    again = np.concatenate([short] * times)[: len(long)]
    long = long[: len(again)]
    scale = float(np.sqrt(np.square(again).sum() * np.square(long).sum()))
    if scale < 1e-6:
        return 0.0
    spectra = np.conj(np.fft.rfft(again, axis=0)) * np.fft.rfft(long, axis=0)
    turned = np.fft.irfft(spectra.sum(axis=1), len(long))  # at every turn at once
    beats = inner.bars * inner.beats_per_bar
    turns = np.round(len(short) * np.arange(beats) / beats).astype(int)[:, None] + [-1, 0, 1]
    return float(turned[turns % len(long)].max()) / scale


def _spectra(tracks: Spectra, loop: Candidate) -> NDArray[np.float32]:
    part = tracks.bands_db[loop.start // tracks.hop : loop.stop // tracks.hop].astype(np.float32)
    return part - part.mean(axis=0) if len(part) else part


def by_repetition(tracks: Spectra, loop: Candidate) -> Candidate:
    """The same bars, as long as the distance, within 4 %, at which their spectrum is heard again.

    Beats that are tracked over a change of tempo are a little off. A distance that is hardly better than
    theirs changes nothing.
    """
    first, count = loop.start // tracks.hop, round((loop.stop - loop.start) / tracks.hop)
    reach = max(2, round(_LENGTH_OFF * count))
    lags = np.arange(count - reach, count + reach + 1)
    after = first + count + reach + count <= len(tracks.bands_db)
    before = first - count - reach >= 0
    # On both sides where there is one: a tempo that drifts brings them nearer on one, farther on the other.
    sides = [lags] * after + [-lags] * (before or not after)
    alike = np.mean(
        [[_shifted(tracks, first, int(lag), count) for lag in side] for side in sides], 0
    )
    best = int(np.argmax(alike))
    if loop.whole or not 0 < best < len(lags) - 1 or alike[best] < alike[reach] + _BETTER:
        return loop
    under, at, over = alike[best - 1 : best + 2]
    bend = under - 2 * at + over
    length = (lags[best] + (0.5 * (under - over) / bend if bend < 0 else 0.0)) * tracks.hop
    stop = min(round(loop.start + length), tracks.samples)
    return replace(loop, stop=stop, length=length)


def _shifted(tracks: Spectra, first: int, lag: int, count: int) -> float:
    return _correlation(tracks, first, first + lag, count) if first + lag >= 0 else 0.0


def measure(job: Job, tracks: Spectra, found: Sequence[Candidate]) -> list[Segment]:
    """The second pass: each loop's exact first sample and length."""
    lengths = [by_repetition(tracks, loop) for loop in found]
    chosen = [loop for loop in lengths if loop.in_time(tracks.sample_rate_hz)]
    rate = tracks.sample_rate_hz
    reach = round(0.08 * rate)
    wanted = sorted(
        (max(0, edge - reach), edge + reach, index, side)
        for index, candidate in enumerate(chosen)
        for side, edge in enumerate((candidate.start, candidate.stop))
    )
    seen: dict[tuple[int, int], Edge] = {}
    with audio_blocks(job.source, job.media, channels=1) as blocks:
        ranges = [(first, last) for first, last, _, _ in wanted]
        for (first, _, index, side), window in zip(wanted, windows(blocks, ranges), strict=True):
            near = (chosen[index].start, chosen[index].stop)[side]
            seen[index, side] = Edge(first, window.mean(axis=1, keepdims=True), near)
    job.progress(0.6)
    loops = [
        _exact(candidate, seen[index, 0], seen[index, 1], tracks)
        for index, candidate in enumerate(chosen)
    ]
    return sorted(loops, key=lambda loop: (loop.start - loop.before, loop.stop))


def _exact(
    candidate: Candidate,
    head: Edge,
    tail: Edge,
    tracks: Spectra,
) -> Segment:
    """A candidate at its exact place; ``bpm`` is its length's, beats lie evenly in it, in ms."""
    rate = tracks.sample_rate_hz
    start, length = 0, tracks.samples
    if not candidate.whole:
        start, length = exact_edges(head, tail, rate, candidate.length)
        length = min(length, tracks.samples - start)
    count = candidate.bars * candidate.beats_per_bar
    more = {
        "bpm": round(60 * count * rate / length, 4),
        "bars": candidate.bars,
        "beats_per_bar": candidate.beats_per_bar,
        "beats_ms": [in_ms(start + beat * length / count, rate) for beat in range(count)],
        "similarity": round(candidate.similarity, 4),
    }
    before = 0 if candidate.whole else min(start, round(_SEAM_S * rate))
    return Segment(
        start, start + length, candidate.score, candidate.confidence, more, before=before
    )


def regular_loops(tracks: Spectra, params: LoopsParams) -> list[Segment]:
    """What the stub gives: bars at 120 bpm from the first sample on, known from the duration alone."""
    rate, count = tracks.sample_rate_hz, params.beats_per_bar or BEATS_PER_BAR
    length = rate * count // 2
    if not params.min_duration_ms <= 1000 * length // rate <= params.max_duration_ms:
        return []
    return [
        Segment(
            start,
            start + length,
            0.0,
            0.0,
            {
                "bpm": 120.0,
                "bars": 1,
                "beats_per_bar": count,
                "beats_ms": [in_ms(start + beat * length / count, rate) for beat in range(count)],
                "similarity": 0.0,
            },
        )
        for start in range(0, tracks.samples - length + 1, length)
    ][: params.max_loops]


ENGINE = Engine(params=LoopsParams, backend=backend, run=run)
