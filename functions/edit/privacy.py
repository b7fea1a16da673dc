"""What nobody is to hear: words of a list, and numbers, silenced from end to end.

Bleeping and muting err towards too much: they reach into the pauses and a little into the words beside
it; only a cut touches no neighbour. Found are words as they were recognised: one that was misheard is
not. A notice tells how many of the list were recognised nowhere (``functions.edit.cut``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from functions.edit.cut_points import Sound
from functions.edit.cut_rules import CutParams
from functions.edit.spoken_phrases import letters_of, touched_at
from functions.edit.word_cuts import cut_words
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


def private_words(words: Sequence[SpokenWord], params: CutParams) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of what is private, in places of ``words``; they may overlap and come twice.

    A word that a private one only touches (in Chinese, a name and what the recogniser wrote in one with
    it) is private as a whole: within a word nobody knows the times.

    A number is a word with a digit in it, as recognisers write most; one that is spelled out ("five")
    is none.
    """
    yield from touched_at(words, params.privacy_words, owned=True)
    if params.privacy_numbers:
        for at, word in enumerate(words):
            if any(sign.isdigit() for sign in letters_of(word.text)):
                yield at, at + 1


def silenced(sound: Sound, words: Sequence[SpokenWord], params: CutParams) -> Iterator[Edit]:
    """Each of them bleeped, muted or cut, whole; in order, with confidence 1 and without its text.

    Silenced is from 60 ms before to 60 ms behind it, less where a neighbour is nearer, and 15 ms more
    on both sides; neighbours are looked for among 50 words on either side. What is to be cut is bleeped
    where another's word lies over more than 15 ms of it, for that word stays: a cut would leave the rest.
    """
    end_ms = sound.ms(sound.length)
    for first, last in sorted(set(private_words(words, params))):
        before_ms = max((word.end_ms for word in words[:first][-50:]), default=0)
        after_ms = min((word.start_ms for word in words[last : last + 50]), default=end_ms)
        said = words[first:last]
        low_ms, high_ms = said[0].start_ms, max(word.end_ms for word in said)
        action = params.privacy_action
        if action == "cut":
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


def mistimed(words: Sequence[SpokenWord], params: CutParams) -> list[int]:
    """Where private words begin (ms) whose time is too short for them, so that it is likely wrong."""
    private = {at for first, last in private_words(words, params) for at in range(first, last)}
    return [
        word.start_ms
        for word in (words[at] for at in sorted(private))
        if word.end_ms - word.start_ms < _LETTER_MS * sum(map(str.isalnum, letters_of(word.text)))
    ]
