"""``transcribe.words``: all that is said, word by word. The only step that runs Whisper.

who speaks when   detect.activity says it; of channels apart, and where it could not, voice activity here
what is said      faster-whisper over what that found, its times moved to the sound's  (recognise, edges)
whose it is       voices that sound alike, where asked for                             (speakers)

Captions lay these words out for people to read, semantics shows them among what else is heard: a
recording's speech is recognised once, and no two results of a run contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from functions.transcribe.listening import Voices, listen_to_voices
from functions.transcribe.recognise import Recogniser, Spoken, speaker_of
from functions.transcribe.speakers import find_turns
from functions.transcribe.voice_vectors import NAME as VOICES
from functions.transcribe.voice_vectors import voice_weights
from functions.transcribe.whisper import find_model, load_model, model_name
from shared.contracts.audio_words import AudioWords, SpeakerTurn
from shared.contracts.spoken_word import SpokenWord, VoicedStretch
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Dependency,
    Engine,
    Job,
    Output,
    Result,
    SoundParams,
)
from shared.errors import NotFound
from shared.settings import settings
from shared.sound.speech import Voiced, find_voiced

STEP = "transcribe.words"
BACKEND_VERSION = "words_whisper_v2"
STUB_VERSION = "words_stub_v1"
_MIN_SILENCE_MS = 300
_FAR_MS, _MOST_NEAR = 5000, 50
"""A turn that ended so long ago is no word's, and no more turns are looked at for one."""


class WordsParams(SoundParams):
    """What the speech is, and how speakers are told apart."""

    language: str = Field(
        default_factory=lambda: settings().spoken_language, pattern=r"^(auto|[a-z]{2,3})$"
    )
    """``en``, ``de``, ...; ``auto`` detects it, anew in each half minute of speech. By default
    ``VIDEO_CAPTIONS_LANGUAGE`` where that is set, otherwise ``auto``."""
    speakers: Literal["mixed", "auto", "by_channel"] = "mixed"
    """``auto``: told apart by their voices, ``speaker_1``, ...; ``by_channel``: each channel is a speaker
    of its own, ``channel_1``, ..."""


def backend() -> Backend:
    """The stub where both who read the words are stubs, or the package is missing."""
    config = settings()
    if config.captions_backend == config.semantic_backend == "stub":
        return stub_backend(STUB_VERSION)
    model, device = config.whisper_model, config.captions_device
    packages = ("faster-whisper",)
    heard = whisper_backend("whisper", BACKEND_VERSION, packages, model, STUB_VERSION, device)
    if heard.stub:
        return heard
    return replace(heard, dependencies={**heard.dependencies, VOICES: voice_weights()})


def run(job: Job, params: WordsParams, backend: Backend) -> Result:
    """Recognise. Raises as ``listen_to_voices`` does, ``BackendFailed``, ``ValidationError``."""
    if backend.stub:
        nothing = nobody_listened(job, params)
        return Result([_output(job, nothing)], reason=nothing.notice)
    asked = settings().whisper_model
    model = model_used(backend, asked)
    lacking = backend.dependencies[weights_name(model)]
    heard = _hear(job, params, model if lacking.available else None)
    turns, untold = _turns(job, params, heard, backend.dependencies[VOICES])
    spoken = heard.spoken
    unheard = None
    if heard.voiced and not lacking.available:
        # No words would pass for those of a recording in which nobody speaks.
        unheard = f"{len(heard.voiced)} stretches of speech are not transcribed: {lacking.error}"
    notices = filter(None, (stood_in(backend, asked), unheard, untold))
    said = whose(spoken.words, turns) if spoken else []
    apart = params.speakers == "by_channel"
    words = AudioWords(
        duration_ms=heard.voices.duration_ms,
        language=spoken.language if spoken else _named(params.language),
        languages=spoken.languages if spoken else {},
        words=tuple(said),
        speech=tuple(_stretch(one, apart=apart) for one in heard.voiced),
        speakers=_speakers(said, turns),
        turns=tuple(turns),
        suppressed_words=spoken.suppressed if spoken else 0,
        transcribed=lacking.available,
        notice="; ".join(notices) or None,
        model_used=model_name(model),
    )
    state = StepState.DEGRADED if unheard or untold else StepState.DONE
    return Result([_output(job, words)], state, words.notice)


@dataclass(frozen=True)
class _Heard:
    voices: Voices
    voiced: Sequence[Voiced]
    spoken: Spoken | None
    """``None`` without a model."""


def _hear(job: Job, params: WordsParams, model: str | None) -> _Heard:
    """Speech, and its words if there is a ``model``."""
    by_channel = params.speakers == "by_channel"
    voices = listen_to_voices(
        job, by_channel=by_channel, progress=lambda done: job.progress(0.1 * done)
    )
    voiced = _voiced(job, voices)
    job.progress(0.2)
    spoken = None
    if model is not None:
        config = settings()
        whisper = load_model(find_model(model), config.captions_device)
        recogniser = Recogniser(whisper, params.language, config.captions_language)
        spoken = recogniser.recognise(
            voices.samples, voiced, lambda done: job.progress(0.2 + 0.5 * done)
        )
    return _Heard(voices, voiced, spoken)


def _turns(
    job: Job, params: WordsParams, heard: _Heard, weights: Dependency
) -> tuple[list[SpeakerTurn], str | None]:
    """Who speaks when, where that is asked for; or why it cannot be told."""
    if params.speakers != "auto" or not heard.voiced:
        return [], None
    if not weights.available:
        return [], f"speakers are not told apart: {weights.error}"
    found = find_turns(
        heard.voices.samples[0], heard.voiced, lambda done: job.progress(0.7 + 0.25 * done)
    )
    return [
        SpeakerTurn(
            speaker_id=f"speaker_{one.speaker + 1}", start_ms=one.start_ms, end_ms=one.end_ms
        )
        for one in found
    ], None


def whose(words: Sequence[SpokenWord], turns: Sequence[SpeakerTurn]) -> list[SpokenWord]:
    """The words, each with the speaker in whose turn it lies most, or whose is nearest."""
    if not turns:
        return list(words)
    made, first = [], 0
    for word in words:
        while first + 1 < len(turns) and turns[first].end_ms < word.start_ms - _FAR_MS:
            first += 1
        near = turns[first : first + _MOST_NEAR]
        nearest = min(near, key=lambda turn: _apart_ms(word, turn))
        made.append(word.model_copy(update={"speaker_id": nearest.speaker_id}))
    return made


def _apart_ms(word: SpokenWord, turn: SpeakerTurn) -> int:
    """How far they are apart; below 0, by how much they overlap."""
    return max(word.start_ms, turn.start_ms) - min(word.end_ms, turn.end_ms)


def _voiced(job: Job, voices: Voices) -> list[Voiced]:
    """Where somebody speaks, with a little around it."""
    activity = activity_given(job)
    if activity.voice is None or len(voices.samples) > 1:
        return find_voiced(voices.samples, voices.duration_ms, _MIN_SILENCE_MS, lambda _: None)
    return speech_of(activity, _MIN_SILENCE_MS)


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


def _speakers(words: Sequence[SpokenWord], turns: Sequence[SpeakerTurn]) -> tuple[str, ...]:
    told = [word.speaker_id for word in words if word.speaker_id is not None]
    return tuple(dict.fromkeys([turn.speaker_id for turn in turns] or told))


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
