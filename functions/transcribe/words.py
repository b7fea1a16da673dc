"""``transcribe.words``: all that is said, word by word. The only step that runs Whisper.

who speaks when   as the recording's activity has it; of channels that are told apart, by voice activity
what is said      faster-whisper over what that found     (recognise)

Captions lay these words out for people to read, semantics shows them among what else is heard: a
recording's speech is recognised once, and no two results of a run contradict each other.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from functions.transcribe.backends import (
    model_used,
    stood_in,
    stub_backend,
    weights_name,
    whisper_backend,
)
from functions.transcribe.heard_activity import activity_given, speech_of
from functions.transcribe.listening import listen_to_voices
from functions.transcribe.recognise import Recogniser, Spoken, speaker_of
from functions.transcribe.whisper import find_model, load_model, model_name
from shared.contracts.audio_words import AudioWords
from shared.contracts.spoken_word import VoicedStretch
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.errors import NotFound
from shared.settings import settings
from shared.sound.speech import Voiced, find_voiced

STEP = "transcribe.words"
BACKEND_VERSION = "words_whisper_v2"
STUB_VERSION = "words_stub_v1"
_MIN_SILENCE_MS = 300


class WordsParams(SoundParams):
    """What the speech is, and how speakers are told apart."""

    language: str = Field(
        default_factory=lambda: settings().spoken_language, pattern=r"^(auto|[a-z]{2,3})$"
    )
    """``en``, ``de``, ...; ``auto`` detects it, anew in each half minute of speech. By default
    ``VIDEO_CAPTIONS_LANGUAGE`` where that is set, otherwise ``auto``."""
    speakers: Literal["mixed", "by_channel"] = "mixed"
    """``by_channel``: each channel is a speaker of its own, told by ``speaker_id``."""


def backend() -> Backend:
    """The stub where both who read the words are stubs, or the package is missing."""
    config = settings()
    if config.captions_backend == config.semantic_backend == "stub":
        return stub_backend(STUB_VERSION)
    return whisper_backend(
        "whisper",
        BACKEND_VERSION,
        ("faster-whisper",),
        config.whisper_model,
        STUB_VERSION,
        config.captions_device,
    )


def run(job: Job, params: WordsParams, backend: Backend) -> Result:
    """Recognise. Raises as ``listen_to_voices`` does, ``BackendFailed``, ``ValidationError``."""
    if backend.stub:
        nothing = nobody_listened(job, params)
        return Result([_output(job, nothing)], reason=nothing.notice)
    asked = settings().whisper_model
    model = model_used(backend, asked)
    lacking = backend.dependencies[weights_name(model)]
    voiced, spoken, duration_ms = _heard(job, params, model if lacking.available else None)
    apart = params.speakers == "by_channel"
    notice = stood_in(backend, asked)
    if voiced and not lacking.available:
        # No words would pass for those of a recording in which nobody speaks.
        notice = f"{len(voiced)} stretches of speech are not transcribed: {lacking.error}"
    words = AudioWords(
        duration_ms=duration_ms,
        language=spoken.language if spoken else _named(params.language),
        languages=spoken.languages if spoken else {},
        words=tuple(spoken.words) if spoken else (),
        speech=tuple(_stretch(one, apart=apart) for one in voiced),
        speakers=_speakers(spoken),
        suppressed_words=spoken.suppressed if spoken else 0,
        transcribed=lacking.available,
        notice=notice,
        model_used=model_name(model),
    )
    state = StepState.DEGRADED if voiced and not lacking.available else StepState.DONE
    return Result([_output(job, words)], state, notice)


def _heard(
    job: Job, params: WordsParams, model: str | None
) -> tuple[list[Voiced], Spoken | None, int]:
    """Speech, its words if there is a ``model``, and how long the recording is in ms."""
    by_channel = params.speakers == "by_channel"
    voices = listen_to_voices(
        job, by_channel=by_channel, progress=lambda done: job.progress(0.1 * done)
    )
    if len(voices.samples) > 1:
        voiced = find_voiced(
            voices.samples,
            voices.duration_ms,
            _MIN_SILENCE_MS,
            lambda done: job.progress(0.1 + 0.1 * done),
        )
    else:
        voiced = speech_of(activity_given(job), _MIN_SILENCE_MS)
    spoken = None
    if model is not None:
        config = settings()
        whisper = load_model(find_model(model), config.captions_device)
        recogniser = Recogniser(whisper, params.language, config.captions_language)
        spoken = recogniser.recognise(
            voices.samples, voiced, lambda done: job.progress(0.2 + 0.75 * done)
        )
    return voiced, spoken, voices.duration_ms


def nobody_listened(job: Job, params: WordsParams) -> AudioWords:
    """The stub's: it recognises nothing, and says so."""
    return AudioWords(
        duration_ms=job.media.duration_ms or 0,
        language=_named(params.language),
        words=(),
        speech=(),
        transcribed=False,
        notice="nobody listened: the stub recognises nothing",
        model_used="stub",
    )


def _named(language: str) -> str:
    return "und" if language == "auto" else language


def _stretch(one: Voiced, *, apart: bool) -> VoicedStretch:
    known = {"speaker_id": speaker_of(one.voice)} if apart else {}
    confidence = round(one.confidence, 4)
    return VoicedStretch(start_ms=one.start_ms, end_ms=one.end_ms, confidence=confidence, **known)


def _speakers(spoken: Spoken | None) -> tuple[str, ...]:
    said = (word.speaker_id for word in spoken.words) if spoken else ()
    return tuple(dict.fromkeys(speaker for speaker in said if speaker is not None))


def _output(job: Job, words: AudioWords) -> Output:
    meta = {
        "model_used": words.model_used,
        "language": words.language,
        "speakers": list(words.speakers),
        "duration_ms": words.duration_ms,
        "word_count": len(words.words),
        "interpolated_words": sum(word.timing == "interpolated" for word in words.words),
        "suppressed_words": words.suppressed_words,
        "transcribed": words.transcribed,
    }
    path = job.workdir / "words.json"
    words.write(path)
    job.progress(1.0)
    return Output(AudioWords.kind, "words", path, "application/json", meta)


def words_given(job: Job) -> AudioWords:
    """What this step recognised for a step that reads it. Raises ``NotFound`` in a run without it."""
    given = job.inputs.get(STEP, ())
    if not given:
        raise NotFound("result of", STEP)
    return AudioWords.read(given[0].path)


ENGINE = Engine(params=WordsParams, backend=backend, run=run)
