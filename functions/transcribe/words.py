"""``transcribe.words``: all that is said, word by word. The only step that runs Whisper.

who speaks when   detect.activity says it; of channels apart, and where it could not, voice activity here
what is said      faster-whisper over what that found, its times moved to the sound's  (recognise, edges)
whose it is       voices that sound alike, where asked for                             (speakers)

Captions lay these words out for people to read, semantics shows them among what else is heard: a
recording's speech is recognised once, and no two results of a run contradict each other.

It reads the recording and ``audio_activity``, and writes ``audio_words``: times in ms, probabilities 0 to
1. A long recording is done in parts with as much speech each, one after the other or side by side, to the
same bytes: each part hears the phrases that begin in it. Without weights the stretches of speech are told
without words, and the step is ``degraded``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from functions.transcribe.backends import (
    model_used,
    stood_in,
    stub_backend,
    weights_name,
    whisper_backend,
)
from functions.transcribe.heard_activity import STEP as ACTIVITY
from functions.transcribe.heard_activity import activity_given, speech_of
from functions.transcribe.listening import Voices, listen_to_voices
from functions.transcribe.one_window import Asked
from functions.transcribe.recognise import Recogniser, speaker_of, spoken
from functions.transcribe.speakers import find_turns, share_at_once
from functions.transcribe.voice_vectors import NAME as VOICES
from functions.transcribe.voice_vectors import voice_weights
from functions.transcribe.whisper import find_model, load_model, model_name
from shared.contracts.asset import MediaInfo
from shared.contracts.audio_words import AudioWords, SpeakerTurn
from shared.contracts.plurals import many
from shared.contracts.recognised import Recognised
from shared.contracts.spoken_word import SpokenWord, VoicedStretch
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Dependency,
    Engine,
    InputFile,
    Job,
    Output,
    Part,
    Parts,
    Result,
    Share,
)
from shared.errors import NotFound
from shared.settings import settings
from shared.sound.speech import Voiced, find_voiced
from shared.sound.speech_params import SpeechParams

STEP = "transcribe.words"
BACKEND_VERSION = "words_whisper_v8"
STUB_VERSION = "words_stub_v1"
PART_SPEECH_MS = 300_000
"""Of speech in a part: longer than what each part spends on the sound before it."""
MOST_PARTS = 64
"""Five hours and twenty minutes of speech at ``PART_SPEECH_MS``; of more, parts are longer."""
ENGLISH = "en"
"""Whisper's ``translate`` knows no other."""
_BEYOND_MS = 1000
"""So far behind the phrase after its last one a part decodes: farther than it looks."""
_MIN_SILENCE_MS = 300
"""A shorter pause does not part two phrases."""
_AT_ONCE = 0.1
"""Of speech: below it, talks were told with errors of at most 0.07, above it of 0.08 to 0.27."""
_FAR_MS, _MOST_NEAR = 5000, 50
"""A turn that ended so long ago is no word's, and no more turns are looked at for one."""


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


def run(job: Job, params: SpeechParams, backend: Backend) -> Result:
    """Recognise. Raises as ``listen_to_voices`` does, ``BackendFailed``, ``ValidationError``.

    Of the progress, 0.1 is decoding, from 0.2 to 0.7 are windows, to 0.95 speakers. Where nobody speaks no
    model is loaded.
    """
    if backend.stub:
        return _nobody(job, params)
    heard = _hear(job, params)
    looks = None
    if heard.voiced and _weights(backend).available:
        parts = split(job.media, job.inputs, params) or [Part(0, sys.maxsize)]
        recogniser = _recogniser(params, backend)
        looks = [
            recogniser.look(
                heard.voices.samples,
                heard.voiced,
                Share(job.progress, 0.2 + 0.5 * number / len(parts), 0.5 / len(parts)),
                (part.start_ms, part.end_ms),
            )
            for number, part in enumerate(parts)
        ]
    return _result(job, params, backend, heard, looks)


def split(
    media: MediaInfo, inputs: Mapping[str, Sequence[InputFile]], params: SpeechParams
) -> list[Part]:
    """Parts with as much speech each; none where activity does not say where it is, or for little.

    Little: up to seven and a half minutes. Borders lie where a phrase begins, half open, in ms.
    """
    if not inputs.get(ACTIVITY):
        return []
    activity = activity_given(inputs)
    channels = media.heard.channels if media.audio else 1
    if activity.voice is None or (params.speakers == "by_channel" and channels > 1):
        return []
    voiced = speech_of(activity, _MIN_SILENCE_MS)
    spoken_ms = sum(one.end_ms - one.start_ms for one in voiced)
    count = min(MOST_PARTS, round(spoken_ms / PART_SPEECH_MS))
    borders_ms, heard_ms = [0], 0
    for one in voiced:
        if heard_ms * count >= spoken_ms * len(borders_ms):
            borders_ms.append(one.start_ms)
        heard_ms += one.end_ms - one.start_ms
    borders_ms.append(activity.duration_ms)
    return [Part(low, high) for low, high in pairwise(borders_ms)] if len(borders_ms) > 2 else []


def recognise_part(job: Job, params: SpeechParams, backend: Backend, part: Part) -> Path:
    """Recognise the phrases that begin in the part, as ``run`` does part by part, into a ``Recognised`` file.

    Decodes from the recording's beginning, so that the samples are those of the whole.
    """
    path = job.workdir / "words.json"
    look = Recognised(words=((),))
    if not backend.stub and _weights(backend).available:
        heard = _hear(job, params, until=part)
        told = Share(job.progress, 0.2, 0.8)
        recogniser = _recogniser(params, backend)
        within = (part.start_ms, part.end_ms)
        look = recogniser.look(heard.voices.samples, heard.voiced, told, within)
    look.write(path)
    return path


def join_parts(job: Job, params: SpeechParams, backend: Backend, files: Sequence[Path]) -> Result:
    """All words at their times, and whose they are."""
    if backend.stub:
        return _nobody(job, params)
    heard = _hear(job, params)
    looks = [Recognised.read(path) for path in files]
    told = looks if _weights(backend).available else None
    return _result(job, params, backend, heard, told)


def _nobody(job: Job, params: SpeechParams) -> Result:
    nothing = nobody_listened(job, params)
    return Result([_output(job, nothing)], reason=nothing.notice)


def _weights(backend: Backend) -> Dependency:
    return backend.dependencies[weights_name(_model(backend))]


def _model(backend: Backend) -> str:
    """What this process hears with: the setting's model, or what stands in for it."""
    return model_used(backend, settings().whisper_model)


def _recogniser(params: SpeechParams, backend: Backend) -> Recogniser:
    config = settings()
    whisper = load_model(find_model(_model(backend)), config.captions_device)
    return Recogniser(whisper, _asked(params), config.captions_language)


def _asked(params: SpeechParams) -> Asked:
    language = None if params.language == "auto" else params.language
    return Asked(language, params.task, ", ".join(params.glossary) or None)


def _result(
    job: Job,
    params: SpeechParams,
    backend: Backend,
    heard: _Heard,
    looks: Sequence[Recognised] | None,
) -> Result:
    """``looks``: ``None`` without a model, or where nobody speaks."""
    lacking, asked = _weights(backend), settings().whisper_model
    turns, untold = _turns(job, params, heard, backend.dependencies[VOICES])
    said = None
    if looks is not None:
        said = spoken(heard.voices.samples, heard.voiced, looks, _asked(params))
    language = said.language if said else _named(params.language)
    translated = params.task == "translate"
    unheard = None
    if heard.voiced and not lacking.available:
        # No words would pass for those of a recording in which nobody speaks.
        stretches = many(len(heard.voiced), "stretch", "stretches")
        unheard = f"{stretches} of speech without words: {lacking.error}"
    notices = filter(None, (stood_in(backend, asked), unheard, untold, _unsure(turns)))
    placed = whose(said.words, turns) if said else []
    apart = params.speakers == "by_channel"
    words = AudioWords(
        duration_ms=heard.voices.duration_ms,
        language=ENGLISH if translated else language,
        translated_from=language if translated else None,
        languages=said.languages if said else {},
        words=tuple(placed),
        speech=tuple(_stretch(one, apart=apart) for one in heard.voiced),
        speakers=_speakers(placed, turns),
        turns=tuple(turns),
        suppressed_words=said.suppressed if said else 0,
        transcribed=lacking.available,
        notice="; ".join(notices) or None,
        model_used=model_name(_model(backend)),
    )
    state = StepState.DEGRADED if unheard or untold else StepState.DONE
    return Result([_output(job, words)], state, words.notice)


@dataclass(frozen=True)
class _Heard:
    voices: Voices
    voiced: Sequence[Voiced]


def _hear(job: Job, params: SpeechParams, until: Part | None = None) -> _Heard:
    """The sound and where there is speech in it; ``until``: so far as that part's phrases reach."""
    voiced, until_ms = None, None
    if until is not None:
        voiced = _reached(speech_of(activity_given(job.inputs), _MIN_SILENCE_MS), until)
        until_ms = voiced[-1].end_ms + _BEYOND_MS
    voices = listen_to_voices(
        job,
        by_channel=params.speakers == "by_channel",
        progress=lambda done: job.progress(0.1 * done),
        until_ms=until_ms,
    )
    if voiced is None:
        voiced = _voiced(job, voices)
    job.progress(0.2)
    return _Heard(voices, voiced)


def _reached(voiced: Sequence[Voiced], part: Part) -> Sequence[Voiced]:
    """All phrases to the end of the part, and the next one, whose pause before it they share."""
    inside = sum(one.start_ms < part.end_ms for one in voiced)
    return voiced[: inside + 1]


def _turns(
    job: Job, params: SpeechParams, heard: _Heard, weights: Dependency
) -> tuple[list[SpeakerTurn], str | None]:
    """Who speaks when, where that is asked for; or why it cannot be told.

    Of one voice, the mix: channels that are told apart are speakers already.
    """
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


def _unsure(turns: Sequence[SpeakerTurn]) -> str | None:
    """What people are told where so many speak at once that who says what is often wrong.

    By the overlaps that the turns themselves have; ``None`` below ``_AT_ONCE`` of the speech.
    """
    share = share_at_once((turn.start_ms, turn.end_ms) for turn in turns)
    if share < _AT_ONCE:
        return None
    told = f"several speak at once for {share:.0%} of the speech"
    return f"{told}: who says what, and how many they are, is unsure"


def whose(words: Sequence[SpokenWord], turns: Sequence[SpeakerTurn]) -> list[SpokenWord]:
    """The words, each with the speaker in whose turn it lies most, or whose is nearest.

    Both by their starts, in ms. Of turns at once the one that the word lies in more has it. Costs words times
    ``_MOST_NEAR`` at most.
    """
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
    """Where somebody speaks, with a little around it: as activity heard it in the mix.

    Of channels apart, and where activity could not tell, by voice activity here.
    """
    activity = activity_given(job.inputs)
    if activity.voice is None or len(voices.samples) > 1:
        return find_voiced(voices.samples, voices.duration_ms, _MIN_SILENCE_MS, lambda _: None)
    return speech_of(activity, _MIN_SILENCE_MS)


def nobody_listened(job: Job, params: SpeechParams) -> AudioWords:
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
    """Each speaker once, by who speaks first; none where they are not told apart."""
    told = [word.speaker_id for word in words if word.speaker_id is not None]
    return tuple(dict.fromkeys([turn.speaker_id for turn in turns] or told))


def _output(job: Job, words: AudioWords) -> Output:
    meta = {
        "model_used": words.model_used,
        "language": words.language,
        **words.translation,
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


PARTS = Parts(split, recognise_part, join_parts)
ENGINE = Engine(params=SpeechParams, backend=backend, run=run, parts=PARTS)
