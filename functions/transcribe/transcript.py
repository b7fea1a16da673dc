"""A transcript's first version, and its next one after an edit.

    an edited text -> its words -> matched with those that were there (``difflib``, after J. W. Ratcliff and
    D. Metzener, "Pattern Matching: The Gestalt Approach", Dr. Dobb's Journal, July 1988) -> matched ones
    keep time and probability, others share what lies between them -> lines

Words are the truth, cues a way to show them: an edit changes both, and the version before is left as it was.
Where a script has no spaces, what counts as a word is told by the words that were recognised there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from wcwidth import iter_graphemes

from functions.transcribe.word_times import Raw, marked, with_times
from shared.captions.break_costs import grammar_of
from shared.captions.cues import Layout, make_cues
from shared.captions.lines import break_lines
from shared.captions.profiles import profile_named
from shared.captions.text_width import columns, is_control, one_line
from shared.contracts.asr_transcript import CueChange, Transcript, TranscriptCue
from shared.contracts.audio_words import AudioWords
from shared.contracts.spoken_word import UNSPACED, SpokenWord
from shared.errors import NotFound, ValidationError


def make_transcript(words: AudioWords, layout: Layout) -> Transcript:
    """The first version; ``layout`` is of the words' language. Every word is in one cue, in order."""
    cues = make_cues(words.words, words.duration_ms, layout)
    return Transcript(
        version=1,
        duration_ms=words.duration_ms,
        language=words.language,
        translated_from=words.translated_from,
        languages=words.languages,
        words=words.words,
        cues=tuple(cue.written(index) for index, cue in enumerate(cues, 1)),
        speech=words.speech,
        suppressed_words=words.suppressed_words,
        edits=(),
        profile=layout.profile.name,
        model_used=words.model_used,
    )


def edit_cue(transcript: Transcript, index: int, text: str) -> Transcript:
    """The next version: the cue ``index`` (from 1) says ``text``; times, speaker, profile and all else stay.

    Words that stay keep their times, new ones share the time between them (``timing``:
    ``interpolated``, ``probability`` 1). Line breaks in ``text`` stay where they fit. Raises
    ``NotFound`` for a cue that is not there and ``ValidationError`` for text that is empty, has
    control characters or does not fit the profile's lines.
    """
    cues = transcript.cues
    if not 1 <= index <= len(cues):
        raise NotFound("cue", str(index))
    cue = cues[index - 1]
    first, count = cue.first_word, cue.word_count
    words = transcript.words
    edited = _edited_words(words[first : first + count], text, cue)
    lines = _lines(transcript, edited, text)
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


def _lines(transcript: Transcript, words: Sequence[SpokenWord], text: str) -> Sequence[str]:
    """The writer's own lines where they fit the profile, otherwise broken anew.

    A text of one line says nothing of where it should break, and is broken as any is.
    """
    profile = profile_named(transcript.profile).to_read(transcript.language)
    most = profile.reading.line_columns
    own = [line for line in (_trimmed(line) for line in text.split("\n")) if line]
    if 1 < len(own) <= profile.lines and all(columns(line) <= most for line in own):
        return own
    return lines_of(transcript, words)


def lines_of(transcript: Transcript, words: Sequence[SpokenWord]) -> Sequence[str]:
    """Words as a cue's lines; raises ``ValidationError`` where they do not fit the profile's."""
    profile = profile_named(transcript.profile).to_read(transcript.language)
    most = profile.reading.line_columns
    lines = break_lines(words, most, profile.lines, grammar_of(transcript.language))
    if len(lines) > profile.lines:
        raise ValidationError("text", f"does not fit {profile.lines} lines of {most} columns")
    return lines


def _trimmed(text: str) -> str:
    """What parts words is one space between them, and none around."""
    return _SPACES.sub(" ", text).strip(" ")


_SPACES = re.compile(r"[ \t\r\n]+")
"""What parts words: no-break and ideographic spaces are characters of a word."""


def _said(text: str, words: Sequence[SpokenWord]) -> Iterator[tuple[str, bool]]:
    """The text's words, and whether each is ``joined``; without spaces by the words that were there.

    Longest first, so that a known word is not parted for a shorter one; what nobody said before is one
    character (grapheme) each, or a run of a script that has spaces. Raises ``ValidationError`` for an empty
    text or control characters.
    """
    if not _trimmed(text):
        raise ValidationError("text", "is empty")
    said = _trimmed(one_line(text))
    if any(is_control(sign) for sign in said):
        raise ValidationError("text", "has control characters")
    known = sorted({word.text for word in words if word.text}, key=len, reverse=True)
    spaced = not any(word.joined for word in words)
    joined, before = bool(words) and words[0].joined, ""
    for chunk in said.split(" "):
        if spaced or not UNSPACED.search(chunk):
            yield chunk, joined and not spaced
            joined, before = False, chunk[-1]
            continue
        joined = joined or columns(before + chunk[0]) == _TWO_WIDE
        rest = chunk
        while rest:
            word = next((one for one in known if rest.startswith(one)), _unit(rest))
            yield word, joined
            rest, joined = rest[len(word) :], True
        joined, before = False, chunk[-1]


def _unit(text: str) -> str:
    """What ``text`` begins with: signs that stand between spaces, or what is read as one character."""
    parted = UNSPACED.search(text)
    return text[: parted.start() if parted else None] or next(iter_graphemes(text))


_TWO_WIDE = 4
"""Columns of two full-width characters: a space between them is of a line break that was taken away."""


def _edited_words(words: Sequence[SpokenWord], text: str, cue: TranscriptCue) -> list[SpokenWord]:
    """The text's words with times in ms, the cue's own at its ends; raises ``ValidationError`` as ``_said``.

    A new word has the probability 1, for a person wrote it, and the cue's speaker.
    """
    said = list(_said(text, words))
    matcher = SequenceMatcher(
        a=[word.text for word in words], b=[word for word, _ in said], autojunk=False
    )
    kept = {
        b + at: words[a + at] for a, b, size in matcher.get_matching_blocks() for at in range(size)
    }
    raw = [
        Raw(word, 1.0, kept[at].start_ms / 1000, kept[at].end_ms / 1000)
        if at in kept
        else Raw(word, 1.0)
        for at, (word, _) in enumerate(said)
    ]
    timed = with_times(raw, cue.start_ms / 1000, cue.end_ms / 1000)
    made = []
    for at, (word, (_, joined)) in enumerate(zip(timed, said, strict=True)):
        assert word.start_s is not None and word.end_s is not None
        times = {"start_ms": round(1000 * word.start_s), "end_ms": round(1000 * word.end_s)}
        if at in kept:
            moved = times if kept[at].joined == joined else {**times, "joined": joined}
            made.append(kept[at].model_copy(update=moved))
            continue
        new = SpokenWord(**times, text=word.text, probability=1.0, timing="interpolated")
        made.append(marked(new, joined=joined, speaker_id=cue.speaker_id))
    return made
