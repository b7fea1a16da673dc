"""Repeats and false starts: what is said twice in a row, and beginnings that are begun anew.

    repeat        "we can | we can go"           the first time goes
    broken word   "the rec- | the recording"     the piece goes, and what was said again with it
    false start   "I was going | I went home"    a phrase begun twice, with a pause where it broke off

What people repeat on purpose ("very very", "no, no.") stays, as far as words can tell.

What goes is the reparandum of Shriberg's scheme ("Preliminaries to a Theory of Speech Disfluencies",
Berkeley, 1994): what is repaired stays behind it, and fillers between both are passed over. Only words
and their times are looked at, by letters; from each place the longest repeat wins, then a broken
word, then a false start. Repairs that change words ("on Monday, no, on Tuesday") are not found. The
confidences rank what was found, for ``least_confidence``; they are set, not estimated: 0.9 for a phrase of
three words and more down to 0.55 for any word with a pause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from functions.edit.spoken_phrases import letters_of
from shared.contracts.spoken_word import SpokenWord

_LONGEST = 8
"""Words of a phrase that is said again, at most."""
_APART_MS = 2000
"""Between both times, at most: what comes later counts as said anew."""
_PAUSE_MS = 150
"""In what stutters there is a pause, or the word is of those that nobody repeats on purpose."""
_BROKEN_PAUSE_MS = 250
"""Where a sentence was given up, at least: with less, any two words that come again would be one."""
_ABANDONED = 6
"""Words of a beginning that was given up, at most."""
_BROKEN_OFF = ("-", "–", "—", "…", "...")
_ENDS = (".", "!", "?", "。", "！", "？")
_PAUSES_MARKED = (*_ENDS, ",", ";", ":", "、")
_SMALL: Mapping[str, str] = {
    "en": "the a an i we you he she it they and but or so to of in on at for with is are was were my our "
    "your his her their this if as what when because im its theyre thats there from by",
    "de": "ein eine einen ich wir du er sie es und oder aber zu von in im an am auf für mit ist sind war "
    "mein unser dein sein ihr wenn als wie weil dass bei",
}
"""Words that nobody says twice on purpose; of other languages only pauses tell."""
_MEANT: Mapping[str, str] = {
    "en": "very really no yes yeah so many much far long again more never ha bye well okay ok right now "
    "come go hey oh please had that one two three four five six seven eight nine zero ten",
    "de": "sehr ja nein ganz viel mehr nie so doch ach eins zwei drei bitte die das der den dem",
}
"""Words that are said twice on purpose, or to be understood."""


@dataclass(frozen=True)
class SaidTwice:
    """Words ``[first, last)`` are said again, or better, right behind them."""

    first: int
    last: int
    """Places in the words that were given, fillers counted."""
    reason: Literal["repeat", "false_start"]
    confidence: float
    """0.55 to 0.9."""


def said_twice(
    words: Sequence[SpokenWord], language: str, passed: frozenset[int] = frozenset()
) -> Iterator[SaidTwice]:
    """In order and without overlap. Words ``passed`` (places of fillers) may lie between both times, and
    count as pause there.

    ``language``: which words are small or meant; of one that has no list only pauses tell. Time grows
    with the words alone: from each place a few dozen are compared.
    """
    order = [at for at in range(len(words)) if at not in passed]
    kept = _Said(tuple(words[at] for at in order), language)
    at = 0
    while at < len(order):
        found = kept.repeat_at(at) or kept.broken_at(at) or kept.false_start_at(at)
        if found is None:
            at += 1
            continue
        count, reason, confidence = found
        yield SaidTwice(order[at], order[at + count - 1] + 1, reason, confidence)
        at += count


_Found = tuple[int, Literal["repeat", "false_start"], float] | None
"""How many words from a place on go, why, and how sure that is."""


class _Said:
    """Words by their letters, without those that were passed; ``at`` is a place among these."""

    def __init__(self, words: Sequence[SpokenWord], language: str) -> None:
        self._words = words
        self._letters = [letters_of(word.text) for word in words]
        self._small = frozenset(_SMALL.get(language, "").split())
        self._meant = frozenset(_MEANT.get(language, "").split())

    def repeat_at(self, at: int) -> _Found:
        """The longest phrase from ``at``, of one to eight words, that is said again at once.

        None where a sentence ends between both times: "No. No." is said twice on purpose.
        """
        for count in range(min(_LONGEST, (len(self._words) - at) // 2), 0, -1):
            here, again = at + count, at + 2 * count
            first, second = self._letters[at:here], self._letters[here:again]
            if first != second or not all(first) or not self._near(here):
                continue
            if self._ends(here - 1, _ENDS):
                return None
            if count > 1:
                return count, "repeat", 0.8 if count == 2 else 0.9
            return self._stutter_at(at)
        return None

    def _stutter_at(self, at: int) -> _Found:
        """One word said twice: a small one always, others with a pause, meant ones and numbers never.

        A word on none of the language's lists is the least sure: it may be stressed.
        """
        word = self._letters[at]
        if word in self._meant or any(sign.isdigit() for sign in word):
            return None
        paused = self._pause_ms(at + 1) >= _PAUSE_MS
        if word in self._small:
            return 1, "repeat", 0.8 if paused else 0.7
        return (1, "repeat", 0.55) if paused else None

    def broken_at(self, at: int) -> _Found:
        """A word that broke off, and how much before it is said again behind it.

        It must be written as broken (a dash or dots at its end), and the word that replaces it must begin
        with its letters: "the rec- | the recording". With words before it that come again it is surer.
        """
        for count in range(1, min(_ABANDONED, len(self._words) - at - 1) + 1):
            piece, again = at + count - 1, at + count
            if not self._ends(piece, _BROKEN_OFF) or not self._letters[piece]:
                continue
            said = self._letters[at:piece]
            after = self._letters[again : again + count]
            if after[: count - 1] != said or len(after) < count:
                continue
            if after[-1].startswith(self._letters[piece]) and self._near(again):
                return count, "false_start", 0.85 if count > 1 else 0.75
        return None

    def false_start_at(self, at: int) -> _Found:
        """Two words that begin anew after one to four others and a pause that no sign marks.

        A comma or full stop anywhere in between speaks for a list or another sentence.
        """
        for count in range(3, _ABANDONED + 1):
            again = at + count
            if again + 2 > len(self._words):
                return None
            begun = self._letters[at : at + 2]
            if begun != self._letters[again : again + 2] or not all(begun):
                continue
            unmarked = not any(self._ends(one, _PAUSES_MARKED) for one in range(at, again))
            if unmarked and self._near(again) and self._pause_ms(again) >= _BROKEN_PAUSE_MS:
                return count, "false_start", 0.6
        return None

    def _near(self, at: int) -> bool:
        """Does the same speaker go on at ``at``, soon enough?"""
        one, other = self._words[at - 1], self._words[at]
        return self._pause_ms(at) <= _APART_MS and one.speaker_id == other.speaker_id

    def _pause_ms(self, at: int) -> int:
        """Before the word at ``at``; negative where it overlaps the one before."""
        return self._words[at].start_ms - self._words[at - 1].end_ms

    def _ends(self, at: int, signs: tuple[str, ...]) -> bool:
        return self._words[at].text.rstrip("\"'”’»)").endswith(signs)
