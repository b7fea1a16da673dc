"""The transcript: what ``transcribe.captions`` writes, edits and renders to subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from shared.contracts.result_document import Part, ResultDocument
from shared.contracts.spoken_word import SpokenWord, VoicedStretch


class TranscriptCue(Part):
    """What is shown together."""

    index: int
    """From 1."""
    start_ms: int
    end_ms: int
    text: str
    """Lines as the transcript's ``profile`` has them: by default one or two of at most 42 columns."""
    first_word: int
    """Index of its first word in ``words``, from 0."""
    word_count: int
    speaker_id: str | None = None
    """``channel_1``, ... where speakers are told apart."""


class ShownCue(Part):
    """A text on the screen, of a transcript or moved with a cut of it."""

    start_ms: int
    end_ms: int
    text: str
    speaker_id: str | None = None
    speaker: str | None = None
    """What that speaker is called, where somebody said so."""


class CueChange(Part):
    """One edit of a person's."""

    cue: int
    """The cue's index, from 1."""
    was: str
    """Its text before."""


class Transcript(ResultDocument):
    """What is said in a recording, for people to read."""

    kind: ClassVar[str] = "asr_transcript"
    title: ClassVar[str] = "transcript"

    version: int = 1
    """Grows with each edit, from 1."""
    duration_ms: int
    language: str
    """Of most of the words; ``und`` where none is known."""
    translated_from: str | None = None
    """What is spoken, where the words are Whisper's translation of it."""
    languages: Mapping[str, int] = Field(default_factory=dict)
    """Spoken language -> how many words, where it was detected."""
    words: tuple[SpokenWord, ...]
    """In order."""
    cues: tuple[TranscriptCue, ...]
    """In order; none overlaps the next of its speaker."""
    speech: tuple[VoicedStretch, ...] = ()
    """In order."""
    suppressed_words: int = 0
    """Words dropped because nobody spoke there, or because they repeated without end."""
    edits: tuple[CueChange, ...] = ()
    """In the order in which they were made."""
    profile: str = "default"
    """Whose wishes the cues follow: ``default``, ``netflix``, ``bbc`` or ``ebu``."""
    formats: tuple[str, ...] = ("srt", "vtt")
    """What the captions are written as; the next version is, too, unless it is asked for otherwise."""
    names: bool = False
    """Do the files say speakers' names?"""
    speaker_names: Mapping[str, str] = Field(default_factory=dict)
    """``speaker_1`` -> what that speaker is called; the next version keeps them."""
    model_used: str
    """Whisper's size, or ``stub``."""

    @property
    def translation(self) -> dict[str, str]:
        """What an artifact's meta says of it; nothing where the words are what was said."""
        return {"translated_from": self.translated_from} if self.translated_from else {}
