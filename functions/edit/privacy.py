"""What nobody is to hear: words of a list, and numbers, silenced from end to end.

Bleeping and muting err towards too much: they reach into the pauses and a little into the words beside
it; only a cut touches no neighbour. Found are words as they were recognised: one that was misheard is
not. A notice tells how many of the list were recognised nowhere (``functions.edit.cut``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from functions.edit.cut_points import Sound
from functions.edit.cut_rules import CutParams
from functions.edit.number_words import numbers_at
from functions.edit.spoken_phrases import letters_of, touched_at
from functions.edit.word_cuts import cut_words
from shared.contracts.audio_words import AudioWords
from shared.contracts.edit_list import Edit
from shared.contracts.spoken_word import SpokenWord
from shared.editing.edit_lists import new_edit

_BESIDE_MS = 60.0
"""So much of the pauses beside it is silenced, too: a name is known by its first sound."""
_INTO_MS = 15.0
"""Where a neighbour touches it, so much of that: a border between two words is nowhere sharp."""


_LETTER_MS = 15.0
"""A word with less time for each of its letters was not said in it: of 317 words of readings, by Whisper
``tiny.en``, five had so little, one of them in the pause behind the sentence."""
_FAR_MS = 1000
"""A word that has no right time was said near it: no farther from it than the words beside it, if these are
no farther away than this."""


def private_words(spoken: AudioWords, params: CutParams) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of what is private, in places of ``words``; they may overlap and come twice.

    A word that a private one only touches (in Chinese, a name and what the recogniser wrote in one with
    it) is private as a whole: within a word nobody knows the times.

    Numbers are those of digits and those that are spelled out in one of the languages that are known.
    """
    words = spoken.words
    yield from touched_at(words, params.privacy_words)
    if params.privacy_numbers:
        for at in numbers_at(words, spoken.language):
            yield at, at + 1


def silenced(sound: Sound, spoken: AudioWords, params: CutParams) -> Iterator[Edit]:
    """Each of them bleeped, muted or cut, whole; in order, with confidence 1 and without its text.

    Silenced is from 60 ms before to 60 ms behind it, less where a neighbour is nearer, and 15 ms more
    on both sides; neighbours are looked for among 50 words on either side. Where its time is in doubt, the
    words beside it are silenced, too. What is to be cut is bleeped where its time is in doubt, and where
    another's word lies over more than 15 ms of it, for that word stays: a cut would leave the rest.
    """
    words, end_ms = spoken.words, sound.ms(sound.length)
    for first, last in sorted(set(private_words(spoken, params))):
        before_ms = max((word.end_ms for word in words[:first][-50:]), default=0)
        after_ms = min((word.start_ms for word in words[last : last + 50]), default=end_ms)
        said = words[first:last]
        low_ms, high_ms = said[0].start_ms, max(word.end_ms for word in said)
        action = params.privacy_action
        if any(map(_in_doubt, said)):
            low_ms, high_ms = _reached(words, first, last)
            action = "bleep" if action == "cut" else action
        elif action == "cut":
            cut = cut_words(sound, words, first, last, "privacy")
            if cut is not None and max(before_ms - low_ms, high_ms - after_ms) <= _INTO_MS:
                # What it says must not be read in the list, either.
                yield cut.model_copy(update={"text": None})
                continue
            action = "bleep"
        start_ms = min(low_ms, max(low_ms - _BESIDE_MS, before_ms)) - _INTO_MS
        stop_ms = max(high_ms, min(high_ms + _BESIDE_MS, after_ms)) + _INTO_MS
        start, stop = sound.at(max(start_ms, 0)), sound.at(min(stop_ms, end_ms))
        yield new_edit(action, "privacy", (sound.ms(start), sound.ms(stop)))


def _reached(words: Sequence[SpokenWord], first: int, last: int) -> tuple[int, int]:
    """Start and end (ms) of what words ``[first, last)`` may lie in.

    So do the nearest words beside them whose times are in no doubt, as long as none is farther away than a
    second.
    """
    low_ms, high_ms = words[first].start_ms, max(word.end_ms for word in words[first:last])
    for word in reversed(words[:first][-50:]):
        if low_ms - word.end_ms > _FAR_MS:
            break
        low_ms = min(low_ms, word.start_ms)
        if not _in_doubt(word):
            break
    for word in words[last : last + 50]:
        if word.start_ms - high_ms > _FAR_MS:
            break
        high_ms = max(high_ms, word.end_ms)
        if not _in_doubt(word):
            break
    return low_ms, high_ms


def _in_doubt(word: SpokenWord) -> bool:
    """Has it a time in which nobody says it, or none of its own?"""
    least_ms = _LETTER_MS * sum(map(str.isalnum, letters_of(word.text)))
    return word.timing == "interpolated" or word.end_ms - word.start_ms < least_ms


def mistimed(spoken: AudioWords, params: CutParams) -> list[int]:
    """Where private words begin (ms) whose time is likely wrong: too short, or shared between others."""
    words = spoken.words
    private = {at for first, last in private_words(spoken, params) for at in range(first, last)}
    return [words[at].start_ms for at in sorted(private) if _in_doubt(words[at])]
