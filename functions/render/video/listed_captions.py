"""A transcript as an edit list leaves it: what went is not shown, and what nobody hears nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.captions.cues import Layout, make_cues
from shared.captions.profiles import profile_named
from shared.contracts.asr_transcript import Transcript
from shared.contracts.edit_list import SILENCING, Edit, EditList, sample_at
from shared.contracts.spoken_word import SpokenWord
from shared.editing.time_map import TimeMap, time_map

UNHEARD = "[…]"
"""Stands for words that are silenced, however many they are."""
_PART = 0.5
"""A word of which more is gone is gone; of which more is silenced, is silenced."""


def transcript_left(
    transcript: Transcript, said: Sequence[SpokenWord], edits: EditList
) -> Transcript:
    """The words ``said`` that are left, in the new time, in cues of their own: speech closes up over a
    cut.
    """
    words = list(_left(said, edits, time_map(edits)))
    length_ms = round(edits.new_duration_ms)
    profile = profile_named(transcript.profile).to_read(transcript.language)
    cues = make_cues(words, length_ms, Layout(profile, transcript.language))
    written = (cue.written(index) for index, cue in enumerate(cues, 1))
    known = {"words": tuple(words), "cues": tuple(written), "duration_ms": length_ms}
    return transcript.model_copy(update=known)


def _left(said: Sequence[SpokenWord], edits: EditList, whole: TimeMap) -> Iterator[SpokenWord]:
    silencing = [edit for edit in edits.standing if edit.action in SILENCING]
    unheard: SpokenWord | None = None
    for word in said:
        start, end = (sample_at(ms, whole.sample_rate_hz) for ms in (word.start_ms, word.end_ms))
        if end <= start or whole.kept_samples(start, end) < _PART * (end - start):
            continue
        times = round(whole.to_new_ms(word.start_ms)), round(whole.to_new_ms(word.end_ms))
        moved = word.model_copy(
            update={"start_ms": times[0], "end_ms": max(times[1], times[0] + 1)}
        )
        if not _is_silenced(word, silencing):
            if unheard:
                yield unheard
            unheard = None
            yield moved
        elif unheard is None:
            unheard = moved.model_copy(update={"text": UNHEARD, "joined": False})
        else:
            unheard = unheard.model_copy(update={"end_ms": moved.end_ms})
    if unheard:
        yield unheard


def _is_silenced(word: SpokenWord, silencing: Sequence[Edit]) -> bool:
    covered_ms = sum(
        max(0.0, min(word.end_ms, edit.end_ms) - max(word.start_ms, edit.start_ms))
        for edit in silencing
    )
    return covered_ms >= _PART * (word.end_ms - word.start_ms)
