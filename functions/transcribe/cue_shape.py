"""A transcript's cues parted and joined by a person: the next version, with the same words and times.

Cues hold no words but a stretch of the transcript's list (``first_word``, ``word_count``), so both only move
borders in it. Times are ms of the recording, half open. A profile's shortest and longest times are not asked:
who parts a cue by hand knows why. Its lines and columns are.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.transcribe.transcript import lines_of
from shared.captions.profiles import profile_named
from shared.contracts.asr_transcript import CueChange, Transcript, TranscriptCue
from shared.errors import NotFound, ValidationError


def split_cue(
    transcript: Transcript, index: int, words_before: int, frame_rate: float | None = None
) -> Transcript:
    """The cue ``index`` (from 1) ends after ``words_before`` of its words; a new cue says the others.

    The first goes the profile's frames before the second comes, frames of the picture's ``frame_rate``
    (``None``: there is no picture; 30 a second), or a little after its own last word where there is a pause.
    Raises ``NotFound`` for a cue that is not there, ``ValidationError`` where one of the two would have
    no words or no time.
    """
    cue = _cue(transcript, index)
    if not 0 < words_before < cue.word_count:
        raise ValidationError(
            "split_after", f"must leave words on either side, of {cue.word_count}"
        )
    profile = profile_named(transcript.profile)
    at = cue.first_word + words_before
    words = transcript.words
    start_ms = min(max(words[at].start_ms, cue.start_ms), cue.end_ms)
    end_ms = min(start_ms - profile.gap_ms(frame_rate), words[at - 1].end_ms + profile.linger_ms)
    if end_ms <= cue.start_ms or start_ms >= cue.end_ms:
        raise ValidationError("split_after", "leaves no time for one of the two cues")
    first = cue.model_copy(update={"end_ms": end_ms, "word_count": words_before})
    second = cue.model_copy(
        update={
            "start_ms": start_ms,
            "first_word": at,
            "word_count": cue.word_count - words_before,
        }
    )
    parts = [_written(transcript, one) for one in (first, second)]
    return _next(transcript, index, 1, parts)


def join_cues(transcript: Transcript, index: int) -> Transcript:
    """The cue ``index`` (from 1) and the one behind it are shown as one, from the first's start on.

    Raises ``NotFound`` where there are not two, ``ValidationError`` where they are of two speakers or do
    not fit the profile's lines.
    """
    first, second = _cue(transcript, index), _cue(transcript, index + 1)
    if first.speaker_id != second.speaker_id:
        raise ValidationError("join", f"cue {index + 1} is somebody else's")
    if first.first_word + first.word_count != second.first_word:
        raise ValidationError("join", f"other words stand between cues {index} and {index + 1}")
    count = first.word_count + second.word_count
    whole = first.model_copy(update={"end_ms": second.end_ms, "word_count": count})
    return _next(transcript, index, 2, [_written(transcript, whole)])


def _cue(transcript: Transcript, index: int) -> TranscriptCue:
    if not 1 <= index <= len(transcript.cues):
        raise NotFound("cue", str(index))
    return transcript.cues[index - 1]


def _written(transcript: Transcript, cue: TranscriptCue) -> TranscriptCue:
    """The cue with its words' text, broken anew; raises ``ValidationError`` where it does not fit."""
    own = transcript.words[cue.first_word : cue.first_word + cue.word_count]
    return cue.model_copy(update={"text": "\n".join(lines_of(transcript, own))})


def _next(
    transcript: Transcript, index: int, replaced: int, by: Sequence[TranscriptCue]
) -> Transcript:
    """The next version: ``by`` stands in place of ``replaced`` cues from ``index`` on."""
    old, at = transcript.cues, index - 1
    cues = (*old[:at], *by, *old[at + replaced :])
    changes = [
        CueChange(cue=index + number, was=cue.text)
        for number, cue in enumerate(old[at : at + replaced])
    ]
    return transcript.model_copy(
        update={
            "version": transcript.version + 1,
            "cues": tuple(cue.model_copy(update={"index": n}) for n, cue in enumerate(cues, 1)),
            "edits": (*transcript.edits, *changes),
        }
    )
