"""``transcribe.captions``: the recording's words as cues that can be read, SRT and WebVTT.

Asked for a transcript (``artifact_id``) with ``edits``, it makes that transcript's next version
instead, without its recording.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from functions.transcribe.backends import stub_backend, whisper_backend
from functions.transcribe.transcript import edit_cue, make_transcript
from functions.transcribe.words import WordsParams, nobody_listened, words_given
from shared.contracts.asr_transcript import Transcript
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result
from shared.editing.subtitles import FORMATS
from shared.errors import ValidationError
from shared.settings import settings

BACKEND_VERSION = "captions_whisper_v4"
STUB_VERSION = "captions_stub_v1"


class CueEdit(BaseModel):
    """One cue's new text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cue: int = Field(ge=1)
    """Its index, from 1."""
    text: str


class CaptionsParams(WordsParams):
    """What the speech is, which ``transcribe.words`` is told; and what a person makes of a transcript."""

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
    made = _outputs(job, make_transcript(words))
    if words.transcribed or not words.speech:
        return Result(made, reason=words.notice)
    # Subtitles without a word would pass for those of a recording in which nobody speaks.
    return Result(made[:1], StepState.DEGRADED, words.notice)


def _edit(job: Job, params: CaptionsParams) -> Result:
    transcript = Transcript.read(job.source)
    if not params.edits:
        raise ValidationError("edits", "are missing: a transcript is only edited, not transcribed")
    for edit in params.edits:
        transcript = edit_cue(transcript, edit.cue, edit.text)
    return Result(_outputs(job, transcript))


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
