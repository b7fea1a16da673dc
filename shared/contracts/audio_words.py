"""The words: what ``transcribe.words`` recognises, once for all; captions and semantics read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from shared.contracts.result_document import Part, ResultDocument
from shared.contracts.spoken_word import SpokenWord, VoicedStretch


class SpeakerTurn(Part):
    """Where one speaker is heard. Turns of two who speak at once overlap."""

    speaker_id: str
    start_ms: int
    end_ms: int


class AudioWords(ResultDocument):
    """All that is said in a recording, word by word."""

    kind: ClassVar[str] = "audio_words"
    title: ClassVar[str] = "list of words"

    duration_ms: int
    language: str
    """Of most of the words; ``und`` where none is known."""
    translated_from: str | None = None
    """What is spoken, where the words are Whisper's translation of it."""
    languages: Mapping[str, int] = Field(default_factory=dict)
    """Spoken language -> how many words, where it was detected."""
    words: tuple[SpokenWord, ...]
    """In order."""
    speech: tuple[VoicedStretch, ...]
    """Where somebody is heard, transcribed or not; in order."""
    speakers: tuple[str, ...] = ()
    """Their ids (``speaker_1``, ``channel_1``, ...), by who first speaks; none if not told apart."""
    turns: tuple[SpeakerTurn, ...] = ()
    """Who speaks when, by their starts; where speakers were told apart by their voices."""
    suppressed_words: int = 0
    """Words dropped because nobody spoke there, or because they repeated without end."""
    transcribed: bool
    """Was speech recognised? Then where there are no words, nothing was said."""
    notice: str | None = None
    """What people should know: that another model stood in, or why nothing was transcribed."""
    model_used: str
    """Whisper's size, or ``stub``."""

    @property
    def translation(self) -> dict[str, str]:
        """What an artifact's meta says of it; nothing where the words are what was said."""
        return {"translated_from": self.translated_from} if self.translated_from else {}
