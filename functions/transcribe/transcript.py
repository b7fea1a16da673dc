"""The transcript as JSON, and its next version after an edit.

``{version, duration_ms, language, languages, words[], cues[], speech[], suppressed_words, edits[]}``;
words ``{start_ms, end_ms, text, probability, timing}``, cues ``{index, start_ms, end_ms, text,
first_word, word_count}``, both with ``speaker_id`` where speakers are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from functions.transcribe.cues import LINE_CHARS, LINES, break_lines, make_cues
from functions.transcribe.recognise import Spoken
from functions.transcribe.spans import Voiced
from functions.transcribe.words import Raw, Word, with_times
from shared.errors import NotFound, ValidationError

Transcript = dict[str, Any]


def make_transcript(
    spoken: Spoken | None, voiced: Sequence[Voiced], language: str, duration_ms: int
) -> Transcript:
    """The first version. ``spoken`` is ``None`` where speech was heard but not transcribed."""
    words = spoken.words if spoken else []
    cues = make_cues(words, duration_ms)
    return {
        "version": 1,
        "duration_ms": duration_ms,
        "language": spoken.language if spoken else language,
        "languages": spoken.languages if spoken else {},
        "words": [word.to_json() for word in words],
        "cues": [cue.to_json(index) for index, cue in enumerate(cues, 1)],
        "speech": [
            {"start_ms": one.start_ms, "end_ms": one.end_ms, "confidence": round(one.confidence, 4)}
            for one in voiced
        ],
        "suppressed_words": spoken.suppressed if spoken else 0,
        "edits": [],
    }


def edit_cue(transcript: Mapping[str, Any], index: int, text: str) -> Transcript:
    """The next version: the cue ``index`` (from 1) says ``text``; times and all else stay.

    Words that stay keep their times, new ones share the time between them (``timing``:
    ``interpolated``, ``probability`` 1). Raises ``NotFound`` for a cue that is not there and
    ``ValidationError`` for text that is empty or does not fit two lines of 42 characters.
    """
    cues = transcript["cues"]
    if not 1 <= index <= len(cues):
        raise NotFound("cue", str(index))
    cue = cues[index - 1]
    first, count = cue["first_word"], cue["word_count"]
    words = list(transcript["words"])
    edited = _edited_words(words[first : first + count], _said(text), cue)
    lines = break_lines([_word(row) for row in edited])
    if len(lines) > LINES:
        raise ValidationError("text", f"does not fit {LINES} lines of {LINE_CHARS} characters")
    grown = len(edited) - count
    moved = [
        {**one, "first_word": one["first_word"] + (grown if one["index"] > index else 0)}
        for one in cues
    ]
    moved[index - 1] = {**cue, "text": "\n".join(lines), "word_count": len(edited)}
    return {
        **transcript,
        "version": transcript["version"] + 1,
        "words": [*words[:first], *edited, *words[first + count :]],
        "cues": moved,
        "edits": [*transcript["edits"], {"cue": index, "was": cue["text"]}],
    }


def _said(text: str) -> list[str]:
    said = text.split()
    if not said:
        raise ValidationError("text", "is empty")
    if any(not word.isprintable() for word in said):
        raise ValidationError("text", "has control characters")
    return said


def _edited_words(
    rows: Sequence[Mapping[str, Any]], said: Sequence[str], cue: Mapping[str, Any]
) -> list[dict[str, Any]]:
    matcher = SequenceMatcher(a=[row["text"] for row in rows], b=said, autojunk=False)
    kept = {
        b + at: rows[a + at] for a, b, size in matcher.get_matching_blocks() for at in range(size)
    }
    raw = [
        Raw(word, 1.0, kept[at]["start_ms"] / 1000, kept[at]["end_ms"] / 1000)
        if at in kept
        else Raw(word, 1.0)
        for at, word in enumerate(said)
    ]
    timed = with_times(raw, cue["start_ms"] / 1000, cue["end_ms"] / 1000)
    made = []
    for at, word in enumerate(timed):
        assert word.start_s is not None and word.end_s is not None
        row = Word(
            round(1000 * word.start_s), round(1000 * word.end_s), word.text, 1.0, "interpolated"
        )
        times = {"start_ms": row.start_ms, "end_ms": row.end_ms}
        new = (
            row.to_json()
            if "speaker_id" not in cue
            else {**row.to_json(), "speaker_id": cue["speaker_id"]}
        )
        made.append({**kept[at], **times} if at in kept else new)
    return made


def _word(row: Mapping[str, Any]) -> Word:
    return Word(
        row["start_ms"],
        row["end_ms"],
        row["text"],
        row["probability"],
        row["timing"],
        row.get("joined", False),
        row.get("speaker_id"),
    )
