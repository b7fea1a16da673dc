"""What a transcript's cues are laid out for, and the files that they are written to.

    transcript -> ``asr_transcript`` (JSON) and, for each format that is asked for, ``captions``, its child

Formats and what they can hold are ``shared.captions.subtitles``' (SubRip; WebVTT, W3C; TTML as IMSC 1.1; EBU
Tech 3264; CEA-608 ...), a profile's numbers ``shared.captions.profiles``'. Nothing here breaks a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.captions.cues import Layout
from shared.captions.profiles import profile_named
from shared.captions.subtitles import FORMATS, FormatName, shown
from shared.contracts.asr_transcript import Transcript
from shared.contracts.step import StepState
from shared.contracts.step_engine import Job, Output, Result, StepParams
from shared.contracts.visual import VisualMeta
from shared.errors import ValidationError

SpeakerId = Annotated[str, StringConstraints(pattern=r"^(speaker|channel)_[0-9]{1,3}$")]
SpeakerName = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f<>:]+$")
]
"""One line, without what would end a voice tag or the name itself."""


class ShownParams(StepParams):
    """How captions look, and what they are written as."""

    profile: Literal["default", "netflix", "bbc", "ebu"] = "default"
    """Whose wishes the cues follow; an edited transcript keeps its own."""
    formats: tuple[FormatName, ...] | None = None
    """What the captions are written as; ``None``: as before, and at first SRT and WebVTT."""
    names: bool | None = None
    """Each speaker's name before what they say; ``None``: as before, and at first not."""
    speaker_names: Mapping[SpeakerId, SpeakerName] = Field(default_factory=dict, max_length=64)
    """``{"speaker_1": "Ann"}``: what speakers are called in this recording; others are as before."""

    def written_as(self, transcript: Transcript) -> Transcript:
        """The transcript, to be written as these params name."""
        named = {"formats": self.formats, "names": self.names}
        told: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if self.speaker_names:
            told["speaker_names"] = {**transcript.speaker_names, **self.speaker_names}
        return transcript.model_copy(update=told)


def layout_for(job: Job, params: ShownParams, language: str) -> Layout:
    """The profile, and the picture's rate and shots where they are known.

    ``language``: ``en``, ``ja``, ... or ``und``, by which the profile's widths and the grammar of breaks are
    chosen. The rate is the first picture stream's, shots those of ``detect.visual_meta`` in the same run.
    """
    picture = job.media.video[0] if job.media.video else None
    seen = job.inputs.get("detect.visual_meta", ())
    cuts_ms = VisualMeta.read(seen[-1].path).cuts_ms if seen else []
    return Layout(
        profile_named(params.profile).to_read(language),
        language,
        picture.frame_rate if picture else None,
        cuts_ms,
        bool(params.names),
        params.speaker_names,
    )


def document(job: Job, transcript: Transcript) -> Output:
    """The transcript itself, ``transcript.json``, with counts for its meta; no word of it stands there."""
    meta = {
        "model_used": transcript.model_used,
        "duration_ms": transcript.duration_ms,
        "language": transcript.language,
        **transcript.translation,
        "version": transcript.version,
        "profile": transcript.profile,
        "word_count": len(transcript.words),
        "cue_count": len(transcript.cues),
        "interpolated_words": sum(word.timing == "interpolated" for word in transcript.words),
        "suppressed_words": transcript.suppressed_words,
    }
    path = job.workdir / "transcript.json"
    transcript.write(path)
    return Output(Transcript.kind, "transcript", path, "application/json", meta)


def with_files(job: Job, transcript: Transcript, reason: str | None = None) -> Result:
    """The transcript and its files; a format that cannot hold these captions is told, not left out.

    Then the step is ``degraded``, its reason says what such a format cannot hold, and the other files are
    there. Cues are written in the transcript's order, in bytes that are the same each time.
    """
    made = [document(job, transcript)]
    cues = shown(transcript.cues, names=transcript.names, speaker_names=transcript.speaker_names)
    refused = []
    for name in dict.fromkeys(transcript.formats):
        try:
            body = FORMATS[name].write(cues, transcript.language)
        except ValidationError as error:
            refused.append(str(error))
            continue
        file = job.workdir / f"captions.{name}"
        file.write_bytes(body)
        about = {
            "language": transcript.language,
            **transcript.translation,
            "format": name,
            "transcript": "transcript",
        }
        kind = FORMATS[name].content_type
        made.append(Output("captions", name, file, kind, about, ("transcript",)))
    job.progress(1.0)
    if not refused:
        return Result(made, reason=reason)
    return Result(made, StepState.DEGRADED, "; ".join([*([reason] if reason else []), *refused]))
