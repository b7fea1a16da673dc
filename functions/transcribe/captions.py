"""``transcribe.captions``: the recording's words as cues that a profile asks for, and files of them.

Asked for a transcript (``artifact_id``) with ``edits``, it makes that transcript's next version
instead, without its recording.

    words (``transcribe.words``) -> cues, parted and timed (``shared.captions.cues``) -> transcript -> files
    a transcript -> its edits, one after the other -> transcript, a version later            -> files

It recognises nothing: a recording's words are those of one step, whoever shows them.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from functions.transcribe.backends import stub_backend, whisper_backend
from functions.transcribe.caption_files import ShownParams, document, layout_for, with_files
from functions.transcribe.cue_shape import join_cues, split_cue
from functions.transcribe.transcript import edit_cue, make_transcript
from functions.transcribe.words import nobody_listened, words_given
from shared.contracts.asr_transcript import Transcript
from shared.contracts.model import Model
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Result
from shared.errors import ValidationError
from shared.settings import settings
from shared.sound.speech_params import SpeechParams

BACKEND_VERSION = "captions_whisper_v7"
STUB_VERSION = "captions_stub_v2"


class CueEdit(Model):
    """One cue's new text, or its parting, or its joining with the next one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cue: int = Field(ge=1)
    """Its index, from 1, as the edits before this one leave them."""
    text: str | None = Field(None, max_length=1_000)
    split_after: int | None = Field(default=None, ge=1)
    """So many of its words stay; a new cue says the others."""
    join: Literal[True] | None = None
    """The cue and the next one become one."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if [self.text, self.split_after, self.join].count(None) != 2:
            raise ValueError("an edit has one of text, split_after and join")
        return self

    def of(self, transcript: Transcript, frame_rate: float | None = None) -> Transcript:
        """The transcript's next version; ``frame_rate`` is its recording's, where that has a picture."""
        if self.text is not None:
            return edit_cue(transcript, self.cue, self.text)
        if self.split_after is not None:
            return split_cue(transcript, self.cue, self.split_after, frame_rate)
        return join_cues(transcript, self.cue)


class CaptionsParams(SpeechParams, ShownParams):
    """What the speech is, which ``transcribe.words`` is told; how it is shown; and a person's edits."""

    edits: tuple[CueEdit, ...] = ()
    """For a request on a transcript: what changes of its cues, in this order."""


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
    """Lay out, or edit; raises as ``words_given`` and ``CueEdit.of``.

    Where speech was heard and not recognised there is a transcript without words and no file of captions, and
    the step is ``degraded``. A recording in which nobody speaks has empty files.
    """
    if job.source.suffix == ".json":
        return _edit(job, params)
    if params.edits:
        raise ValidationError("edits", "are of a transcript, so artifact_id must name one")
    # The stub shows no words, whatever was heard.
    words = nobody_listened(job, params) if backend.stub else words_given(job)
    transcript = make_transcript(words, layout_for(job, params, words.language))
    transcript = params.written_as(transcript)
    if words.transcribed or not words.speech:
        empty = None if transcript.words or backend.stub else "no words: its captions are empty"
        return with_files(job, transcript, "; ".join(filter(None, (empty, words.notice))) or None)
    # Subtitles without a word would pass for those of a recording in which nobody speaks.
    return Result([document(job, transcript)], StepState.DEGRADED, words.notice)


def _edit(job: Job, params: CaptionsParams) -> Result:
    """The next version, by edits or by names alone; of several edits each counts as a version.

    Raises ``ValidationError`` where there is neither, and what an edit raises; none is then kept.
    """
    transcript = Transcript.read(job.source)
    if not (params.edits or params.speaker_names):
        raise ValidationError("edits", "are missing: a transcript is only edited, not transcribed")
    frame_rate = job.media.video[0].frame_rate if job.media.video else None
    for edit in params.edits:
        transcript = edit.of(transcript, frame_rate)
    if not params.edits:  # a new name is a new version, too
        transcript = transcript.model_copy(update={"version": transcript.version + 1})
    return with_files(job, params.written_as(transcript))


ENGINE = Engine(params=CaptionsParams, backend=backend, run=run)
