"""``transcribe.semantics``: what happens when, in one row of events, with words, beats and loudness.

one pass      decode; loudness, features and 16 kHz on the way          (listening)
who speaks    voice activity                                            (voices)
what sounds   speech, music, silence, other; they touch and cover all   (spans, music)
what is said  the words of transcribe.words, in each stretch of speech  (words)
the beats     in what is music                                          (beats)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import field_validator

from functions.transcribe.backends import stub_backend, whisper_backend
from functions.transcribe.semantic_picture import draw_semantic_timeline
from functions.transcribe.stub import stub_semantic_timeline
from functions.transcribe.words import WordsParams, nobody_listened, words_given
from shared.contracts.audio_words import AudioWords
from shared.contracts.context import RequestContext
from shared.contracts.semantic_timeline import (
    SPEED_CHANGE_LIMIT,
    SemanticBeat,
    SemanticEvent,
    SemanticMeta,
    SemanticTempo,
    SemanticTimeline,
    SpanMeta,
    WindowLoudness,
)
from shared.contracts.spoken_word import SpokenWord, text_of
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result
from shared.settings import settings
from shared.sound.beat_grid import Beat, Tempo, find_beats
from shared.sound.hearing import Heard, listen
from shared.sound.speech import find_voiced, without_instruments
from shared.sound.stretches import Span, find_spans, span_loudness, trimmed, window_loudness

BACKEND_VERSION = "whisper_librosa_v5"
SEMANTIC_VERSION = "audio_semantic_v2"
STUB_VERSION = "audio_semantic_stub_v1"
SILENCE_MS = (50, 5_000)
LOUDNESS_MS = (100, 10_000)
_NEAR_MS = 300
"""A word farther from all speech lies in what was taken for an instrument."""


class SemanticsParams(WordsParams):
    """What is looked for, beside what ``transcribe.words`` is told. Durations are clamped to sense."""

    include_beats: bool = True
    include_speech_music: bool = True
    """Without it, only silence is told from sound, and no words are shown."""
    min_silence_ms: int = 300
    """A shorter pause does not part two stretches. Clamped to 50..5,000."""
    loudness_window_ms: int = 1000
    """Loudness is measured over so much at once. Clamped to 100..10,000."""

    @field_validator("min_silence_ms", "loudness_window_ms")
    @classmethod
    def _clamp(cls, value: int, info: Any) -> int:
        low, high = SILENCE_MS if info.field_name == "min_silence_ms" else LOUDNESS_MS
        return min(max(value, low), high)


def backend() -> Backend:
    """As ``AUDIO_SEMANTIC_BACKEND`` says; the stub where a package is missing."""
    config = settings()
    stub = STUB_VERSION if config.semantic_seed == 42 else f"{STUB_VERSION}+{config.semantic_seed}"
    if config.semantic_backend == "stub":
        return stub_backend(stub)
    packages = ("faster-whisper", "librosa")
    model, device = config.whisper_model, config.captions_device
    return whisper_backend("whisper_librosa", BACKEND_VERSION, packages, model, stub, device)


def cache_key(
    ctx: RequestContext,
    asset_id: str,
    artifact_id: str | None,
    params: Any,
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """``tenant|env|asset|artifact|beats|speech_music|min_silence|window|backend_version|user``.

    A language or stream that is asked for, and speakers told apart, stand behind the backend version.
    """
    version = backend_version
    if params.language != "auto":
        version += f"+{params.language}"
    if params.speakers != "mixed":
        version += f"+{params.speakers}"
    if params.stream is not None:
        version += f"+stream_{params.stream}"
    flags = (params.include_beats, params.include_speech_music)
    sizes = (params.min_silence_ms, params.loudness_window_ms)
    place = (ctx.tenant_id, ctx.env, asset_id, artifact_id)
    user = ctx.user_id or "anonymous"
    return "|".join(str(part) for part in (*place, *flags, *sizes, version, user))


@dataclass(frozen=True)
class Analysis:
    """What was heard."""

    heard: Heard
    spans: Sequence[Span]
    beats: Sequence[Beat]
    tempi: Sequence[Tempo]


def run(job: Job, params: SemanticsParams, backend: Backend) -> Result:
    """Hear it all. Raises ``UnsupportedMedia``, ``TimedOut``, ``BackendFailed``, ``ValidationError``."""
    if backend.stub:
        stub = stub_semantic_timeline(
            job.media.duration_ms or 0, settings().semantic_seed, params.include_beats
        )
        unheard = nobody_listened(job, params)
        return Result(_outputs(job, params, backend, stub, unheard))
    words = words_given(job)
    analysis = hear(job, params)
    made = _outputs(job, params, backend, _described(analysis, params, words), words)
    speech = sum(span.kind == "speech" for span in analysis.spans)
    untold = bool(speech) and not words.transcribed
    return Result(made, StepState.DEGRADED if untold else StepState.DONE, words.notice)


def hear(job: Job, params: SemanticsParams) -> Analysis:
    """All that can be heard in the recording but its words, decoded once."""
    by_channel = params.speakers == "by_channel" and params.include_speech_music
    heard = listen(job, by_channel=by_channel, progress=lambda done: job.progress(0.7 * done))
    voiced = []
    if params.include_speech_music:
        voiced = find_voiced(
            heard.voices,
            heard.duration_ms,
            params.min_silence_ms,
            lambda done: job.progress(0.7 + 0.2 * done),
        )
        voiced = trimmed(without_instruments(voiced, heard), heard)
    spans = find_spans(heard, voiced, params.min_silence_ms)
    beats, tempi = find_beats(heard.tracks, spans) if params.include_beats else ([], [])
    return Analysis(heard, spans, beats, tempi)


def _described(analysis: Analysis, params: SemanticsParams, words: AudioWords) -> SemanticTimeline:
    """As the semantic timeline has it, but for where it is from and its meta."""
    heard, window_ms = analysis.heard, params.loudness_window_ms
    channels = len(heard.voices) > 1
    spans = [part for span in analysis.spans for part in _by_turns(span, words, channels)]
    shared = _shared_out(words.words, spans)
    told = words.transcribed and params.include_speech_music
    events = [
        _event(heard, span, shared[at] if told else None, window_ms)
        for at, span in enumerate(spans)
    ]
    if not params.include_speech_music:
        events = [
            event.model_copy(update={"kind": "other"}) if event.kind == "music" else event
            for event in events
        ]
    return SemanticTimeline(
        duration_ms=heard.duration_ms,
        language=words.language if told else None,
        languages=words.languages if told else {},
        suppressed_words=words.suppressed_words if told else 0,
        damage=heard.damage,
        events=tuple(events),
        beats=tuple(
            SemanticBeat(**{**vars(beat), "time_ms": round(beat.time_ms)})
            for beat in analysis.beats
        ),
        tempi=tuple(
            SemanticTempo(start_ms=one.start_ms, end_ms=one.end_ms, bpm=one.bpm)
            for one in analysis.tempi
        ),
        loudness=WindowLoudness(window_ms=window_ms, lufs=tuple(window_loudness(heard, window_ms))),
    )


def _event(
    heard: Heard, span: _Spoken, words: Sequence[SpokenWord] | None, window_ms: int
) -> SemanticEvent:
    known: dict[str, Any] = {}
    if span.music_score is not None:
        known["meta"] = SpanMeta(music_score=round(span.music_score, 4))
    if span.speaker_id is not None:
        known["speaker_id"] = span.speaker_id
    if span.kind == "speech" and words is not None:
        known |= {"transcription": text_of(words), "words": tuple(words)}
    return SemanticEvent(
        kind=span.kind,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        loudness_lufs=span_loudness(heard, span, window_ms),
        confidence=round(span.confidence, 4),
        **known,
    )


@dataclass(frozen=True)
class _Spoken(Span):
    """A stretch, and who speaks in it, where speakers are told apart."""

    speaker_id: str | None = None


def _by_turns(span: Span, words: AudioWords, channels: bool) -> Iterator[_Spoken]:
    """A stretch of speech parted where another speaker's turn begins; anything else as it is."""
    if span.kind != "speech" or not words.turns:
        channel = channels and span.kind == "speech" and span.voice is not None
        speaker_id = f"channel_{(span.voice or 0) + 1}" if channel else None
        yield _Spoken(**vars(span), speaker_id=speaker_id)
        return
    near = [one for one in words.turns if one.start_ms < span.end_ms and one.end_ms > span.start_ms]
    at_ms, speaker = span.start_ms, near[0].speaker_id if near else None
    for turn in near[1:]:
        if turn.speaker_id != speaker and at_ms < turn.start_ms < span.end_ms:
            part = replace(span, start_ms=at_ms, end_ms=turn.start_ms)
            yield _Spoken(**vars(part), speaker_id=speaker)
            at_ms, speaker = turn.start_ms, turn.speaker_id
    yield _Spoken(**vars(replace(span, start_ms=at_ms)), speaker_id=speaker)


def _shared_out(words: Sequence[SpokenWord], spans: Sequence[_Spoken]) -> list[list[SpokenWord]]:
    """For each stretch its words: of speech those that lie in it most, or that it is near to."""
    shared: list[list[SpokenWord]] = [[] for _ in spans]
    speech = [at for at, span in enumerate(spans) if span.kind == "speech"]
    for word in words:
        own = [at for at in speech if spans[at].speaker_id == word.speaker_id] or speech
        nearest = min(own, key=lambda at: (_apart_ms(word, spans[at]), at), default=None)
        if nearest is not None and _apart_ms(word, spans[nearest]) <= _NEAR_MS:
            shared[nearest].append(_inside(word, spans[nearest]))
    return shared


def _apart_ms(word: SpokenWord, span: Span) -> int:
    """How far they are apart; below 0, by how much they overlap."""
    return max(word.start_ms, span.start_ms) - min(word.end_ms, span.end_ms)


def _inside(word: SpokenWord, span: Span) -> SpokenWord:
    """The word's part in the stretch; what lies beside it wholly stays as it is."""
    start_ms, end_ms = max(word.start_ms, span.start_ms), min(word.end_ms, span.end_ms)
    if start_ms >= end_ms:
        return word
    return word.model_copy(update={"start_ms": start_ms, "end_ms": end_ms})


def _outputs(
    job: Job,
    params: SemanticsParams,
    backend: Backend,
    semantics: SemanticTimeline,
    words: AudioWords,
) -> list[Output]:
    meta = _meta(job, params, backend, semantics, words)
    placed = {"asset_id": job.asset_id, "artifact_id": job.artifact_id, "meta": meta}
    path = job.workdir / "timeline.json"
    semantics.model_copy(update=placed).write(path)
    picture = job.workdir / "timeline.png"
    draw_semantic_timeline(picture, semantics)
    job.progress(1.0)
    described = meta.model_dump(mode="json", exclude_unset=True)
    return [
        Output(SemanticTimeline.kind, "timeline", path, "application/json", described),
        Output(
            "preview",
            "preview",
            picture,
            "image/png",
            {"shows": "events, loudness and beats over time"},
            parents=("timeline",),
        ),
    ]


def _meta(
    job: Job,
    params: SemanticsParams,
    backend: Backend,
    semantics: SemanticTimeline,
    words: AudioWords,
) -> SemanticMeta:
    return SemanticMeta(
        semantic_version=STUB_VERSION if backend.stub else SEMANTIC_VERSION,
        model_used=words.model_used,
        transcribed=words.transcribed and params.include_speech_music,
        backend=backend.name,
        backend_type=backend.type,
        backend_version=backend.version,
        **params.model_dump(mode="json"),
        seed=settings().semantic_seed,
        speed_change_limit=SPEED_CHANGE_LIMIT,
        audio_semantic_cache_key=job.cache_key,
        duration_ms=semantics.duration_ms,
        event_count=len(semantics.events),
        beat_count=len(semantics.beats),
    )


ENGINE = Engine(params=SemanticsParams, backend=backend, run=run, cache_key=cache_key)
