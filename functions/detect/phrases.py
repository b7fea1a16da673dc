"""``detect.phrases``: what is spoken, phrase by phrase.

Two passes: voice activity (Silero's, see ``shared.media.vad``) at 16 kHz, in pieces of a minute;
then the cuts, at the recording's own rate. Speech whose pauses are shorter than ``max_pause_ms``
stays together; what is longer than ``max_duration_ms`` is split where speech is least likely; what is
shorter than ``min_duration_ms`` is given the recording's own sound around it.

The transcript comes from a semantic timeline among the job's inputs; without one it is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.detect.segments import (
    Detection,
    Samples,
    Segment,
    SegmentParams,
    fade,
    real_or_stub,
)
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.media.decode import audio_blocks
from shared.media.vad import FRAME_SAMPLES, RATE_HZ, speech_probabilities, speech_spans

_PIECE = 2_048 * FRAME_SAMPLES
_BEHIND, _AHEAD = 312 * FRAME_SAMPLES, 94 * FRAME_SAMPLES
"""The network remembers 10 s, and judges the level by 3 s to come."""


class PhrasesParams(SegmentParams):
    """What counts as a phrase."""

    max_pause_ms: int = 300
    """A longer pause ends a phrase, 50 to 5,000."""
    pad_ms: int = 100
    """So much is kept around speech, or half the pause, 0 to 1,000."""
    threshold: float = 0.5
    """How likely speech must be, 0.05 to 0.95."""
    max_phrases: int = 2048
    """The best by score are kept, 1 to 8,192."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("max_pause_ms", self.max_pause_ms, 50, 5_000)
        check_range("pad_ms", self.pad_ms, 0, 1_000)
        check_range("threshold", self.threshold, 0.05, 0.95)
        check_range("max_phrases", self.max_phrases, 1, 8_192)
        return self


@dataclass(frozen=True)
class Voice:
    """What the first pass leaves behind; a value for each 32 ms but for ``samples``."""

    samples: int
    """At 16 kHz."""
    probability: NDArray[np.float32]
    peak: NDArray[np.float32]

    @property
    def silent(self) -> bool:
        """Nothing rises above -60 dBFS."""
        return self.peak.size == 0 or float(self.peak.max()) < 1e-3


def backend() -> Backend:
    """Silero's voice activity out of faster-whisper's wheel, or the stub without it."""
    return real_or_stub("phrases", "faster-whisper", 3)


def run(job: Job, params: PhrasesParams, backend: Backend) -> Result:
    """Find and cut. Raises ``UnsupportedMedia`` where nothing can be decoded."""
    voice = listen(job, judge=not backend.stub)
    spans = regular_spans(voice) if backend.stub else phrase_spans(voice, params)
    words = words_said(job)
    with audio_blocks(job.source, job.media) as blocks:
        rate = blocks.sample_rate_hz
        phrases = [_phrase(voice, span, words, rate) for span in spans if not voice.silent]
        if not backend.stub:
            phrases = [one for one in phrases if one.score >= params.min_quality_score]
        best = sorted(phrases, key=lambda one: (-one.score, one.start))[: params.max_phrases]
        chosen = sorted(best, key=lambda one: one.start)
        samples = round(voice.samples * rate / RATE_HZ)
        about = {
            "min_quality_score": params.min_quality_score,
            "speech_ms": round(sum(one.stop - one.start for one in chosen) * 1000 / rate),
        }
        found = Detection("phrase", rate, samples, voice.peak, chosen, about)
        made = found.outputs(job, blocks if chosen else [], _shape)
    if voice.silent:
        return Result(made, StepState.SKIPPED, "silent recording")
    return Result(made)


def listen(job: Job, *, judge: bool) -> Voice:
    """The first pass. ``judge=False``: without voice activity, for the stub."""
    probabilities: list[NDArray[np.float32]] = []
    peaks: list[NDArray[np.float32]] = []
    expected = max(1, (job.media.duration_ms or 0) * RATE_HZ // 1000)
    done = 0
    with audio_blocks(job.source, job.media, sample_rate_hz=RATE_HZ, channels=1) as blocks:
        for piece, first, last in pieces(block[:, 0] for block in blocks):
            own = piece[first:last]
            frames = -(-len(own) // FRAME_SAMPLES)
            padded = np.pad(own, (0, frames * FRAME_SAMPLES - len(own)))
            peaks.append(np.abs(padded.reshape(frames, -1)).max(axis=1, initial=0.0))
            if judge:
                begin = first // FRAME_SAMPLES
                probabilities.append(speech_probabilities(piece)[begin : begin + frames])
            done += len(own)
            job.progress(min(0.55, 0.55 * done / expected))
    nothing = np.zeros(0, np.float32)
    return Voice(done, np.concatenate([nothing, *probabilities]), np.concatenate([nothing, *peaks]))


def pieces(
    blocks: Iterable[NDArray[np.float32]],
) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    """Pieces of a minute with the 10 s before and 3 s after: ``(samples, first own, last own)``.

    Where they are cut does not depend on the blocks.
    """
    held = np.zeros(0, np.float32)
    waiting: list[NDArray[np.float32]] = []
    behind = count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        while len(held) + count >= behind + _PIECE + _AHEAD:
            held, waiting, count = np.concatenate([held, *waiting]), [], 0
            yield held[: behind + _PIECE + _AHEAD], behind, behind + _PIECE
            held = held[behind + _PIECE - _BEHIND :]
            behind = _BEHIND
    held = np.concatenate([held, *waiting])
    while behind < len(held):
        last = min(behind + _PIECE, len(held))
        yield held, behind, last
        held, behind = held[last - min(last, _BEHIND) :], min(last, _BEHIND)


def phrase_spans(voice: Voice, params: PhrasesParams) -> list[tuple[int, int]]:
    """Samples at 16 kHz, ``[start, stop)``, each between the duration limits where that can be."""
    shortest, longest = (
        RATE_HZ * limit // 1000 for limit in (params.min_duration_ms, params.max_duration_ms)
    )
    found = speech_spans(
        voice.probability,
        voice.samples,
        min_silence_ms=params.max_pause_ms,
        pad_ms=params.pad_ms,
        threshold=params.threshold,
    )
    parts = [
        part
        for span in found
        for part in split(voice.probability, (span.start, span.stop), shortest, longest)
    ]
    return widened(parts, voice.samples, shortest, longest)


def split(
    probability: NDArray[np.float32], span: tuple[int, int], shortest: int, longest: int
) -> list[tuple[int, int]]:
    """``span`` in parts of at most ``longest`` samples, cut where speech is least likely."""
    start, stop = span
    parts: list[tuple[int, int]] = []
    while stop - start > longest:
        low = start + max(longest // 2, shortest)
        high = min(start + longest, stop - shortest)
        low = min(low, high)
        frames = np.arange(low // FRAME_SAMPLES + 1, max(high // FRAME_SAMPLES, 1))
        cut = high
        if frames.size:
            smooth = np.convolve(probability, np.ones(5) / 5, mode="same")
            cut = int(frames[int(np.argmin(smooth[frames]))]) * FRAME_SAMPLES
        parts.append((start, cut))
        start = cut
    return [*parts, (start, stop)]


def widened(
    spans: Sequence[tuple[int, int]], samples: int, shortest: int, longest: int
) -> list[tuple[int, int]]:
    """Spans of at least ``shortest``: what is around them is added; what then touches is joined."""
    wide: list[tuple[int, int]] = []
    for start, stop in spans:
        lacking = max(0, shortest - (stop - start))
        begin = min(max(0, start - lacking // 2), max(0, samples - max(shortest, stop - start)))
        end = min(samples, max(stop, begin + shortest))
        if wide and begin < wide[-1][1] and end - wide[-1][0] <= longest:
            wide[-1] = (wide[-1][0], end)
        else:
            wide.append((begin, end))
    return wide


def regular_spans(voice: Voice) -> list[tuple[int, int]]:
    """What the stub gives: two seconds of every three, known from the duration alone."""
    length = 2 * RATE_HZ
    starts = range(0, max(1, voice.samples - length + 1), 3 * RATE_HZ)
    return [(start, min(start + length, voice.samples)) for start in starts]


def _phrase(
    voice: Voice, span: tuple[int, int], words: Sequence[Spoken] | None, rate: int
) -> Segment:
    first, last = span[0] // FRAME_SAMPLES, -(-span[1] // FRAME_SAMPLES)
    spoken = voice.probability[first:last]
    spoken = spoken[spoken >= 0.35]
    confidence = float(spoken.mean()) if spoken.size else 0.0
    peak_dbfs = 20 * np.log10(max(float(voice.peak[first:last].max(initial=0.0)), 1e-6))
    loudness = min(max((peak_dbfs + 60.0) / 40.0, 0.0), 1.0)
    start, stop = (round(edge * rate / RATE_HZ) for edge in span)
    more: dict[str, Any] = {
        "peak_dbfs": round(float(peak_dbfs), 2),
        "transcript": None,
        "words": [],
    }
    if words is not None:
        more.update(_said(words, 1000 * span[0] / RATE_HZ, 1000 * span[1] / RATE_HZ))
    return Segment(start, stop, confidence * loudness, confidence, more)


@dataclass(frozen=True)
class Spoken:
    """A word, or a whole event's text, of a semantic timeline."""

    start_ms: float
    end_ms: float
    text: str
    joined: bool = False
    word: bool = True


def words_said(job: Job) -> list[Spoken] | None:
    """What is said and when, by the job's semantic timeline; ``None`` without one.

    Raises ``ValidationError`` for an input that is no semantic timeline.
    """
    for inputs in job.inputs.values():
        for each in inputs:
            if each.kind == SemanticTimeline.kind:
                return sorted(
                    _spoken(SemanticTimeline.read(each.path)),
                    key=lambda word: (word.start_ms, word.end_ms),
                )
    return None


def _spoken(semantics: SemanticTimeline) -> Iterator[Spoken]:
    for event in semantics.events:
        for word in event.words:
            yield Spoken(float(word.start_ms), float(word.end_ms), word.text, word.joined)
        if event.transcription and not event.words:
            text = event.transcription.strip()
            yield Spoken(float(event.start_ms), float(event.end_ms), text, word=False)


def _said(words: Sequence[Spoken], start_ms: float, end_ms: float) -> Mapping[str, Any]:
    """The words whose middle lies inside; an event without word times, if most of it does."""
    inside = [word for word in words if start_ms <= (word.start_ms + word.end_ms) / 2 < end_ms]
    text = "".join(f"{'' if word.joined else ' '}{word.text.strip()}" for word in inside).strip()
    rows = [
        {"start_ms": word.start_ms, "end_ms": word.end_ms, "text": word.text}
        for word in inside
        if word.word
    ]
    return {"transcript": text or None, "words": rows}


def _shape(samples: Samples, phrase: Segment) -> Samples:
    """Fades of 256 samples, so that a cut in the midst of sound does not click."""
    count = min(len(samples) // 4, 256)
    return fade(samples, count, count)


ENGINE = Engine(params=PhrasesParams, backend=backend, run=run)
