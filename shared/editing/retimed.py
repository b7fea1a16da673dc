"""A recording's words, captions and chapters, moved to where they are in its cut.

Times become the cut's by the one map (``time_map``). What was cut is gone; what a cut shortens is
shorter; nothing lies behind the cut's end, and what was in order stays so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from shared.captions.cues import Layout, make_cues
from shared.captions.profiles import profile_named
from shared.contracts.asr_transcript import Transcript
from shared.contracts.detections import PhraseWord
from shared.contracts.edit_list import SILENCING, Edit, EditList
from shared.contracts.semantic_timeline import SemanticEvent
from shared.contracts.spoken_word import SpokenWord, VoicedStretch
from shared.contracts.timeline_parts import Marker
from shared.editing.time_map import TimeMap, time_map

HIDDEN = "[…]"
"""Stands in captions for a word that nobody is to hear."""
_LEAST_KEPT = 0.5
"""A word of which less than so much is kept is gone."""


class _Stretched(Protocol):
    """A row with a start and an end in ms."""

    @property
    def start_ms(self) -> float: ...
    @property
    def end_ms(self) -> float: ...


_Row = TypeVar("_Row", SpokenWord, VoicedStretch, PhraseWord, SemanticEvent)
_Word = TypeVar("_Word", SpokenWord, PhraseWord)


def moved_stretch(both: TimeMap, start_ms: float, end_ms: float) -> tuple[float, float] | None:
    """Start and end in the cut's time; ``None`` where nothing of it is heard."""
    start, end = both.to_new_ms(start_ms), both.to_new_ms(end_ms)
    return (start, end) if start < end else None


def moved_words(edits: EditList, words: Sequence[_Word]) -> tuple[_Word, ...]:
    """The words of which at least half is kept; those that are silenced say ``HIDDEN``."""
    both = time_map(edits)
    hidden = {
        at for edit in _private(edits) for at, word in enumerate(words) if _middle_in(word, edit)
    }
    kept = [
        word.model_copy(update={"text": HIDDEN}) if at in hidden else word
        for at, word in enumerate(words)
        if _share_kept(both, word) >= _LEAST_KEPT
    ]
    return tuple(moved_rows(both, kept))


def moved_transcript(edits: EditList, transcript: Transcript) -> Transcript:
    """The transcript of the cut: its words laid out anew by its own profile."""
    both = time_map(edits)
    words = moved_words(edits, transcript.words)
    duration_ms = round(edits.new_duration_ms)
    profile = profile_named(transcript.profile).to_read(transcript.language)
    layout = Layout(
        profile,
        transcript.language,
        names=transcript.names,
        speaker_names=transcript.speaker_names,
    )
    cues = make_cues(words, duration_ms, layout)
    return transcript.model_copy(
        update={
            "duration_ms": duration_ms,
            "words": words,
            "cues": tuple(cue.written(index) for index, cue in enumerate(cues, 1)),
            "speech": tuple(moved_rows(both, transcript.speech)),
            "edits": (),
        }
    )


def moved_chapters(both: TimeMap, chapters: Sequence[Marker], end_ms: float) -> tuple[Marker, ...]:
    """The chapters of which something is left, each from where its first sound is; in order.

    ``end_ms``: of the recording.
    """
    ends_ms = [*(marker.time_ms for marker in chapters[1:]), end_ms]  # one too many for no chapters
    return tuple(
        marker.model_copy(update={"time_ms": both.to_new_ms(marker.time_ms)})
        for marker, until_ms in zip(chapters, ends_ms, strict=False)
        if moved_stretch(both, marker.time_ms, until_ms)
    )


def moved_rows(both: TimeMap, rows: Sequence[_Row]) -> Iterator[_Row]:
    """Rows in whole milliseconds; what rounds to nothing is left out."""
    for row in rows:
        found = moved_stretch(both, row.start_ms, row.end_ms)
        if found is not None and round(found[0]) < round(found[1]):
            times = {"start_ms": round(found[0]), "end_ms": round(found[1])}
            yield row.model_copy(update=times)


def _private(edits: EditList) -> list[Edit]:
    """What is silenced for privacy."""
    return [one for one in edits.standing if one.action in SILENCING and one.reason == "privacy"]


def _share_kept(both: TimeMap, row: _Stretched) -> float:
    rate = both.sample_rate_hz
    start, end = round(row.start_ms * rate / 1000), round(row.end_ms * rate / 1000)
    return both.kept_samples(start, end) / max(end - start, 1)


def _middle_in(row: _Stretched, other: _Stretched) -> bool:
    return other.start_ms <= (row.start_ms + row.end_ms) / 2 < other.end_ms
