"""What was found in a recording, moved to where it is in its cut: the semantic timeline, beats, phrases.

Each function gives a document of the same form in the cut's time, by the one map (``time_map``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.contracts.detections import PhraseDetections, PhraseSegment
from shared.contracts.edit_list import EditList
from shared.contracts.semantic_timeline import SemanticBeat, SemanticEvent, SemanticTimeline
from shared.contracts.spoken_word import text_of
from shared.editing.retimed import moved_rows, moved_stretch, moved_words
from shared.editing.time_map import TimeMap, time_map


def moved_semantics(edits: EditList, whole: SemanticTimeline) -> SemanticTimeline:
    """The semantic timeline of the cut. Events touch and cover it; windows of loudness are left out."""
    both = time_map(edits)
    tempi = [
        tempo.model_copy(update={"start_ms": round(found[0]), "end_ms": round(found[1])})
        for tempo in whole.tempi
        if (found := moved_stretch(both, tempo.start_ms, tempo.end_ms))
    ]
    return whole.model_copy(
        update={
            "duration_ms": round(edits.new_duration_ms),
            "events": tuple(_said_anew(edits, one) for one in moved_rows(both, whole.events)),
            "beats": moved_beats(both, whole.beats),
            "tempi": tuple(tempi),
            "loudness": None,
        }
    )


def _said_anew(edits: EditList, event: SemanticEvent) -> SemanticEvent:
    """The event with the words that are heard, if it has any."""
    if event.transcription is None:
        return event
    words = moved_words(edits, event.words)
    return event.model_copy(update={"words": words, "transcription": text_of(words)})


def moved_beats(both: TimeMap, beats: Sequence[SemanticBeat]) -> tuple[SemanticBeat, ...]:
    """The beats that are heard; their counts are those of the recording."""
    return tuple(
        beat.model_copy(update={"time_ms": round(both.to_new_ms(beat.time_ms))})
        for beat in beats
        if _is_kept(both, beat.time_ms)
    )


def _is_kept(both: TimeMap, time_ms: float) -> bool:
    sample = round(time_ms * both.sample_rate_hz / 1000)
    return both.kept_samples(sample, sample + 1) == 1


def moved_phrases(edits: EditList, phrases: PhraseDetections) -> PhraseDetections:
    """The phrases of which something is left, with the words that are; none has a file of its own."""
    segments = tuple(_moved_phrases(edits, phrases.segments))
    return phrases.model_copy(
        update={
            "duration_ms": round(edits.new_duration_ms),
            "segment_count": len(segments),
            "speech_ms": round(sum(one.end_ms - one.start_ms for one in segments)),
            "segments": segments,
        }
    )


def _moved_phrases(edits: EditList, phrases: Sequence[PhraseSegment]) -> Iterator[PhraseSegment]:
    both = time_map(edits)
    for phrase in phrases:
        found = moved_stretch(both, phrase.start_ms, phrase.end_ms)
        if found is None:
            continue
        words = moved_words(edits, phrase.words)
        left = {"start_ms": found[0], "end_ms": found[1], "words": words, "artifact": None}
        if not words or [word.text for word in words] != [word.text for word in phrase.words]:
            left["transcript"] = " ".join(word.text for word in words) or None
        yield phrase.model_copy(update=left)
