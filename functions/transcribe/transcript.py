"""A transcript's first version, and its next one after an edit."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from functions.transcribe.cues import LINE_CHARS, LINES, break_lines, make_cues
from functions.transcribe.word_times import Raw, marked, with_times
from shared.contracts.asr_transcript import CueChange, Transcript, TranscriptCue
from shared.contracts.audio_words import AudioWords
from shared.contracts.spoken_word import SpokenWord
from shared.errors import NotFound, ValidationError


def make_transcript(words: AudioWords) -> Transcript:
    """The first version."""
    cues = make_cues(words.words, words.duration_ms)
    return Transcript(
        version=1,
        duration_ms=words.duration_ms,
        language=words.language,
        languages=words.languages,
        words=words.words,
        cues=tuple(cue.written(index) for index, cue in enumerate(cues, 1)),
        speech=words.speech,
        suppressed_words=words.suppressed_words,
        edits=(),
        model_used=words.model_used,
    )


def edit_cue(transcript: Transcript, index: int, text: str) -> Transcript:
    """The next version: the cue ``index`` (from 1) says ``text``; times and all else stay.

    Words that stay keep their times, new ones share the time between them (``timing``:
    ``interpolated``, ``probability`` 1). Raises ``NotFound`` for a cue that is not there and
    ``ValidationError`` for text that is empty or does not fit two lines of 42 characters.
    """
    cues = transcript.cues
    if not 1 <= index <= len(cues):
        raise NotFound("cue", str(index))
    cue = cues[index - 1]
    first, count = cue.first_word, cue.word_count
    words = transcript.words
    edited = _edited_words(words[first : first + count], _said(text), cue)
    lines = break_lines(edited)
    if len(lines) > LINES:
        raise ValidationError("text", f"does not fit {LINES} lines of {LINE_CHARS} characters")
    grown = len(edited) - count
    changed = {"text": "\n".join(lines), "word_count": len(edited)}
    moved = [
        one.model_copy(update={"first_word": one.first_word + grown}) if one.index > index else one
        for one in cues
    ]
    moved[index - 1] = cue.model_copy(update=changed)
    return transcript.model_copy(
        update={
            "version": transcript.version + 1,
            "words": (*words[:first], *edited, *words[first + count :]),
            "cues": tuple(moved),
            "edits": (*transcript.edits, CueChange(cue=index, was=cue.text)),
        }
    )


def _said(text: str) -> list[str]:
    said = text.split()
    if not said:
        raise ValidationError("text", "is empty")
    if any(not word.isprintable() for word in said):
        raise ValidationError("text", "has control characters")
    return said


def _edited_words(
    words: Sequence[SpokenWord], said: Sequence[str], cue: TranscriptCue
) -> list[SpokenWord]:
    matcher = SequenceMatcher(a=[word.text for word in words], b=said, autojunk=False)
    kept = {
        b + at: words[a + at] for a, b, size in matcher.get_matching_blocks() for at in range(size)
    }
    raw = [
        Raw(word, 1.0, kept[at].start_ms / 1000, kept[at].end_ms / 1000)
        if at in kept
        else Raw(word, 1.0)
        for at, word in enumerate(said)
    ]
    timed = with_times(raw, cue.start_ms / 1000, cue.end_ms / 1000)
    made = []
    for at, word in enumerate(timed):
        assert word.start_s is not None and word.end_s is not None
        times = {"start_ms": round(1000 * word.start_s), "end_ms": round(1000 * word.end_s)}
        if at in kept:
            made.append(kept[at].model_copy(update=times))
            continue
        new = SpokenWord(**times, text=word.text, probability=1.0, timing="interpolated")
        made.append(marked(new, speaker_id=cue.speaker_id))
    return made
