"""What was found follows a cut: within it, in order, and without what nobody is to hear."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given

from shared.contracts.detections import PhraseDetections
from shared.contracts.edit_list import EditList
from shared.contracts.semantic_timeline import SemanticBeat, SemanticTimeline
from shared.editing.edit_lists import edit_list_of, new_edit
from shared.editing.retimed import HIDDEN
from shared.editing.retimed_findings import moved_beats, moved_phrases, moved_semantics
from shared.editing.time_map import time_map
from tests.shared.editing.test_retimed import RATE, SAMPLES, cut_of, lists, ordered

DOCUMENTS = Path(__file__).parents[2] / "fixtures" / "documents"
SEMANTICS = SemanticTimeline.read(DOCUMENTS / "audio_semantic_timeline.json")
PHRASES = PhraseDetections.read(DOCUMENTS / "audio_phrases.json")


@given(lists)
def test_events_still_cover_the_whole_and_beats_lie_in_it(edits: EditList) -> None:
    moved = moved_semantics(edits, SEMANTICS)
    assert sum(event.end_ms - event.start_ms for event in moved.events) == moved.duration_ms
    ordered([(event.start_ms, event.end_ms) for event in moved.events], edits.new_duration_ms)
    times = [beat.time_ms for beat in moved.beats]
    assert times == sorted(times) and all(at <= moved.duration_ms for at in times)


@given(lists)
def test_phrases_and_their_words_follow(edits: EditList) -> None:
    moved = moved_phrases(edits, PHRASES)
    assert moved.segment_count == len(moved.segments)
    for phrase in moved.segments:
        assert 0 <= phrase.start_ms < phrase.end_ms <= edits.new_duration_ms
        assert all(round(phrase.start_ms) <= word.start_ms for word in phrase.words)


def test_what_nobody_hears_nobody_reads() -> None:
    word = PHRASES.segments[0].words[1]
    bleep = new_edit("bleep", "privacy", (word.start_ms - 20.0, word.end_ms + 20.0))
    edits = edit_list_of([bleep], SAMPLES, RATE)
    phrase = moved_phrases(edits, PHRASES).segments[0]
    assert phrase.words[1].text == HIDDEN and HIDDEN in str(phrase.transcript)
    assert word.text not in str(phrase.transcript).split()
    spoken = next(event for event in SEMANTICS.events if event.words)
    hidden = new_edit("bleep", "privacy", (spoken.start_ms, spoken.end_ms))
    events = moved_semantics(edit_list_of([hidden], SAMPLES, RATE), SEMANTICS).events
    said = next(event for event in events if event.words)
    assert {word.text for word in said.words} == {HIDDEN}
    assert spoken.words[0].text not in str(said.transcription)


def test_beats_keep_their_counts() -> None:
    beats = [SemanticBeat(time_ms=at * 500, beat_index=at) for at in range(6)]
    moved = moved_beats(time_map(cut_of(900, 1600)), beats)
    assert [(beat.time_ms, beat.beat_index) for beat in moved] == [
        (0, 0),
        (500, 1),
        (1300, 4),
        (1800, 5),
    ]
