"""What follows a cut: in order, within it, and what was cut is not in it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.asr_transcript import Transcript
from shared.contracts.edit_list import Edit, EditList, ms_at
from shared.contracts.timeline_parts import Marker
from shared.editing.edit_lists import edit_list_of, new_edit
from shared.editing.retimed import (
    HIDDEN,
    moved_chapters,
    moved_transcript,
    moved_words,
)
from shared.editing.time_map import time_map

RATE = 44_100
SAMPLES = 353_153
DOCUMENTS = Path(__file__).parents[2] / "fixtures" / "documents"
TRANSCRIPT = Transcript.read(DOCUMENTS / "asr_transcript.json")


@st.composite
def edit(draw: st.DrawFn) -> Edit:
    start, end = sorted(draw(st.tuples(st.integers(0, SAMPLES), st.integers(0, SAMPLES))))
    end = max(end, start + 1) if start < SAMPLES else end
    start = min(start, SAMPLES - 1)
    stretch = (ms_at(start, RATE), ms_at(max(end, start + 1), RATE))
    if draw(st.booleans()):
        return new_edit("speed_up", "silence", stretch, amount=draw(st.sampled_from((2.0, 5.0))))
    return new_edit("cut", "range", stretch)


lists = st.lists(edit(), max_size=6).map(lambda edits: edit_list_of(edits, SAMPLES, RATE))


def ordered(rows: list[tuple[float, float]], end_ms: float) -> None:
    assert all(start < end for start, end in rows)
    assert all(one[1] <= other[0] for one, other in pairwise(rows))
    assert all(start >= 0 and end <= round(end_ms) for start, end in rows)


@given(lists)
def test_captions_are_laid_out_within_the_cut(edits: EditList) -> None:
    moved = moved_transcript(edits, TRANSCRIPT)
    assert moved.duration_ms == round(edits.new_duration_ms)
    ordered([(word.start_ms, word.end_ms) for word in moved.words], edits.new_duration_ms)
    assert sum(cue.word_count for cue in moved.cues) == len(moved.words)
    assert {word.text for word in moved.words} <= {word.text for word in TRANSCRIPT.words}
    for one, other in pairwise(moved.cues):
        assert one.end_ms <= other.start_ms


@given(lists)
def test_chapters_begin_with_what_is_left_of_them(edits: EditList) -> None:
    chapters = [Marker(time_ms=at, name=str(at)) for at in (0, 1500, 2000, 6000)]
    moved = moved_chapters(time_map(edits), chapters, edits.duration_ms)
    times = [marker.time_ms for marker in moved]
    assert times == sorted(set(times)), "no two begin at once: one of them would be empty"
    assert not times or times[0] == 0


def cut_of(start_ms: float, end_ms: float) -> EditList:
    return edit_list_of([new_edit("cut", "range", (start_ms, end_ms))], 480_000, 48_000)


def test_a_word_that_is_mostly_cut_is_gone_and_the_others_move() -> None:
    first, second, third = TRANSCRIPT.words[:3]
    edits = cut_of(second.start_ms + 10, second.end_ms)
    assert [word.text for word in moved_words(edits, (first, second, third))] == [
        first.text,
        third.text,
    ]
    moved = moved_words(edits, (third,))[0]
    gone = second.end_ms - second.start_ms - 10
    assert (moved.start_ms, moved.end_ms) == (third.start_ms - gone, third.end_ms - gone)


def test_what_nobody_hears_nobody_reads() -> None:
    word = TRANSCRIPT.words[1]
    bleep = new_edit("bleep", "privacy", (word.start_ms - 20.0, word.end_ms + 20.0))
    moved = moved_transcript(edit_list_of([bleep], SAMPLES, RATE), TRANSCRIPT)
    assert moved.words[1].text == HIDDEN
    shown = " ".join(cue.text for cue in moved.cues)
    assert HIDDEN in shown and word.text not in shown


def test_a_chapter_that_is_cut_whole_is_gone() -> None:
    chapters = [Marker(time_ms=at, name=name) for at, name in ((0, "a"), (2000, "b"), (4000, "c"))]
    moved = moved_chapters(time_map(cut_of(1500, 4500)), chapters, 10_000)
    assert [(one.name, one.time_ms) for one in moved] == [("a", 0), ("c", 1500)]
    assert moved_chapters(time_map(cut_of(1500, 4500)), [], 10_000) == ()


@pytest.mark.parametrize("speed", [2.0, 4.0])
def test_what_is_sped_up_is_shorter(speed: float) -> None:
    fast = new_edit("speed_up", "silence", (0.0, 1000.0), amount=speed)
    moved = moved_words(edit_list_of([fast], SAMPLES, RATE), TRANSCRIPT.words[:1])[0]
    assert moved.end_ms == round(TRANSCRIPT.words[0].end_ms / speed)
