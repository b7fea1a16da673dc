"""The semantic timeline: what ``transcribe.semantics`` hears when; phrases, origins and clips read it.

Not the mix's timeline (``shared.contracts.timeline``), which says what is played when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from shared.contracts.result_document import Part, ResultDocument
from shared.contracts.spoken_word import SpokenWord

SPEED_CHANGE_LIMIT = 1.05
"""A clip played faster than this, or slower than its inverse, no longer sounds as it was analysed."""


class SpanMeta(Part):
    """More about one event."""

    music_score: float | None = None
    """How much it sounds like music, 0 to 1."""


class SemanticEvent(Part):
    """One stretch of the recording. Events touch, and cover all of it."""

    kind: Literal["speech", "music", "silence", "other"]
    start_ms: int
    end_ms: int
    loudness_lufs: float | None = None
    """After BS.1770-4; none for silence."""
    confidence: float | None = None
    """That it is of its kind, 0 to 1; 0 in a stub's."""
    meta: SpanMeta | None = None
    speaker_id: str | None = None
    """``channel_1``, ... where speakers are told apart."""
    transcription: str | None = None
    """Of speech that was transcribed: its words as text."""
    words: tuple[SpokenWord, ...] = ()
    """Of speech that was transcribed."""


class SemanticBeat(Part):
    """One beat of the music."""

    time_ms: int
    beat_index: int | None = None
    """Counts on from 0 over the whole recording."""
    bar_index: int | None = None
    """Counts on from 0 over the whole recording."""
    subdivision: int | None = None
    """Its place in the bar, 1 to 4."""


class SemanticTempo(Part):
    """The tempo of one stretch of music."""

    start_ms: int
    end_ms: int
    bpm: float
    """Beats a minute."""


class WindowLoudness(Part):
    """Loudness over time."""

    window_ms: int
    """The length of each window; they follow each other from 0 on."""
    lufs: tuple[float | None, ...]
    """Of each window after BS.1770-4, none below -70."""


class ClipWindow(Part):
    """The part of the recording that a clip plays."""

    start_ms: int
    end_ms: int


class SemanticMeta(Part):
    """How it was made, and, of a clip's part, how its times are to be read."""

    # What a newer writer adds is handed on with a clip's part.
    model_config = ConfigDict(extra="allow")

    semantic_version: str | None = None
    """Of the analysis: ``audio_semantic_v2``, or ``audio_semantic_stub_v1``."""
    model_used: str | None = None
    """Whisper's size, or ``stub``."""
    transcribed: bool | None = None
    """Speech has words; where there is none, none was found."""
    backend: str | None = None
    backend_type: str | None = None
    """``stub`` where nobody listened."""
    backend_version: str | None = None
    include_beats: bool | None = None
    include_speech_music: bool | None = None
    min_silence_ms: int | None = None
    loudness_window_ms: int | None = None
    language: str | None = None
    """As it was asked for: ``auto``, ``en``, ..."""
    speakers: str | None = None
    """As they were asked for: ``mixed``, ``auto`` or ``by_channel``."""
    glossary: tuple[str, ...] | None = None
    """Names and words that were likely to be said, as they were asked for."""
    task: str | None = None
    """``translate``: the words are English, whatever was spoken."""
    seed: int | None = None
    speed_change_limit: float | None = None
    """Up to this speed of a clip, and down to its inverse, its times are musically true."""
    audio_semantic_cache_key: str | None = None
    """What it depends on, parted by ``|``."""
    duration_ms: int | None = None
    event_count: int | None = None
    beat_count: int | None = None
    clip_relative: bool | None = None
    """Times count from the clip's start."""
    clip_window_ms: ClipWindow | None = None
    """Of the recording."""
    speed_change: float | None = None
    """The clip's speed. Times are not divided by it."""
    speed_change_limited: bool | None = None
    """The clip's speed is not 1."""


class SemanticTimeline(ResultDocument):
    """What is heard when in a recording, or in the part of it that a clip plays."""

    kind: ClassVar[str] = "audio_semantic_timeline"
    title: ClassVar[str] = "semantic timeline"

    asset_id: str | None = None
    artifact_id: str | None = None
    """The artifact that was analysed in place of the recording."""
    duration_ms: int
    language: str | None = None
    """Of most of the words; none where nothing was transcribed."""
    languages: Mapping[str, int] = Field(default_factory=dict)
    """Language -> how many words, where it was detected."""
    suppressed_words: int = 0
    """Words dropped because nobody spoke there, or because they repeated without end."""
    damage: str | None = None
    """What could not be decoded."""
    events: tuple[SemanticEvent, ...]
    """In order."""
    beats: tuple[SemanticBeat, ...] = ()
    """In order."""
    tempi: tuple[SemanticTempo, ...] = ()
    """Of each stretch of music with beats."""
    loudness: WindowLoudness | None = None
    meta: SemanticMeta = SemanticMeta()
