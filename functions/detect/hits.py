"""``detect.hits``: onsets become one-shots.

Three passes over the recording, each in blocks: onset strength; a closer look at each onset
(where exactly it begins, what it sounds like); the cuts. Between them only a few numbers a frame
and an onset stay in memory.

A hit begins ``pre_roll_ms`` before its attack, or where the one before was cut. It ends where its
sound has decayed, ``pre_roll_ms`` before the next onset at the latest, and at ``max_duration_ms``: it
never holds another's onset. A short fade ends it there (``end_ms``), and silence fills its file up to
``min_duration_ms`` (0.5 s at least).

What begins in speech is a syllable and no hit, unless ``include_speech`` asks for it. Without
faster-whisper's voice activity nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.detect.hit_sounds import HitSounds
from functions.detect.phrases import listen
from functions.detect.segments import (
    Detection,
    Samples,
    Segment,
    SegmentParams,
    fade,
    in_ms,
    windows,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.media.decode import audio_blocks
from shared.media.vad import RATE_HZ, speech_spans
from shared.sound.onsets import LOUDEST, Tracks, analyse, local_mean, pick_peaks
from shared.watch.health import report

NEAR_SILENT_DBFS = -60.0
_SHARP = 0.3
"""So much of the threshold an onset must rise beyond its bands' neighbours: a vibrato's don't."""
_VOICES = "faster-whisper"
_SHORTEST_SPEECH_MS, _SURE_SPEECH = 300, 0.7
"""Drums pass for speech for a moment, or unsurely."""
_BEFORE_S, _AFTER_S = 0.1, 0.3
"""How much around a coarse onset the closer look reads."""


class HitsParams(SegmentParams):
    """What counts as a hit, and how it is cut."""

    max_duration_ms: int = 10_000
    """No hit is longer, 500 to 30,000."""
    pre_roll_ms: float = 5.0
    """So much is kept before the attack, 0 to 200."""
    threshold_db: float = 1.0
    """How far the onset strength (mean rise of the spectrum's bands) must stand out, 0.1 to 20."""
    include_speech: bool = False
    """Are onsets in speech hits, too?"""
    max_hits: int = 512
    """The best by score are kept, 1 to 4,096."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("pre_roll_ms", self.pre_roll_ms, 0, 200)
        check_range("threshold_db", self.threshold_db, 0.1, 20)
        check_range("max_hits", self.max_hits, 1, 4096)
        return self


@dataclass(frozen=True)
class Onset:
    """What the closer look found."""

    frame: int
    """Where the onset strength peaks."""
    at: int
    """Sample of the attack's beginning."""
    strength_db: float
    """How far the onset strength stands above its surroundings."""


def backend() -> Backend:
    """Our own onset strength and attacks; Silero's voice activity out of faster-whisper's wheel."""
    found = report(_VOICES)
    heard = f"faster-whisper-{found.version}" if found.status == "ok" else "no-voices"
    known = {_VOICES: found.dependency}
    return Backend("rushes", f"hits-5+onsets-1+{heard}", dependencies=known)


def run(job: Job, params: HitsParams, backend: Backend) -> Result:
    """Find, choose and cut. Raises ``UnsupportedMedia`` where nothing can be decoded."""
    tracks = analyse_recording(job)
    if tracks.silent:
        about: dict[str, object] = {"onsets_ms": []}
        found = Detection("hit", tracks.sample_rate_hz, tracks.samples, tracks.peak, [], about)
        made = found.outputs(job, [], _shaping(0))
        return Result(made, StepState.SKIPPED, "silent recording")
    if backend.stub:
        onsets, segments = [], regular_segments(tracks, params)
    else:
        frames = find_onsets(tracks, params.threshold_db)
        if not params.include_speech and frames.size and _voices_known(backend):
            frames = frames[~_in_speech(job, frames * tracks.hop / tracks.sample_rate_hz)]
        onsets = look_closer(job, tracks, frames)
        segments = choose(tracks, onsets, params)
    about = {
        "min_quality_score": params.min_quality_score,
        "onset_count": len(onsets),
        "onsets_ms": [in_ms(onset.at, tracks.sample_rate_hz) for onset in onsets],
    }
    found = Detection("hit", tracks.sample_rate_hz, tracks.samples, tracks.peak, segments, about)
    shape = _shaping(tracks.sample_rate_hz * params.min_duration_ms // 1000)
    with audio_blocks(job.source, job.media) as blocks:
        return Result(found.outputs(job, blocks, shape, _describing(tracks.sample_rate_hz)))


def analyse_recording(job: Job) -> Tracks:
    """The first pass: onset strength, level and outline of the whole recording."""
    with audio_blocks(job.source, job.media) as blocks:
        expected = max(1, (job.media.duration_ms or 0) * blocks.sample_rate_hz // 1000)
        told = _telling(blocks, lambda done: job.progress(0.3 * min(1.0, done / expected)))
        return analyse(told, blocks.sample_rate_hz)


def _telling(blocks: Iterable[Samples], tell: Callable[[int], None]) -> Iterator[Samples]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        tell(done)


def find_onsets(tracks: Tracks, threshold_db: float) -> NDArray[np.int64]:
    """Frames where something begins, in order; 0 where the recording begins with an attack.

    Spectral flux needs a frame before it, so a recording that starts on its first sound is told by
    that sound's decay: its first frames are 3 dB above those that follow.
    """
    frames = pick_peaks(tracks.flux_db, threshold_db)
    near = np.clip(frames[:, None] + np.arange(-1, 2), 0, max(tracks.flux_db.size - 1, 0))
    frames = frames[tracks.sharp_db[near].max(axis=1, initial=0.0) >= _SHARP * threshold_db]
    if _struck_db(tracks) > 3.0 and not (frames.size and frames[0] <= 3):
        frames = np.concatenate([[0], frames])
    return frames


def _voices_known(backend: Backend) -> bool:
    found = backend.dependencies.get(_VOICES)
    return found is not None and found.available


def _in_speech(job: Job, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of ``times_s`` lie in somebody's speech."""
    voice = listen(replace(job, progress=lambda share: None), judge=True)
    spans = speech_spans(voice.probability, voice.samples, min_speech_ms=_SHORTEST_SPEECH_MS)
    inside = np.zeros(len(times_s), bool)
    for span in spans:
        if span.confidence >= _SURE_SPEECH:
            inside |= (times_s >= span.start / RATE_HZ) & (times_s < span.stop / RATE_HZ)
    return inside


def _struck_db(tracks: Tracks) -> float:
    """How far the recording's first 50 ms stand above the 200 ms after."""
    head, after = tracks.power[:2], tracks.power[4:12]
    if not after.size:
        return 0.0
    return float(10 * np.log10((head.max() + 1e-9) / (np.median(after) + 1e-9)))


def look_closer(job: Job, tracks: Tracks, frames: Sequence[int] | NDArray[np.int64]) -> list[Onset]:
    """The second pass: each onset's true start and its sound. Onsets that turn out one are merged."""
    rate = tracks.sample_rate_hz
    before, after = round(_BEFORE_S * rate), round(_AFTER_S * rate)
    coarse = [int(frame) * tracks.hop for frame in frames]
    ranges = [(max(0, at - before), at + after) for at in coarse]
    mean_db = local_mean(tracks.flux_db)
    found: list[Onset] = []
    with audio_blocks(job.source, job.media) as blocks:
        for index, window in enumerate(windows(blocks, ranges)):
            first, frame = ranges[index][0], int(frames[index])
            earliest = found[-1].at + rate // 33 if found else 0
            start = true_start(window, rate, coarse[index] - first, max(0, earliest - first))
            if start is None:
                continue
            strength_db = float(tracks.flux_db[frame : frame + 2].max() - mean_db[frame])
            if frame == 0:
                strength_db = _struck_db(tracks)
            found.append(Onset(frame, first + start, strength_db))
            job.progress(0.3 + 0.3 * (index + 1) / len(ranges))
    return found


def true_start(window: Samples, sample_rate_hz: int, coarse: int, earliest: int) -> int | None:
    """The sample of ``window`` where the energy rises, near ``coarse``; ``None``: not after ``earliest``.

    In steps of 0.5 ms: where the next 5 ms are strongest against the 10 ms before, and from there
    back to the foot of the rise. Energy is that of the slope, which rumble and DC hardly move.
    """
    step = max(1, sample_rate_hz // 2000)
    slope = np.diff(np.clip(window, -LOUDEST, LOUDEST), axis=0, prepend=window[:1])
    count = len(slope) // step
    if not count:
        return None
    energy = np.square(slope[: count * step]).reshape(count, -1).mean(axis=1, dtype=np.float64)
    low = max(earliest // step, (coarse - sample_rate_hz // 16) // step, 0)
    high = min((coarse + sample_rate_hz // 40) // step, count - 1)
    if low > high:
        return None
    total = np.concatenate([[0.0], np.cumsum(energy)])
    at = np.arange(low, high + 1)
    ahead = (total[np.minimum(at + 10, count)] - total[at]) / 10
    past = (total[at] - total[np.maximum(at - 20, 0)]) / np.maximum(np.minimum(at, 20), 1)
    floor = 1e-5 * energy.max() + 1e-18
    best = int(np.argmax((ahead + floor) / (past + floor)))
    quiet = past[: best + 1].min()
    foot = quiet + 0.02 * max(float(ahead[best : best + 60].max()) - quiet, 0.0)
    while best > 0 and foot < past[best] and past[best - 1] <= 1.05 * past[best]:
        best -= 1
    return (low + best) * step


def choose(tracks: Tracks, onsets: Sequence[Onset], params: HitsParams) -> list[Segment]:
    """The hits that are good enough, the best ``max_hits`` of them, in the recording's order."""
    spans = [_span(tracks, onsets, index, params) for index in range(len(onsets))]
    rated = [
        _rated(tracks, onset, span, params.threshold_db)
        for onset, span in zip(onsets, spans, strict=True)
    ]
    good = [hit for hit in rated if hit.score >= params.min_quality_score and hit.score > 0]
    best = sorted(good, key=lambda hit: (-hit.score, hit.start))[: params.max_hits]
    return sorted(best, key=lambda hit: hit.start)


def _span(
    tracks: Tracks, onsets: Sequence[Onset], index: int, params: HitsParams
) -> tuple[int, int]:
    rate = tracks.sample_rate_hz
    longest = rate * params.max_duration_ms // 1000
    pre_roll = round(params.pre_roll_ms * rate / 1000)
    start = max(0, onsets[index].at - pre_roll)
    if index:
        # What an earlier onset began is not heard again: its cut is the border.
        start = max(start, min(onsets[index - 1].at + rate // 100, onsets[index].at))
    later = onsets[index + 1].at - pre_roll if index + 1 < len(onsets) else tracks.samples
    stop = min(decayed(tracks, onsets[index], longest), later, start + longest, tracks.samples)
    return start, max(stop, min(onsets[index].at + rate // 100, tracks.samples))


def decayed(tracks: Tracks, onset: Onset, longest: int) -> int:
    """The sample where the sound has fallen to 40 dB below its peak, or to what was there before.

    At most ``longest`` samples after the onset.
    """
    first = onset.at // tracks.hop
    head = tracks.power[first : first + 8]
    before = tracks.power[max(0, first - 8) : first]
    quiet = float(before.min()) if before.size else 0.0
    end_power = max(1e-4 * float(head.max()), 1.6 * quiet, 1e-9)
    top = first + int(np.argmax(head))
    after = tracks.power[top : first + longest // tracks.hop]
    low = np.flatnonzero(after < end_power)
    lasting = low[:-2][(low[2:] - low[:-2]) == 2] if low.size > 2 else low[:1]
    if not lasting.size:
        return min(onset.at + longest, tracks.samples)
    return (top + int(lasting[0])) * tracks.hop


def _rated(tracks: Tracks, onset: Onset, span: tuple[int, int], threshold_db: float) -> Segment:
    first, last = onset.at // tracks.hop, -(-span[1] // tracks.hop)
    peak = float(tracks.peak[first : max(last, first + 1)].max(initial=0.0))
    peak_dbfs = 20 * np.log10(max(peak, 1e-6))
    confidence = onset.strength_db / (onset.strength_db + threshold_db)
    confidence = min(max(confidence, 0.0), 1.0)
    loudness = min(max((peak_dbfs - NEAR_SILENT_DBFS) / 48.0, 0.0), 1.0)
    more = {
        "onset_ms": in_ms(onset.at, tracks.sample_rate_hz),
        "strength_db": round(onset.strength_db, 2),
        "peak_dbfs": round(float(peak_dbfs), 2),
    }
    lead = onset.at - span[0]
    return Segment(*span, confidence * loudness, confidence, more, lead)


def regular_segments(tracks: Tracks, params: HitsParams) -> list[Segment]:
    """What the stub gives: a second of every two, known from the duration alone."""
    rate = tracks.sample_rate_hz
    length = rate * min(max(1000, params.min_duration_ms), params.max_duration_ms) // 1000
    starts = range(0, max(1, tracks.samples - length + 1), 2 * length)
    return [
        Segment(
            start, min(start + length, tracks.samples), 0.0, 0.0, {"onset_ms": in_ms(start, rate)}
        )
        for start in list(starts)[: params.max_hits]
    ]


def _describing(sample_rate_hz: int) -> Callable[[Samples, Segment], Mapping[str, Any]]:
    """What each hit's sound says of it, from its attack on."""
    sounds = HitSounds(sample_rate_hz)

    def describe(read: Samples, hit: Segment) -> Mapping[str, Any]:
        return sounds.describe(np.clip(read[hit.lead :], -LOUDEST, LOUDEST), hit.more["onset_ms"])

    return describe


def _shaping(shortest: int) -> Callable[[Samples, Segment], Samples]:
    """Fades that no ear notices and no click survives, then silence up to ``shortest`` samples.

    Half the pre-roll in, 256 samples out.
    """

    def shape(samples: Samples, segment: Segment) -> Samples:
        faded = fade(samples, segment.lead // 2, min(len(samples) // 4, 256))
        return np.pad(faded, ((0, max(0, shortest - len(faded))), (0, 0)))

    return shape


ENGINE = Engine(params=HitsParams, backend=backend, run=run)
