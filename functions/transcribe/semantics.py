"""``transcribe.semantics``: what happens when, in one row of events, with words, beats and loudness.

one pass      decode; loudness, features and 16 kHz on the way          (listening)
who speaks    voice activity                                            (voices)
what sounds   speech, music, silence, other; they touch and cover all   (spans, music)
what is said  words with times, in each stretch of speech               (recognise)
the beats     in what is music                                          (beats)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from functions.transcribe.backends import (
    model_used,
    stood_in,
    stub_backend,
    weights_name,
    whisper_backend,
)
from functions.transcribe.recognise import Recogniser, Spoken
from functions.transcribe.semantic_picture import draw_semantic_timeline
from functions.transcribe.stub import stub_semantic_timeline
from functions.transcribe.whisper import find_model, load_model, model_name
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
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.settings import settings
from shared.sound.beat_grid import Beat, Tempo, find_beats
from shared.sound.hearing import Heard, listen
from shared.sound.speech import find_voiced, without_instruments
from shared.sound.stretches import Span, find_spans, span_loudness, trimmed, window_loudness

BACKEND_VERSION = "whisper_librosa_v4"
SEMANTIC_VERSION = "audio_semantic_v2"
STUB_VERSION = "audio_semantic_stub_v1"
SILENCE_MS = (50, 5_000)
LOUDNESS_MS = (100, 10_000)


class SemanticsParams(SoundParams):
    """What is looked for. The two durations are clamped to what makes sense."""

    include_beats: bool = True
    include_speech_music: bool = True
    """Without it, only silence is told from sound, and nothing is transcribed."""
    min_silence_ms: int = 300
    """A shorter pause does not part two stretches. Clamped to 50..5,000."""
    loudness_window_ms: int = 1000
    """Loudness is measured over so much at once. Clamped to 100..10,000."""
    language: str = Field("auto", pattern=r"^(auto|[a-z]{2,3})$")
    """Of the speech: ``en``, ``de``, ...; ``auto`` detects it, anew in each half minute of speech."""
    speakers: Literal["mixed", "by_channel"] = "mixed"
    """``by_channel``: each channel is a speaker of its own, told by ``speaker_id``."""

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
    return whisper_backend(
        "whisper_librosa", BACKEND_VERSION, packages, config.semantic_model, stub
    )


def cache_key(
    ctx: RequestContext,
    asset_id: str,
    artifact_id: str | None,
    params: Any,
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """``tenant|env|asset|artifact|beats|speech_music|min_silence|window|backend_version|user``.

    A language or stream that is asked for, and speakers by channel, stand behind the backend version.
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
    spoken: Spoken | None
    """``None`` where nothing was transcribed."""


def run(job: Job, params: SemanticsParams, backend: Backend) -> Result:
    """Hear it all. Raises ``UnsupportedMedia``, ``TimedOut``, ``BackendFailed``, ``ValidationError``."""
    if backend.stub:
        stub = stub_semantic_timeline(
            job.media.duration_ms or 0, settings().semantic_seed, params.include_beats
        )
        return Result(_outputs(job, params, backend, stub))
    model = model_used(backend, settings().semantic_model)
    lacking = backend.dependencies[weights_name(model)]
    analysis = hear(job, params, model if lacking.available else None)
    made = _outputs(job, params, backend, _described(analysis, params))
    speech = sum(span.kind == "speech" for span in analysis.spans)
    if lacking.available or not speech:
        return Result(made, reason=stood_in(backend, settings().semantic_model))
    reason = f"{speech} stretches of speech are not transcribed: {lacking.error}"
    return Result(made, StepState.DEGRADED, reason)


def hear(job: Job, params: SemanticsParams, model: str | None) -> Analysis:
    """All that can be heard in the recording, decoded once; words with ``model``, if there is one."""
    by_channel = params.speakers == "by_channel" and params.include_speech_music
    heard = listen(job, by_channel=by_channel, progress=lambda done: job.progress(0.3 * done))
    voiced = []
    if params.include_speech_music:
        voiced = find_voiced(
            heard.voices,
            heard.duration_ms,
            params.min_silence_ms,
            lambda done: job.progress(0.3 + 0.1 * done),
        )
        voiced = trimmed(without_instruments(voiced, heard), heard)
    spans = find_spans(heard, voiced, params.min_silence_ms)
    beats, tempi = find_beats(heard.tracks, spans) if params.include_beats else ([], [])
    spoken = None
    if model and voiced:
        recogniser = Recogniser(load_model(find_model(model), "cpu"), params.language)
        spoken = recogniser.recognise(
            heard.voices, voiced, lambda done: job.progress(0.4 + 0.55 * done)
        )
    return Analysis(heard, spans, beats, tempi, spoken)


def _described(analysis: Analysis, params: SemanticsParams) -> SemanticTimeline:
    """As the semantic timeline has it, but for where it is from and its meta."""
    heard, spoken = analysis.heard, analysis.spoken
    window_ms = params.loudness_window_ms
    words = spoken.words if spoken else None
    events = [_event(heard, span, words, window_ms) for span in analysis.spans]
    if not params.include_speech_music:
        events = [
            event.model_copy(update={"kind": "other"}) if event.kind == "music" else event
            for event in events
        ]
    return SemanticTimeline(
        duration_ms=heard.duration_ms,
        language=spoken.language if spoken else None,
        languages=spoken.languages if spoken else {},
        suppressed_words=spoken.suppressed if spoken else 0,
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
    heard: Heard, span: Span, words: Sequence[SpokenWord] | None, window_ms: int
) -> SemanticEvent:
    known: dict[str, Any] = {}
    if span.music_score is not None:
        known["meta"] = SpanMeta(music_score=round(span.music_score, 4))
    if span.kind == "speech" and span.voice is not None and len(heard.voices) > 1:
        known["speaker_id"] = f"channel_{span.voice + 1}"
    if span.kind == "speech" and words is not None:
        speaker = known.get("speaker_id")
        inside = [word for word in words if word.speaker_id == speaker and _within(word, span)]
        known |= {"transcription": text_of(inside), "words": tuple(inside)}
    return SemanticEvent(
        kind=span.kind,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        loudness_lufs=span_loudness(heard, span, window_ms),
        confidence=round(span.confidence, 4),
        **known,
    )


def _within(word: SpokenWord, span: Span) -> bool:
    """Does its middle lie in the stretch, or in the silence that it reaches into?"""
    return span.start_ms <= (word.start_ms + word.end_ms) // 2 < span.end_ms


def _outputs(
    job: Job, params: SemanticsParams, backend: Backend, semantics: SemanticTimeline
) -> list[Output]:
    meta = _meta(job, params, backend, semantics)
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
    job: Job, params: SemanticsParams, backend: Backend, semantics: SemanticTimeline
) -> SemanticMeta:
    model = model_used(backend, settings().semantic_model)
    weights = backend.dependencies.get(weights_name(model))
    return SemanticMeta(
        semantic_version=STUB_VERSION if backend.stub else SEMANTIC_VERSION,
        model_used="stub" if backend.stub else model_name(model),
        transcribed=bool(weights and weights.available and params.include_speech_music),
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
