"""``transcribe.semantics``: what happens when, in one row of events, with words, beats and loudness.

what sounds   speech, music, silence, other; they touch and cover all   (the recording's activity)
the beats     in what is music                                          (activity)
what is said  the words of transcribe.words, in each stretch of speech  (words)

It listens to nothing itself. It reads ``audio_activity`` and, where somebody speaks, ``audio_words``; it
writes ``audio_semantic_timeline`` (JSON, times in ms, loudness in LUFS after BS.1770-4) and a picture. A
word belongs to one event and never to silence or music, so what is sung has words only where it is taken
for speech.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import field_validator

from functions.transcribe.backends import model_used, stub_backend, whisper_backend
from functions.transcribe.heard_activity import activity_given, levels_of, spans_of
from functions.transcribe.listening import MOST_CHANNELS
from functions.transcribe.recognise import speaker_of
from functions.transcribe.semantic_picture import draw_semantic_timeline
from functions.transcribe.stub import stub_semantic_timeline
from functions.transcribe.whisper import model_name
from functions.transcribe.words import STEP as WORDS
from functions.transcribe.words import nobody_listened, words_given
from shared.contracts.audio_activity import ActivityBeat, AudioActivity
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
from shared.sound.levels import Levels
from shared.sound.speech import Voiced
from shared.sound.speech_params import SpeechParams
from shared.sound.stretches import Span

BACKEND_VERSION = "whisper_librosa_v7"
SEMANTIC_VERSION = "audio_semantic_v2"
STUB_VERSION = "audio_semantic_stub_v1"
SILENCE_MS = (50, 5_000)
"""Least and most of ``min_silence_ms``. Smaller ones would part speech at its stops."""
LOUDNESS_MS = (100, 10_000)
"""Least and most of ``loudness_window_ms``; the least is ten of activity's steps."""
_NEAR_MS = 300
"""A word farther from all speech lies in what was taken for an instrument."""


class SemanticsParams(SpeechParams):
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

    What else changes the words (language, speakers, stream, task, glossary) stands behind the version.
    """
    version = backend_version
    if params.language != "auto":
        version += f"+{params.language}"
    if params.speakers != "mixed":
        version += f"+{params.speakers}"
    if params.stream is not None:
        version += f"+stream_{params.stream}"
    if params.task != "transcribe":
        version += f"+{params.task}"
    if params.glossary:
        terms = "\n".join(params.glossary)
        version += f"+glossary_{hashlib.sha256(terms.encode()).hexdigest()[:12]}"
    flags = (params.include_beats, params.include_speech_music)
    sizes = (params.min_silence_ms, params.loudness_window_ms)
    place = (ctx.tenant_id, ctx.env, asset_id, artifact_id)
    user = ctx.user_id or "anonymous"
    return "|".join(str(part) for part in (*place, *flags, *sizes, version, user))


def run(job: Job, params: SemanticsParams, backend: Backend) -> Result:
    """Put it together. Raises ``NotFound`` without activity or words, ``ValidationError``.

    Words that are missing because nobody speaks, or because recognising failed, are none: events, beats and
    loudness come all the same, ``degraded`` where there was speech. The stub's pattern hangs on nothing
    heard.
    """
    if backend.stub:
        stub = stub_semantic_timeline(
            job.media.duration_ms or 0, settings().semantic_seed, params.include_beats
        )
        unheard = nobody_listened(job, params)
        return Result(_outputs(job, params, backend, stub, unheard))
    activity = activity_given(job.inputs)
    words = words_given(job) if job.inputs.get(WORDS) else _wordless(job, activity, backend)
    semantics = _described(activity, words, params)
    made = _outputs(job, params, backend, semantics, words)
    speech = any(event.kind == "speech" for event in semantics.events)
    untold = speech and not words.transcribed
    return Result(made, StepState.DEGRADED if untold else StepState.DONE, words.notice)


def _wordless(job: Job, activity: AudioActivity, backend: Backend) -> AudioWords:
    """No words: of a recording without speech, or where recognising them failed.

    Only a failure is ``transcribed=False`` and told with its message; its language is ``und`` either way.
    """
    why = job.failed.get(WORDS, {})
    return AudioWords(
        duration_ms=activity.duration_ms,
        language="und",
        words=(),
        speech=(),
        transcribed="code" not in why,
        notice=f"speech is not transcribed: {why['message']}" if "code" in why else None,
        model_used=model_name(model_used(backend, settings().whisper_model)),
    )


def _described(
    activity: AudioActivity, words: AudioWords, params: SemanticsParams
) -> SemanticTimeline:
    """As the semantic timeline has it, but for where it is from and its meta.

    Events touch each other and cover the recording. Without ``include_speech_music`` what sounds is
    ``other``, and nothing of the words is shown, their language and count included.
    """
    levels, window_ms = levels_of(activity), params.loudness_window_ms
    by_channel = bool(words.speech) and all(one.speaker_id for one in words.speech)
    found = spans_of(activity, levels, _voiced(words, params, by_channel), params.min_silence_ms)
    spans = [part for span in found for part in _by_turns(span, words, channels=by_channel)]
    shared = _shared_out(words.words, spans)
    told = words.transcribed and params.include_speech_music
    events = [
        _event(levels, span, shared[at] if told else None, window_ms)
        for at, span in enumerate(spans)
    ]
    if not params.include_speech_music:
        events = [
            event.model_copy(update={"kind": "other"}) if event.kind == "music" else event
            for event in events
        ]
    beats = activity.beats if params.include_beats else ()
    tempi = activity.tempi if params.include_beats else ()
    return SemanticTimeline(
        duration_ms=activity.duration_ms,
        language=words.language if told else None,
        languages=words.languages if told else {},
        suppressed_words=words.suppressed_words if told else 0,
        damage=activity.damage,
        events=tuple(events),
        beats=tuple(_beat(beat) for beat in beats),
        tempi=tuple(
            SemanticTempo(start_ms=one.start_ms, end_ms=one.end_ms, bpm=one.bpm) for one in tempi
        ),
        loudness=WindowLoudness(window_ms=window_ms, lufs=tuple(levels.window_loudness(window_ms))),
    )


def _voiced(words: AudioWords, params: SemanticsParams, by_channel: bool) -> list[Voiced] | None:
    """Speech that is not as activity has it: none, or who has the floor where channels are told apart.

    ``None``: as activity has it. A channel beyond ``MOST_CHANNELS`` is nobody's.
    """
    if not params.include_speech_music:
        return []
    if not by_channel:
        return None
    channels = {speaker_of(channel): channel for channel in range(MOST_CHANNELS)}
    return [
        Voiced(one.start_ms, one.end_ms, one.confidence, channels[one.speaker_id])
        for one in words.speech
        if one.speaker_id in channels
    ]


def _beat(beat: ActivityBeat) -> SemanticBeat:
    """In whole ms: activity has fractions."""
    return SemanticBeat(
        time_ms=round(beat.time_ms),
        beat_index=beat.beat_index,
        bar_index=beat.bar_index,
        subdivision=beat.subdivision,
    )


def _event(
    levels: Levels, span: _Spoken, words: Sequence[SpokenWord] | None, window_ms: int
) -> SemanticEvent:
    """One stretch with its loudness (LUFS over gating blocks of ``window_ms``; none for silence).

    ``words``: its own; ``None``: words are not told. Only speech shows any, an empty text included.
    """
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
        loudness_lufs=levels.span_loudness(span.start_ms, span.end_ms, window_ms),
        confidence=round(span.confidence, 4),
        **known,
    )


@dataclass(frozen=True)
class _Spoken(Span):
    """A stretch, and who speaks in it, where speakers are told apart."""

    speaker_id: str | None = None


def _by_turns(span: Span, words: AudioWords, *, channels: bool) -> Iterator[_Spoken]:
    """A stretch of speech parted where another speaker's turn begins; anything else as it is.

    Its parts touch each other, so of an overlap the second speaker has it: who is heard besides stands in
    ``audio_words``. ``channels``: each is a speaker, and stretches are theirs already.
    """
    if span.kind != "speech" or not words.turns:
        speaker_id = speaker_of(span.voice or 0) if channels and span.kind == "speech" else None
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
    """For each stretch its words: of speech those that lie in it most, or that it is near to.

    Stretches of the word's own speaker come first, where there are any. What is farther than ``_NEAR_MS``
    from all speech is left out here; it stays in ``audio_words``. Costs words times stretches.
    """
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
    """The word's part in the stretch, in ms; what lies beside it wholly stays as it is.

    Events touch each other, so a word over a border would else be longer than its event.
    """
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
    """The document, placed (asset, artifact, meta), and its picture, its child."""
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
