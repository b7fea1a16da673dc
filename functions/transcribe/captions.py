"""``transcribe.captions``: the recording's words as cues that a profile asks for, and files of them.

Asked for a transcript (``artifact_id``) with ``edits``, it makes that transcript's next version
instead, without its recording.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from functions.transcribe.backends import stub_backend, whisper_backend
from functions.transcribe.caption_files import ShownParams, document, layout_for, with_files
from functions.transcribe.transcript import edit_cue, make_transcript
from functions.transcribe.words import WordsParams, nobody_listened, words_given
from shared.contracts.asr_transcript import Transcript
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result
from shared.errors import ValidationError
from shared.settings import settings

BACKEND_VERSION = "captions_whisper_v6"
STUB_VERSION = "captions_stub_v2"


class CueEdit(BaseModel):
    """One cue's new text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cue: int = Field(ge=1)
    """Its index, from 1."""
    text: str


class CaptionsParams(WordsParams, ShownParams):
    """What the speech is, which ``transcribe.words`` is told; how it is shown; and a person's edits."""

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
        config.whisper_model,
        STUB_VERSION,
        config.captions_device,
    )


def run(job: Job, params: CaptionsParams, backend: Backend) -> Result:
    """Lay out, or edit. Raises ``ValidationError``, and ``NotFound`` as ``words_given`` and ``edit_cue``."""
    if job.source.suffix == ".json":
        return _edit(job, params)
    if params.edits:
        raise ValidationError("edits", "are of a transcript, so artifact_id must name one")
    # The stub shows no words, whatever was heard.
    words = nobody_listened(job, params) if backend.stub else words_given(job)
    transcript = make_transcript(words, layout_for(job, params, words.language))
    transcript = params.written_as(transcript)
    if words.transcribed or not words.speech:
        return with_files(job, transcript, words.notice)
    # Subtitles without a word would pass for those of a recording in which nobody speaks.
    return Result([document(job, transcript)], StepState.DEGRADED, words.notice)


def _edit(job: Job, params: CaptionsParams) -> Result:
    transcript = Transcript.read(job.source)
    if not (params.edits or params.speaker_names):
        raise ValidationError("edits", "are missing: a transcript is only edited, not transcribed")
    for edit in params.edits:
        transcript = edit_cue(transcript, edit.cue, edit.text)
    if not params.edits:  # a new name is a new version, too
        transcript = transcript.model_copy(update={"version": transcript.version + 1})
    return with_files(job, params.written_as(transcript))


ENGINE = Engine(params=CaptionsParams, backend=backend, run=run)
