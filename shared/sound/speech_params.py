"""What ``transcribe.words`` is told of the speech: those who read its words have these params, too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.step_engine import SoundParams
from shared.settings import settings

Term = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class SpeechParams(SoundParams):
    """What the speech is, and how speakers are told apart."""

    language: str = Field(
        default_factory=lambda: settings().spoken_language, pattern=r"^(auto|[a-z]{2,3})$"
    )
    """``en``, ``de``, ...; ``auto`` detects it, anew in each half minute of speech. By default
    ``VIDEO_CAPTIONS_LANGUAGE`` where that is set, otherwise ``auto``."""
    speakers: Literal["mixed", "auto", "by_channel"] = "mixed"
    """``auto``: told apart by their voices, ``speaker_1``, ...; ``by_channel``: each channel is a speaker
    of its own, ``channel_1``, ..."""
    glossary: tuple[Term, ...] = Field((), max_length=50)
    """Names and words that are likely to be said, as they are spelt."""
    task: Literal["transcribe", "translate"] = "transcribe"
    """``translate``: in English, whatever is spoken."""
