"""What ``detect.hits``, ``detect.loops`` and ``detect.phrases`` find; ``sample.pack`` reads it.

A segment's row stands in the summary and, the same, in the meta of the artifact that holds its sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import ValidationError as PydanticError

from shared.contracts.result_document import Part, ResultDocument
from shared.errors import ValidationError


class DetectedSegment(Part):
    """One stretch that was cut out."""

    start_ms: float
    """To the microsecond, as all times of detections."""
    end_ms: float
    score: float
    """How useful, 0 to 1."""
    confidence: float
    """How sure it is what it is said to be, 0 to 1; 0 in a stub's."""

    @classmethod
    def of_meta(cls, kind: str, meta: Mapping[str, Any]) -> Self:
        """Read from the meta of its artifact; raises ``ValidationError`` naming the artifact's kind."""
        try:
            return cls.model_validate(meta)
        except PydanticError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValidationError(kind, f"has a meta that cannot be read ({where})") from None


class HitSegment(DetectedSegment):
    """One sound with its attack and decay."""

    onset_ms: float
    """Where its sound begins."""
    strength_db: float | None = None
    """By how much it stands out from what was heard before."""
    peak_dbfs: float | None = None
    hit_kind: str | None = None
    """What it is: ``kick``, ``snare``, ``hat``, ``cymbal``, ``tom``, ``clap``; where none of them is sure, a
    word for how it sounds: ``note``, ``clang``, ``knock``, ``click``, ``thud``, ``swish``, ``noise``,
    ``hit``."""
    hit_kind_probability: float | None = None
    """How surely it is that drum, 0.8 to 1; 0 for a word."""
    pitch_hz: float | None = None
    """Of what has a clear and steady one."""
    note: str | None = None
    """The note nearest to it; middle C is ``C4``."""
    brightness_hz: float | None = None
    """The spectrum's centre at the attack."""
    take: int | None = None
    """Which of the times that this sound is played: the first is 1."""
    take_of_ms: float | None = None
    """The onset of its first take."""
    artifact: str | None = None
    """Name of the artifact that holds its sound."""


class LoopSegment(DetectedSegment):
    """A whole number of bars that repeats without a seam."""

    bpm: float
    """Beats a minute."""
    bars: int
    beats_per_bar: int
    beats_ms: tuple[float, ...]
    """Of the recording's own time, the first at ``start_ms``."""
    similarity: float | None = None
    """How much what follows is like it, 0 to 1."""
    artifact: str | None = None
    """Name of the artifact that holds its sound."""


class PhraseWord(Part):
    """A word of the semantic timeline's."""

    start_ms: float
    end_ms: float
    text: str


class PhraseSegment(DetectedSegment):
    """A stretch of speech between pauses."""

    peak_dbfs: float | None = None
    transcript: str | None = None
    """What is said, where a semantic timeline knows it."""
    words: tuple[PhraseWord, ...] = ()
    artifact: str | None = None
    """Name of the artifact that holds its sound."""


class Detections(ResultDocument):
    """Base of the three summaries."""

    ascii_only: ClassVar[bool] = True

    duration_ms: int
    """The recording's."""
    segment_count: int


class HitDetections(Detections):
    """All hits of a recording."""

    kind: ClassVar[str] = "audio_hits"
    title: ClassVar[str] = "summary of hits"

    min_quality_score: float | None = None
    """What scores less is left out, 0 to 1."""
    onset_count: int | None = None
    onsets_ms: tuple[float, ...] = ()
    """Every onset that was found, whether a hit was made of it or not."""
    segments: tuple[HitSegment, ...]
    """In order."""


class LoopDetections(Detections):
    """All loops of a recording."""

    kind: ClassVar[str] = "audio_loops"
    title: ClassVar[str] = "summary of loops"

    bpm: float | None = None
    """The best loop's tempo, or the recording's; none where there is no steady one."""
    beats_per_bar: int | None = None
    min_quality_score: float | None = None
    """What scores less is left out, 0 to 1."""
    beats_ms: tuple[float, ...] = ()
    """Every beat of the recording."""
    segments: tuple[LoopSegment, ...]
    """In order."""


class PhraseDetections(Detections):
    """All phrases of a recording."""

    kind: ClassVar[str] = "audio_phrases"
    title: ClassVar[str] = "summary of phrases"

    min_quality_score: float | None = None
    """What scores less is left out, 0 to 1."""
    speech_ms: int | None = None
    """The phrases' lengths together."""
    segments: tuple[PhraseSegment, ...]
    """In order."""


SUMMARIES: Mapping[str, type[Detections]] = {
    "hit": HitDetections,
    "loop": LoopDetections,
    "phrase": PhraseDetections,
}
"""What is detected -> its summary."""
