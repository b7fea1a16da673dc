"""What ``edit.cut`` can be asked for: one param or a few for each rule, and none does anything unasked."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.contracts.edit_list import FASTEST
from shared.contracts.step_engine import check_range
from shared.errors import ValidationError
from shared.sound.speech_params import SpeechParams

Stretch = tuple[float, float]
"""Start and end in ms of the recording's own time."""


class CutParams(SpeechParams):
    """Which rules hold. Words and phrases are told by their letters: case and punctuation don't count."""

    silence_ms: float | None = None
    """Silences at least this long are edited, 50 to 60,000; ``null``: none."""
    silence_action: Literal["cut", "shorten", "speed_up", "mute"] = "cut"
    silence_pad_ms: float = 100.0
    """So much of a silence stays beside what is heard, 0 to 5,000; not where it is shortened."""
    silence_to_ms: float = 300.0
    """What a silence is shortened to, 0 to 10,000; one that is no longer stays."""
    silence_speed: float = Field(default=4.0, gt=1, le=FASTEST)
    """How much faster a silence is played."""
    silence_below_lufs: float | None = None
    """What is softer over 10 ms is silence, -100 to -10; ``null``: by the recording's own loudness and
    noise."""

    fillers: bool = False
    """Take out "um", "uh" and what stands for them in the language, and voice without a word that sounds
    like one."""
    filler_words: tuple[str, ...] = ()
    """More of them: words or phrases, ``you know``; taken out whether ``fillers`` is set or not."""
    repeats: bool = False
    """Take out what is said twice in a row, and beginnings that are begun anew: the first time goes."""
    breaths: bool = False
    """Take out breaths between words."""

    drop_words: tuple[str, ...] = ()
    """Words or phrases that go, wherever they are said."""
    drop_word_indexes: tuple[int, ...] = ()
    """Places in the list of words, from 0, of words that go."""
    drop_ranges: tuple[Stretch, ...] = ()
    """Stretches that go: ``[[1200, 4250.5]]``, in ms."""
    keep_speakers: tuple[str, ...] = ()
    """Only what these say stays: ``speaker_1``."""
    keep_phrases: tuple[str, ...] = ()
    """Only phrases (as ``detect.phrases`` parts them, otherwise between pauses) in which one of these is
    said stay."""
    keep_ranges: tuple[Stretch, ...] = ()
    """Only these stretches stay: chapters, or what else somebody chose."""

    privacy_words: tuple[str, ...] = ()
    """Names, words or phrases that nobody is to hear; ``Anna`` also stands for ``Anna's``."""
    privacy_numbers: bool = False
    """Nor any word with a digit in it."""
    privacy_action: Literal["bleep", "mute", "cut"] = "bleep"

    least_confidence: float = 0.5
    """Edits less sure than this, 0 to 1, stand in the list as taken back: proposals."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if self.silence_ms is not None:
            check_range("silence_ms", self.silence_ms, 50, 60_000)
        check_range("silence_pad_ms", self.silence_pad_ms, 0, 5_000)
        check_range("silence_to_ms", self.silence_to_ms, 0, 10_000)
        if self.silence_below_lufs is not None:
            check_range("silence_below_lufs", self.silence_below_lufs, -100, -10)
        check_range("least_confidence", self.least_confidence, 0, 1)
        for name in ("drop_ranges", "keep_ranges"):
            for start_ms, end_ms in getattr(self, name):
                if not 0 <= start_ms < end_ms:
                    raise ValidationError(
                        name, "must each begin at 0 or later, and before they end"
                    )
        for name in ("filler_words", "drop_words", "keep_phrases", "privacy_words"):
            for text in getattr(self, name):
                if not any(
                    map(str.isalnum, text)
                ):  # it would be found nowhere, and be taken for done
                    raise ValidationError(name, f"must be texts with letters or digits: {text!r}")
        if self.keep_speakers and self.speakers == "mixed":
            raise ValidationError("keep_speakers", "needs speakers=auto or speakers=by_channel")
        return self

    @property
    def by_words(self) -> bool:
        """Does a rule hold that needs to know what is said?"""
        texts = (self.filler_words, self.drop_words, self.drop_word_indexes, self.keep_phrases)
        named = (self.keep_speakers, self.privacy_words)
        return self.fillers or self.repeats or self.privacy_numbers or any((*texts, *named))
