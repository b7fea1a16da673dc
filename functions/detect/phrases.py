"""``detect.phrases``: what is spoken, phrase by phrase.

How likely speech is in each 32 ms is the recording's activity (Silero's voice activity); the sound
is decoded once, to cut, at its own rate. Speech whose pauses are shorter than ``max_pause_ms``
stays together; what is longer than ``max_duration_ms`` is split where speech is least likely; what
is shorter than ``min_duration_ms`` is given the recording's own sound around it.

The transcript comes from the recording's words; where nobody recognised them it is null. Spans are
samples at the network's 16 kHz until they become segments, which are samples of the recording.
Reads ``audio_activity`` and, where there is one, ``audio_words``; writes ``audio_phrase``,
``audio_phrases`` and a ``preview``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.detect.reading_activity import Listened, reading_backend
from functions.detect.segments import Detection, Samples, Segment, SegmentParams, fade, fade_samples
from shared.contracts.audio_words import AudioWords
from shared.contracts.spoken_word import SpokenWord, text_of
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result, check_range
from shared.errors import ValidationError
from shared.media.decode import audio_blocks
from shared.media.vad import FRAME_SAMPLES, RATE_HZ, speech_spans

_SPEECH = 0.5
"""Activity speaks of speech from this probability on."""

_SOFT_MS = 100
"""So long before what is loud in it, and after, a word may be soft: an f, a breath."""


class PhrasesParams(SegmentParams):
    """What counts as a phrase."""

    max_pause_ms: int = 450
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


def backend() -> Backend:
    """Reads what activity heard; the stub without librosa or faster-whisper, whose voice activity it is."""
    return reading_backend("phrases", 6, "librosa", "faster-whisper")


def run(job: Job, params: PhrasesParams, backend: Backend) -> Result:
    """Find and cut. Raises ``ValidationError`` without activity, ``UnsupportedMedia``."""
    listened = Listened(job)
    phrases = [] if listened.silent else find_phrases(job, listened, params, backend)
    rate = listened.sample_rate_hz
    about = {
        "min_quality_score": params.min_quality_score,
        "speech_ms": round(sum(one.stop - one.start for one in phrases) * 1000 / rate),
    }
    found = Detection("phrase", rate, listened.samples, listened.peaks, phrases, about)
    with audio_blocks(job.source, job.media) as blocks:
        made = found.outputs(job, blocks, partial(_shape, rate))
    if listened.silent:
        return Result(made, StepState.SKIPPED, "silent recording")
    return Result(made)


def find_phrases(
    job: Job, listened: Listened, params: PhrasesParams, backend: Backend
) -> list[Segment]:
    """The phrases that are good enough, the best ``max_phrases`` of them, in order.

    Raises ``ValidationError`` where activity was made without voice activity. The stub's have a
    score of 0 and are all kept.
    """
    # In samples of the network's rate.
    samples = listened.samples * RATE_HZ // listened.sample_rate_hz
    probability, spans = np.zeros(0, np.float32), regular_spans(samples)
    if not backend.stub:
        if (voice := listened.activity.voice) is None:
            raise ValidationError("audio_activity", "does not say where somebody speaks")
        probability = voice.values()
        spoken = spoken_spans(listened, probability, samples, params)
        spans = phrase_spans(probability, spoken, samples, params)
    words = words_said(job)
    phrases = [_phrase(listened, probability, span, words) for span in spans]
    if not backend.stub:
        phrases = [one for one in phrases if one.score >= params.min_quality_score]
    best = sorted(phrases, key=lambda one: (-one.score, one.start))[: params.max_phrases]
    return sorted(best, key=lambda one: one.start)


def spoken_spans(
    listened: Listened, probability: NDArray[np.float32], samples: int, params: PhrasesParams
) -> list[tuple[int, int]]:
    """Speech with pauses of ``max_pause_ms`` at most, in samples at 16 kHz, ``[start, stop)``.

    Where the voice is as likely as activity demands, activity's word counts: what it takes for an
    instrument is none, and of the quiet that voice activity puts around speech little is kept.
    """
    found = speech_spans(
        probability,
        samples,
        min_silence_ms=params.max_pause_ms,
        pad_ms=params.pad_ms,
        threshold=params.threshold,
    )
    spans = [(span.start, span.stop) for span in found]
    if params.threshold < _SPEECH:
        return spans
    pad = max(params.pad_ms, _SOFT_MS) * RATE_HZ // 1000
    heard = [[round(edge_ms * RATE_HZ / 1000) for edge_ms in span] for span in listened.speech()]
    kept = []
    for start, stop in spans:
        inside = [(low, high) for low, high in heard if low < stop and high > start]
        if inside:
            kept.append((max(start, inside[0][0] - pad), min(stop, inside[-1][1] + pad)))
    return kept


def phrase_spans(
    probability: NDArray[np.float32],
    spoken: Sequence[tuple[int, int]],
    samples: int,
    params: PhrasesParams,
) -> list[tuple[int, int]]:
    """Samples at 16 kHz, ``[start, stop)``, each between the duration limits where that can be."""
    shortest, longest = (
        RATE_HZ * limit // 1000 for limit in (params.min_duration_ms, params.max_duration_ms)
    )
    parts = [part for span in spoken for part in split(probability, span, shortest, longest)]
    return widened(parts, samples, shortest, longest)


def split(
    probability: NDArray[np.float32], span: tuple[int, int], shortest: int, longest: int
) -> list[tuple[int, int]]:
    """``span`` in parts of at most ``longest`` samples, cut where speech is least likely.

    Sought in the second half of what may be long enough, over the mean of 5 frames (160 ms), and so
    that what is left is no shorter than ``shortest``. ``probability`` is ``(frames,)``, 32 ms each.
    """
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
    """Spans of at least ``shortest``: what is around them is added; what then touches is joined.

    Half on each side where both have so much; never beyond the recording. Not joined where that
    would be longer than ``longest``: then they overlap.
    """
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


def regular_spans(samples: int) -> list[tuple[int, int]]:
    """What the stub gives: two seconds of every three, known from the duration alone."""
    length = 2 * RATE_HZ
    starts = range(0, max(1, samples - length + 1), 3 * RATE_HZ)
    return [(start, min(start + length, samples)) for start in starts]


def _phrase(
    listened: Listened,
    probability: NDArray[np.float32],
    span: tuple[int, int],
    words: Sequence[SpokenWord] | None,
) -> Segment:
    """A span as a segment: how surely it is speech, how loud, and what is said.

    ``probability`` is averaged over frames of 0.35 and more, so that pauses inside don't count.
    Loudness goes from 0 at a peak of -60 dBFS to 1 at -20; the score is the product of both.
    """
    first, last = span[0] // FRAME_SAMPLES, -(-span[1] // FRAME_SAMPLES)
    spoken = probability[first:last]
    spoken = spoken[spoken >= 0.35]
    confidence = float(spoken.mean()) if spoken.size else 0.0
    start, stop = (round(edge * listened.sample_rate_hz / RATE_HZ) for edge in span)
    peak_dbfs = listened.peak_dbfs(start, stop)
    loudness = min(max((peak_dbfs + 60.0) / 40.0, 0.0), 1.0)
    more: dict[str, Any] = {
        "peak_dbfs": round(peak_dbfs, 2),
        "transcript": None,
        "words": [],
    }
    if words is not None:
        more.update(_said(words, 1000 * span[0] / RATE_HZ, 1000 * span[1] / RATE_HZ))
    return Segment(start, stop, confidence * loudness, confidence, more)


def words_said(job: Job) -> Sequence[SpokenWord] | None:
    """What is said and when, by the job's words; ``None`` where nobody recognised them.

    Raises ``ValidationError`` for an input that is no list of words.
    """
    for each in job.inputs.get("transcribe.words", ()):
        words = AudioWords.read(each.path)
        return words.words if words.transcribed else None
    return None


def _said(words: Sequence[SpokenWord], start_ms: float, end_ms: float) -> Mapping[str, Any]:
    """The words whose middle lies inside, their times in ms of the recording."""
    inside = [word for word in words if start_ms <= (word.start_ms + word.end_ms) / 2 < end_ms]
    rows = [
        {"start_ms": float(word.start_ms), "end_ms": float(word.end_ms), "text": word.text}
        for word in inside
    ]
    return {"transcript": text_of(inside) or None, "words": rows}


def _shape(sample_rate_hz: int, samples: Samples, phrase: Segment) -> Samples:
    """Fades at both ends, so that a cut in the midst of sound does not click."""
    count = fade_samples(samples, sample_rate_hz)
    return fade(samples, count, count)


ENGINE = Engine(params=PhrasesParams, backend=backend, run=run)
