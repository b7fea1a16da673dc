"""Speech, and a word of it, as lists of words, transcripts and semantic timelines hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from shared.contracts.result_document import Part

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
"""Signs of scripts that part words by no space: Thai, Lao, Burmese, Khmer, Chinese, Japanese."""


class SpokenWord(Part):
    """One word, ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int
    text: str
    probability: float
    """The recogniser's, 0 to 1; 1 where a person wrote it."""
    timing: Literal["aligned", "interpolated"]
    """``interpolated``: it shares the time between its neighbours."""
    joined: bool = False
    """No space stands before it (Chinese, Japanese, ...)."""
    speaker_id: str | None = None
    """``speaker_1``, ... or ``channel_1``, ... where speakers are told apart."""


class VoicedStretch(Part):
    """Where somebody is heard, transcribed or not."""

    start_ms: int
    end_ms: int
    confidence: float
    """Voice activity's, 0 to 1."""
    speaker_id: str | None = None
    """``channel_1``, ... where speakers are told apart."""


def text_of(words: Sequence[SpokenWord]) -> str:
    """The words as a sentence."""
    return "".join(f"{'' if word.joined else ' '}{word.text}" for word in words).strip()
