"""``detect.loops``: what repeats, cut at bar lines.

Tempo and beats come from the onset strength, half a minute at a time, so the tempo may change. Each
run of 1, 2, 4 or 8 bars is rated by how well what follows (or precedes) repeats it. The best ones
are measured again at the samples themselves: their length is the distance at which the sound
repeats, so it is a whole number of bars, and ``bpm`` is that length's tempo. They start on a zero
crossing just before their first attack, and their last milliseconds blend into what was heard
before that crossing, so that end and start meet as they did in the recording.

A recording that is itself a loop (up to 6 s, or up to 30 s and a power of two of bars at the
tempo heard in it) is taken by its whole length, which is better evidence than any tracking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.detect import loop_beats as tracking
from functions.detect.hits import analyse_recording
from functions.detect.onsets import Tracks, pick_peaks
from functions.detect.seams import Edge, close_seam, exact_edges
from functions.detect.segments import (
    Detection,
    Segment,
    SegmentParams,
    in_ms,
    real_or_stub,
    windows,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.media.decode import audio_blocks

BARS = (1, 2, 4, 8)
_BARS_WEIGHT = {1: 0.85, 2: 0.95, 4: 1.0, 8: 0.97}
"""A phrase of some bars is worth more than one bar."""
_SHORT_LOOP_S = 6.0
_WINDOW_S = 30.0
_LAG_S = 0.021
"""By so much the onset strength's peak follows the attack."""
_SEAM_S = 0.012


class LoopsParams(SegmentParams):
    """What counts as a loop."""

    min_quality_score: float = 0.4
    """Loops that score less are left out. Clamped to 0..1."""
    beats_per_bar: int = 4
    """2 to 12."""
    max_loops: int = 16
    """The best by score are kept, 1 to 256."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("beats_per_bar", self.beats_per_bar, 2, 12)
        check_range("max_loops", self.max_loops, 1, 256)
        return self


@dataclass(frozen=True)
class Pulse:
    """The tempo and the beats of a part of the recording."""

    bpm: float
    beats: NDArray[np.floating[Any]]
    """In frames; the attacks themselves, without the onset strength's lag."""
    phase: int
    """Which of the first beats begins a bar."""
    confidence: float
    """How much of the onset strength falls on the beats."""
    whole: bool = False
    """The recording is one loop."""


@dataclass(frozen=True)
class Candidate:
    """A run of bars, in samples, not yet measured at the samples."""

    start: int
    stop: int
    bars: int
    score: float
    confidence: float
    similarity: float
    whole: bool = False
    """It is the recording itself."""


def backend() -> Backend:
    """librosa's onset strength and beat tracking (see ``onsets``, ``beats``), or the stub."""
    return real_or_stub("loops", "librosa", 2)


def run(job: Job, params: LoopsParams, backend: Backend) -> Result:
    """Find, choose, measure and cut. Raises ``UnsupportedMedia`` where nothing can be decoded."""
    tracks = analyse_recording(job)
    pulses = [] if backend.stub or tracks.silent else list(find_pulses(tracks, params))
    if backend.stub:
        loops = regular_loops(tracks, params)
    else:
        loops = measure(job, tracks, choose(tracks, pulses, params), params)
    beats = merged_beats(pulses) * tracks.hop
    about = {
        "bpm": best_bpm(loops, pulses),
        "beats_per_bar": params.beats_per_bar,
        "min_quality_score": params.min_quality_score,
        "beats_ms": [in_ms(max(beat, 0.0), tracks.sample_rate_hz) for beat in beats],
    }
    rate = tracks.sample_rate_hz
    found = Detection("loop", rate, tracks.samples, tracks.peak, loops, about)
    with audio_blocks(job.source, job.media) as blocks:
        made = found.outputs(job, blocks if loops else [], close_seam)
    if tracks.silent:
        return Result(made, StepState.SKIPPED, "silent recording")
    return Result(made)


def find_pulses(tracks: Tracks, params: LoopsParams) -> Iterator[Pulse]:
    """Tempo and beats of each half minute (each begins in the middle of the one before)."""
    rate_hz = tracks.sample_rate_hz / tracks.hop
    whole = whole_loop_bpm(tracks, params.beats_per_bar)
    if whole is not None:
        count = round(whole * tracks.samples / tracks.sample_rate_hz / 60)
        yield Pulse(
            whole, np.arange(count) * (tracks.samples / tracks.hop / count), 0, 1.0, whole=True
        )
        return
    frames = tracks.flux_db.size
    window = min(round(_WINDOW_S * rate_hz), frames)
    for first in range(0, max(1, frames - window // 2), max(1, window // 2)):
        part = slice(first, first + window)
        pulse = pulse_of(tracks.flux_db[part], tracks.bands_db[part, 0], rate_hz, params)
        if pulse is not None:
            yield replace(pulse, beats=pulse.beats + first)


def pulse_of(
    flux_db: NDArray[np.float32],
    low_db: NDArray[np.int8],
    frame_rate_hz: float,
    params: LoopsParams,
) -> Pulse | None:
    """Of one part; ``None`` where fewer than two bars of beats are heard."""
    flux = flux_db.astype(np.float64)
    if flux.size < 2 * frame_rate_hz or not flux.any():
        return None
    tempos_bpm, salience = tracking.tempo_salience(flux, frame_rate_hz)
    bpm = float(tempos_bpm[int(np.argmax(salience))])
    beats = tracking.track_beats(flux, 60 * frame_rate_hz / bpm)
    if beats.size <= params.beats_per_bar:
        return None
    phase = tracking.bar_phase(beats, low_db.astype(np.float64), params.beats_per_bar)
    near = flux[np.clip(beats[:, None] + np.arange(-1, 2), 0, flux.size - 1)].max(axis=1).mean()
    confidence = 1.0 - float(flux.mean() / max(near, 1e-9))
    lag = _LAG_S * frame_rate_hz
    return Pulse(bpm, beats - lag, phase, min(max(confidence, 0.0), 1.0))


def whole_loop_bpm(tracks: Tracks, beats_per_bar: int) -> float | None:
    """The tempo at which the recording's length is 1, 2, 4, 8 or 16 bars, if it looks like a loop.

    At least three onsets; and short, or in time with the tempo that is heard in it (or with half or
    double that) and sounding at both ends.
    """
    seconds = tracks.samples / tracks.sample_rate_hz
    if not 0.5 <= seconds <= 30.0 or pick_peaks(tracks.flux_db, 1.0).size < 3:
        return None
    bpms = np.array([60.0 * beats_per_bar * bars / seconds for bars in (1, 2, 4, 8, 16)])
    bpms = bpms[(bpms >= tracking.SLOWEST_BPM) & (bpms <= tracking.FASTEST_BPM)]
    if not bpms.size:
        return None
    bpm = float(bpms[int(np.argmax(tracking.tempo_prior(bpms)))])
    if seconds <= _SHORT_LOOP_S:
        return bpm
    flux = tracks.flux_db.astype(np.float64)
    tempos_bpm, salience = tracking.tempo_salience(flux, tracks.sample_rate_hz / tracks.hop)
    octaves = np.log2(float(tempos_bpm[int(np.argmax(salience))]) / bpm)
    in_time = abs(octaves - round(octaves)) < np.log2(1.01)
    quiet = 1e-4 * float(tracks.power.max())
    both_ends = tracks.power[:3].max() > quiet and tracks.power[-6:].max() > quiet
    return bpm if in_time and both_ends else None


def best_bpm(loops: Sequence[Segment], pulses: Sequence[Pulse]) -> float | None:
    """The best loop's tempo, which is measured best; without loops the first one tracked."""
    if loops:
        return float(max(loops, key=lambda loop: loop.score).more["bpm"])
    return round(pulses[0].bpm, 2) if pulses else None


def merged_beats(pulses: Sequence[Pulse]) -> NDArray[np.floating[Any]]:
    """The beats of the whole recording, in frames: of each overlap, half from either side."""
    merged = pulses[0].beats if pulses else np.zeros(0)
    for pulse in pulses[1:]:
        middle = (merged[-1] + pulse.beats[0]) / 2 if merged.size else 0.0
        later = pulse.beats[pulse.beats > middle]
        spacing = float(np.median(np.diff(pulse.beats)))
        kept = merged[merged < (later[0] if later.size else middle) - spacing / 2]
        merged = np.concatenate([kept, later])
    return merged


def choose(tracks: Tracks, pulses: Sequence[Pulse], params: LoopsParams) -> list[Candidate]:
    """The best runs of bars: none that overlaps a better one by half or sounds just like it."""
    found = [
        candidate
        for pulse in pulses
        for candidate in candidates(tracks, pulse, params)
        if candidate.score >= params.min_quality_score
    ]
    chosen: list[Candidate] = []
    for candidate in sorted(found, key=lambda each: (-each.score, each.start, each.bars)):
        if len(chosen) == params.max_loops:
            break
        if not any(_same(tracks, candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def candidates(tracks: Tracks, pulse: Pulse, params: LoopsParams) -> Iterator[Candidate]:
    """Every run of 1, 2, 4 or 8 bars between the duration limits."""
    shortest, longest = (
        tracks.sample_rate_hz * limit // 1000
        for limit in (params.min_duration_ms, params.max_duration_ms)
    )
    period = 60 * tracks.sample_rate_hz / pulse.bpm / tracks.hop
    lines = np.append(pulse.beats, pulse.beats[-1] + period)[pulse.phase :: params.beats_per_bar]
    bars_of_all = lines.size - 1
    for bars in sorted({*BARS, bars_of_all} if pulse.whole else BARS):
        for first in range(bars_of_all - bars + 1):
            start, stop = (round(lines[at] * tracks.hop) for at in (first, first + bars))
            start, stop = max(start, 0), min(stop, tracks.samples)
            if not shortest <= stop - start <= longest:
                continue
            similarity = repeats(tracks, start, stop)
            if pulse.whole and bars == bars_of_all:
                yield Candidate(0, tracks.samples, bars, 1.0, 1.0, similarity, whole=True)
                continue
            score = similarity * (0.6 + 0.4 * pulse.confidence) * _BARS_WEIGHT.get(bars, 0.9)
            yield Candidate(start, stop, bars, score, pulse.confidence, similarity)


def repeats(tracks: Tracks, start: int, stop: int) -> float:
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


def _correlation(tracks: Tracks, first: int, second: int, count: int) -> float:
    count = min(count, len(tracks.bands_db) - max(first, second))
    if count < 8:
        return 0.0
    a, b = (tracks.bands_db[at : at + count].astype(np.float32) for at in (first, second))
    mean = (a.mean(axis=0) + b.mean(axis=0)) / 2
    a, b = a - mean, b - mean
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-6 else 0.0


def _same(tracks: Tracks, one: Candidate, other: Candidate) -> bool:
    overlap = min(one.stop, other.stop) - max(one.start, other.start)
    if overlap > 0.5 * min(one.stop - one.start, other.stop - other.start):
        return one.bars == other.bars or overlap > 0.5 * (one.stop - one.start)
    if one.bars != other.bars:
        return False
    count = (one.stop - one.start) // tracks.hop
    return _correlation(tracks, one.start // tracks.hop, other.start // tracks.hop, count) > 0.9


def measure(
    job: Job, tracks: Tracks, chosen: Sequence[Candidate], params: LoopsParams
) -> list[Segment]:
    """The second pass: each loop's exact first sample and length."""
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
        _exact(candidate, seen[index, 0], seen[index, 1], tracks, params)
        for index, candidate in enumerate(chosen)
    ]
    return sorted(loops, key=lambda loop: (loop.start - loop.before, loop.stop))


def _exact(
    candidate: Candidate,
    head: Edge,
    tail: Edge,
    tracks: Tracks,
    params: LoopsParams,
) -> Segment:
    rate = tracks.sample_rate_hz
    start, length = 0, tracks.samples
    if not candidate.whole:
        start, length = exact_edges(head, tail, rate)
        length = min(length, tracks.samples - start)
    count = candidate.bars * params.beats_per_bar
    more = {
        "bpm": round(60 * count * rate / length, 4),
        "bars": candidate.bars,
        "beats_per_bar": params.beats_per_bar,
        "beats_ms": [in_ms(start + beat * length / count, rate) for beat in range(count)],
        "similarity": round(candidate.similarity, 4),
    }
    before = 0 if candidate.whole else min(start, round(_SEAM_S * rate))
    return Segment(
        start, start + length, candidate.score, candidate.confidence, more, before=before
    )


def regular_loops(tracks: Tracks, params: LoopsParams) -> list[Segment]:
    """What the stub gives: bars at 120 bpm from the first sample on, known from the duration alone."""
    rate, count = tracks.sample_rate_hz, params.beats_per_bar
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
