"""What somebody chose: words and stretches that go, and whom or what alone to keep.

    dropped    words by text or place, and stretches by time
    kept       speakers, phrases or stretches: all else goes, each kind by itself

Words that follow each other go in one cut, with the pauses between them; a cut lies between words, as
``cut_points`` finds it. A stretch is somebody's own: its ends are only moved to a zero crossing. All
of this was asked for, so its confidence is 1 and ``least_confidence`` takes none of it back. Keeping
several kinds keeps what all of them keep, for cuts add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from functions.edit.cut_points import Gone, Sound, cut_between, zero_crossing
from functions.edit.cut_rules import CutParams, Stretch
from functions.edit.spoken_phrases import said_at, touched_at
from functions.edit.word_cuts import cut_words
from shared.contracts.audio_words import AudioWords
from shared.contracts.detections import PhraseDetections
from shared.contracts.edit_list import Edit, EditReason
from shared.contracts.plurals import many
from shared.contracts.spoken_word import SpokenWord
from shared.editing.edit_lists import new_edit
from shared.errors import ValidationError

_SNAP_MS = 5.0
"""No farther is a stretch's end moved: a tone of 100 Hz crosses zero every 5 ms."""
_PAUSE_MS = 450
"""Parts phrases where ``detect.phrases`` has not run; its own default."""


def dropped(sound: Sound, words: Sequence[SpokenWord], params: CutParams) -> Iterator[Edit]:
    """Chosen words, then stretches; raises ``ValidationError`` for an index that no word has.

    A text that nobody says makes no edit, nor does one that is said within longer words alone, for these
    would go with it: ``functions.edit.cut`` tells both as notices.
    """
    for index in params.drop_word_indexes:
        if not 0 <= index < len(words):
            raise ValidationError(
                "drop_word_indexes", f"{index} is none of {many(len(words), 'word')}"
            )
    said = {
        at for first, last in said_at(words, params.drop_words) for at in range(first, last)
    } | set(params.drop_word_indexes)
    for first, last in _runs_of(said):
        cut = cut_words(sound, words, first, last, "word")
        if cut is not None:
            yield cut
    for start_ms, end_ms in params.drop_ranges:
        yield from _range_cut(sound, (start_ms, end_ms), "range")


def _runs_of(places: set[int]) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of places in a row: neighbours go together, pauses between them too."""
    ordered = sorted(places)
    for _, group in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        run = [at for _, at in group]
        yield run[0], run[-1] + 1


def _range_cut(sound: Sound, stretch: Stretch, reason: EditReason) -> Iterator[Edit]:
    """The stretch (ms), each end moved to the nearest zero crossing: no more than 5 ms; the recording's
    own ends stay where they are. Nothing for one that lies behind the recording, or is left empty.
    """
    edges = []
    for time_ms in stretch:
        near = sound.at(time_ms)
        if near in (0, sound.length):
            edges.append(near)
        else:
            low, high = sound.at(time_ms - _SNAP_MS), sound.at(time_ms + _SNAP_MS)
            edges.append(zero_crossing(sound, low, high, near))
    if edges[0] < edges[1]:
        yield new_edit("cut", reason, (sound.ms(edges[0]), sound.ms(edges[1])))


def not_kept(
    sound: Sound, spoken: AudioWords, phrases: PhraseDetections | None, params: CutParams
) -> Iterator[Edit]:
    """All but what alone is to be kept: by speaker, by phrase, and by time, where each is asked for.

    Raises ``ValidationError`` for a speaker who is not heard, and where none of the phrases is said.
    Stretches that overlap are one; one behind the recording's end keeps nothing.
    """
    words = spoken.words
    if params.keep_speakers:
        yield from _others_cut(sound, spoken, params.keep_speakers)
    if params.keep_phrases:
        yield from _phrases_cut(sound, words, phrases, params.keep_phrases)
    if params.keep_ranges:
        at_ms, end_ms = 0.0, sound.ms(sound.length)
        for start_ms, until_ms in sorted(params.keep_ranges):
            if start_ms > at_ms:
                yield from _range_cut(sound, (at_ms, start_ms), "chapter")
            at_ms = max(at_ms, until_ms)
        if at_ms < end_ms:
            yield from _range_cut(sound, (at_ms, end_ms), "chapter")


def _others_cut(sound: Sound, spoken: AudioWords, kept: Sequence[str]) -> Iterator[Edit]:
    """What others than ``kept`` say, unless one of these speaks at the same time.

    Words of nobody in particular (no speaker) are others'.
    """
    if unknown := sorted(set(kept) - set(spoken.speakers)):
        known = ", ".join(spoken.speakers) or "nobody was told apart"
        raise ValidationError("keep_speakers", f"{unknown[0]!r} is not heard; known: {known}")
    others = {at for at, word in enumerate(spoken.words) if word.speaker_id not in kept}
    yield from _runs_cut(sound, spoken.words, others, "speaker")


def _phrases_cut(
    sound: Sound,
    words: Sequence[SpokenWord],
    phrases: PhraseDetections | None,
    wanted: Sequence[str],
) -> Iterator[Edit]:
    """All words but those of the phrases in which one of ``wanted`` is said.

    Words that one of ``wanted`` only touches stay as well. Without ``detect.phrases`` a phrase goes from
    one pause of more than 450 ms to the next.
    """
    found = {at for first, last in touched_at(words, wanted) for at in range(first, last)}
    if not found:
        raise ValidationError("keep_phrases", "none of them is said")
    stretches = (
        [(one.start_ms, one.end_ms) for one in phrases.segments]
        if phrases is not None
        else list(_between_pauses(words))
    )
    kept = {
        at for stretch in stretches if (inside := _inside(words, stretch)) & found for at in inside
    } | found
    yield from _runs_cut(sound, words, set(range(len(words))) - kept, "phrase")


def _between_pauses(words: Sequence[SpokenWord]) -> Iterator[Stretch]:
    """Start and end in ms, in the list's order, whoever speaks."""
    first = 0
    for at in range(1, len(words) + 1):
        if at == len(words) or words[at].start_ms - words[at - 1].end_ms > _PAUSE_MS:
            yield words[first].start_ms, words[at - 1].end_ms
            first = at


def _inside(words: Sequence[SpokenWord], stretch: Stretch) -> set[int]:
    """Places of the words whose middle lies in a stretch of ms, half open."""
    start_ms, end_ms = stretch
    middles = ((word.start_ms + word.end_ms) / 2 for word in words)
    return {at for at, middle in enumerate(middles) if start_ms <= middle < end_ms}


def _runs_cut(
    sound: Sound, words: Sequence[SpokenWord], gone: set[int], reason: EditReason
) -> Iterator[Edit]:
    """The runs of words that go; before the first and behind the last word that stays, all of it.

    Where every word goes, one cut takes the whole recording.
    """
    end_ms = sound.ms(sound.length)
    for first, last in _runs_of(gone):
        if first > 0 and last < len(words):
            cut = cut_words(sound, words, first, last, reason)
        elif len(gone) == len(words):
            cut = new_edit("cut", reason, (0.0, end_ms))
        elif first == 0:
            lead = Gone(0.0, 0.0, words[last - 1].end_ms, words[last].start_ms)
            cut = new_edit("cut", reason, (0.0, cut_between(sound, lead)[1]))
        else:
            tail = Gone(words[first - 1].end_ms, words[first].start_ms, end_ms, end_ms)
            cut = new_edit("cut", reason, (cut_between(sound, tail)[0], end_ms))
        if cut is not None:
            yield cut
