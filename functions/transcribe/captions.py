"""``transcribe.captions``: words with times, cues that can be read, SRT and WebVTT.

Asked for a transcript (``artifact_id``) with ``edits``, it makes that transcript's next version
instead, without listening again.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.transcribe.backends import (
    model_used,
    stood_in,
    stub_backend,
    weights_name,
    whisper_backend,
)
from functions.transcribe.listening import listen_to_voices
from functions.transcribe.recognise import Recogniser
from functions.transcribe.transcript import edit_cue, make_transcript
from functions.transcribe.whisper import find_model, load_model, model_name
from shared.contracts.asr_transcript import Transcript
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.editing.subtitles import FORMATS
from shared.errors import ValidationError
from shared.settings import settings
from shared.sound.speech import find_voiced

BACKEND_VERSION = "captions_whisper_v3"
STUB_VERSION = "captions_stub_v1"
_MIN_SILENCE_MS = 300


class CueEdit(BaseModel):
    """One cue's new text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cue: int = Field(ge=1)
    """Its index, from 1."""
    text: str


class CaptionsParams(SoundParams):
    """What the speech is, and how speakers are told apart."""

    language: str = Field(
        default_factory=lambda: settings().captions_language, pattern=r"^(auto|[a-z]{2,3})$"
    )
    """``en``, ``de``, ...; ``auto`` detects it. By default ``VIDEO_CAPTIONS_LANGUAGE``."""
    speakers: Literal["mixed", "by_channel"] = "mixed"
    """``by_channel``: each channel is a speaker of its own, told by ``speaker_id``."""
    edits: tuple[CueEdit, ...] = ()
    """For a request on a transcript: new texts of its cues, in this order."""


def backend() -> Backend:
    """As ``VIDEO_CAPTIONS_BACKEND`` says; the stub where the package is missing."""
    config = settings()
    if config.captions_backend == "stub":
        return stub_backend(STUB_VERSION)
    return whisper_backend(
        "whisper",
        BACKEND_VERSION,
        ("faster-whisper",),
        config.captions_model,
        STUB_VERSION,
        config.captions_device,
    )


def run(job: Job, params: CaptionsParams, backend: Backend) -> Result:
    """Transcribe, or edit. Raises as ``listen_to_voices`` and ``edit_cue`` do, and ``BackendFailed``."""
    if job.source.suffix == ".json":
        return _edit(job, params)
    if params.edits:
        raise ValidationError("edits", "are of a transcript, so artifact_id must name one")
    if backend.stub:
        return Result(_outputs(job, _stub_transcript(job, params)))
    model = model_used(backend, settings().captions_model)
    lacking = backend.dependencies[weights_name(model)]
    transcript = transcribe(job, params, model, weights=lacking.available)
    made = _outputs(job, transcript)
    if lacking.available or not transcript.speech:
        return Result(made, reason=stood_in(backend, settings().captions_model))
    # Subtitles without a word would pass for those of a recording in which nobody speaks.
    reason = f"speech is found but not transcribed: {lacking.error}"
    return Result(made[:1], StepState.DEGRADED, reason)


def transcribe(job: Job, params: CaptionsParams, model: str, *, weights: bool) -> Transcript:
    """The recording's transcript, heard with ``model``; without its ``weights`` one without words."""
    by_channel = params.speakers == "by_channel"
    voices = listen_to_voices(
        job, by_channel=by_channel, progress=lambda done: job.progress(0.1 * done)
    )
    voiced = find_voiced(
        voices.samples,
        voices.duration_ms,
        _MIN_SILENCE_MS,
        lambda done: job.progress(0.1 + 0.1 * done),
    )
    spoken = None
    if weights:
        whisper = load_model(find_model(model), settings().captions_device)
        recogniser = Recogniser(whisper, params.language)
        spoken = recogniser.recognise(
            voices.samples, voiced, lambda done: job.progress(0.2 + 0.75 * done)
        )
    return make_transcript(spoken, voiced, params.language, voices.duration_ms, model_name(model))


def _edit(job: Job, params: CaptionsParams) -> Result:
    transcript = Transcript.read(job.source)
    if not params.edits:
        raise ValidationError("edits", "are missing: a transcript is only edited, not transcribed")
    for edit in params.edits:
        transcript = edit_cue(transcript, edit.cue, edit.text)
    return Result(_outputs(job, transcript))


def _stub_transcript(job: Job, params: CaptionsParams) -> Transcript:
    """Nobody listened: no words."""
    language = params.language if params.language != "auto" else "und"
    return make_transcript(None, [], language, job.media.duration_ms or 0, "stub")


def _outputs(job: Job, transcript: Transcript) -> list[Output]:
    meta = {
        "model_used": transcript.model_used,
        "duration_ms": transcript.duration_ms,
        "language": transcript.language,
        "version": transcript.version,
        "word_count": len(transcript.words),
        "cue_count": len(transcript.cues),
        "interpolated_words": sum(word.timing == "interpolated" for word in transcript.words),
        "suppressed_words": transcript.suppressed_words,
    }
    path = job.workdir / "transcript.json"
    transcript.write(path)
    made = [Output(Transcript.kind, "transcript", path, "application/json", meta)]
    for name, written in FORMATS.items():
        file = job.workdir / f"captions.{written.extension}"
        file.write_text(written.write(transcript.cues), "utf-8")
        about = {"language": transcript.language, "format": name, "transcript": "transcript"}
        made.append(Output("captions", name, file, written.content_type, about, ("transcript",)))
    job.progress(1.0)
    return made


ENGINE = Engine(params=CaptionsParams, backend=backend, run=run)
