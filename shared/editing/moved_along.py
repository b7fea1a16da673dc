"""What was found in a recording, moved to where it is in its cut: words, captions, beats, phrases, faces.

Each function takes a document of the recording's and gives one of the same form in the cut's time,
by the one map (``time_map``). What was cut is not in it; what a cut shortens is shorter; nothing lies
behind the cut's end, and what was in order stays so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from shared.captions.cues import Layout, make_cues
from shared.captions.profiles import profile_named
from shared.contracts.asr_transcript import Transcript
from shared.contracts.detections import PhraseDetections, PhraseSegment
from shared.contracts.edit_list import SILENCING, Edit, EditList
from shared.contracts.region_summary import Gap, RegionSummary, RegionTrack
from shared.contracts.semantic_timeline import SemanticBeat, SemanticEvent, SemanticTimeline
from shared.contracts.spoken_word import SpokenWord, VoicedStretch, text_of
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


_Row = TypeVar("_Row", SpokenWord, VoicedStretch, SemanticEvent)


def moved_stretch(both: TimeMap, start_ms: float, end_ms: float) -> tuple[float, float] | None:
    """Start and end in the cut's time; ``None`` where nothing of it is heard."""
    start, end = both.to_new_ms(start_ms), both.to_new_ms(end_ms)
    return (start, end) if start < end else None


def moved_words(edits: EditList, words: Sequence[SpokenWord]) -> tuple[SpokenWord, ...]:
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
    return tuple(_moved_rows(both, kept))


def moved_transcript(
    edits: EditList, transcript: Transcript, shots_ms: Sequence[float] = ()
) -> Transcript:
    """The transcript of the cut: its words laid out anew by its own profile.

    ``shots_ms``: where the cut's picture changes, joins included.
    """
    both = time_map(edits)
    words = moved_words(edits, transcript.words)
    duration_ms = round(edits.new_duration_ms)
    profile = profile_named(transcript.profile).to_read(transcript.language)
    layout = Layout(
        profile,
        transcript.language,
        shots_ms=shots_ms,
        names=transcript.names,
        speaker_names=transcript.speaker_names,
    )
    cues = make_cues(words, duration_ms, layout)
    return transcript.model_copy(
        update={
            "duration_ms": duration_ms,
            "words": words,
            "cues": tuple(cue.written(index) for index, cue in enumerate(cues, 1)),
            "speech": tuple(_moved_rows(both, transcript.speech)),
            "edits": (),
        }
    )


def moved_semantics(edits: EditList, whole: SemanticTimeline) -> SemanticTimeline:
    """The semantic timeline of the cut. Events touch and cover it; windows of loudness are left out."""
    both = time_map(edits)
    events = []
    for event in whole.events:
        for moved in _moved_rows(both, [event]):
            if "words" in event.model_fields_set:
                words = moved_words(edits, event.words)
                said = {"words": words, "transcription": text_of(words)}
                moved = moved.model_copy(update=said)  # noqa: PLW2901 - the same event, with its words
            events.append(moved)
    tempi = [
        tempo.model_copy(update={"start_ms": round(found[0]), "end_ms": round(found[1])})
        for tempo in whole.tempi
        if (found := moved_stretch(both, tempo.start_ms, tempo.end_ms))
    ]
    return whole.model_copy(
        update={
            "duration_ms": round(edits.new_duration_ms),
            "events": tuple(events),
            "beats": moved_beats(both, whole.beats),
            "tempi": tuple(tempi),
            "loudness": None,
        }
    )


def moved_beats(both: TimeMap, beats: Sequence[SemanticBeat]) -> tuple[SemanticBeat, ...]:
    """The beats that are heard; their counts are those of the recording."""
    return tuple(
        beat.model_copy(update={"time_ms": round(both.to_new_ms(beat.time_ms))})
        for beat in beats
        if _is_kept(both, beat.time_ms)
    )


def moved_phrases(edits: EditList, phrases: PhraseDetections) -> PhraseDetections:
    """The phrases of which something is left, with the words that are."""
    both = time_map(edits)
    hidden = _private(edits)
    segments = [moved for one in phrases.segments for moved in _moved_phrase(both, one, hidden)]
    speech_ms = sum(one.end_ms - one.start_ms for one in segments)
    return phrases.model_copy(
        update={
            "duration_ms": round(edits.new_duration_ms),
            "segment_count": len(segments),
            "speech_ms": round(speech_ms),
            "segments": tuple(segments),
        }
    )


def _moved_phrase(
    both: TimeMap, phrase: PhraseSegment, hidden: Sequence[Edit]
) -> Iterator[PhraseSegment]:
    found = moved_stretch(both, phrase.start_ms, phrase.end_ms)
    if found is None:
        return
    words = tuple(
        word.model_copy(
            update={
                "start_ms": moved[0],
                "end_ms": moved[1],
                "text": HIDDEN if any(_middle_in(word, one) for one in hidden) else word.text,
            }
        )
        for word in phrase.words
        if _share_kept(both, word) >= _LEAST_KEPT
        and (moved := moved_stretch(both, word.start_ms, word.end_ms))
    )
    left = {"start_ms": found[0], "end_ms": found[1], "words": words, "artifact": None}
    if [word.text for word in words] != [word.text for word in phrase.words]:
        left["transcript"] = " ".join(word.text for word in words) or None
    yield phrase.model_copy(update=left)


def moved_chapters(both: TimeMap, chapters: Sequence[Marker], end_ms: float) -> tuple[Marker, ...]:
    """The chapters of which something is left, each from where its first sound is; in order.

    ``end_ms``: of the recording.
    """
    ends = [
        *(marker.time_ms for marker in chapters[1:]),
        end_ms,
    ]  # one too many where there is none
    return tuple(
        marker.model_copy(update={"time_ms": both.to_new_ms(marker.time_ms)})
        for marker, until_ms in zip(chapters, ends, strict=False)
        if moved_stretch(both, marker.time_ms, until_ms)
    )


def moved_faces(edits: EditList, faces: RegionSummary) -> RegionSummary:
    """Where faces are in the cut: the rows of the frames that begin in what is kept, counted anew.

    A track goes on across a join, for the same face does; ``cuts_ms`` are the recording's own.
    """
    both = time_map(edits)
    kept = [row for row in faces.frames if _is_kept(both, row.time_ms)]
    numbers = {row.frame: at for at, row in enumerate(kept)}
    return faces.model_copy(
        update={
            "duration_ms": round(edits.new_duration_ms),
            "frame_count": len(kept),
            "cuts_ms": tuple(both.to_new_ms(at) for at in faces.cuts_ms if _is_kept(both, at)),
            "tracks": tuple(
                moved for one in faces.tracks for moved in _moved_track(both, one, numbers)
            ),
            "frames": tuple(
                row.model_copy(update={"frame": at, "time_ms": both.to_new_ms(row.time_ms)})
                for at, row in enumerate(kept)
            ),
            "unsure": tuple(
                one.model_copy(
                    update={"frame": numbers[one.frame], "time_ms": both.to_new_ms(one.time_ms)}
                )
                for one in faces.unsure
                if one.frame in numbers
            ),
        }
    )


def _moved_track(
    both: TimeMap, track: RegionTrack, numbers: dict[int, int]
) -> Iterator[RegionTrack]:
    frames = [at for frame, at in numbers.items() if track.first_frame <= frame <= track.last_frame]
    if not frames:
        return
    gaps = (moved_stretch(both, gap.start_ms, gap.end_ms) for gap in track.gaps)
    yield track.model_copy(
        update={
            "start_ms": both.to_new_ms(track.start_ms),
            "end_ms": both.to_new_ms(track.end_ms),
            "first_frame": min(frames),
            "last_frame": max(frames),
            "gaps": tuple(Gap(start_ms=gap[0], end_ms=gap[1]) for gap in gaps if gap),
        }
    )


def _moved_rows(both: TimeMap, rows: Sequence[_Row]) -> Iterator[_Row]:
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


def _is_kept(both: TimeMap, time_ms: float) -> bool:
    sample = round(time_ms * both.sample_rate_hz / 1000)
    return both.kept_samples(sample, sample + 1) == 1
