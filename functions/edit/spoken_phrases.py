"""Words by their letters, and where a phrase is said.

Words are compared as Unicode's compatibility form (NFKC, UAX 15) with case folded and only letters,
digits and vowel signs left, so that neither punctuation nor how an accent is coded counts.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from shared.contracts.spoken_word import UNSPACED, SpokenWord

_SPELLING_CLASSES = {0, 7, 8, 9, *range(84, 133)}
"""Of marks without which a word is another (Unicode's canonical combining classes, UAX 44): vowel signs,
viramas and tones of India's and South East Asia's scripts, kana's voicing. Others stand over letters
(from 200 on) or are points that are written or not (10 to 36: Hebrew, Arabic)."""
_GLYPHS_ALONE = ("NUKTA", "VARIATION SELECTOR", "GRAPHEME JOINER")
"""In names of marks of those classes that are left out all the same: people write the dot or don't."""
_ABOVE_OR_BELOW = 200
"""Unicode's combining classes from here on are of accents, cedillas, tones: people write them or don't."""
_APOSTROPHES = "'\u2019"
_ENDINGS = ("ll", "d", "ve")
"""What English writes behind a name's apostrophe, beside the genitive: ``Anna'll``."""


def letters_of(text: str) -> str:
    """A word without case, punctuation and accents' ways of being written: ``Don't,`` is ``dont``."""
    return "".join(filter(_spells, _folded(text)))


def _spells(sign: str) -> bool:
    """Is it a letter, a digit, or a mark that makes another word of one?"""
    if sign.isalnum():
        return True
    if unicodedata.category(sign) not in ("Mn", "Mc"):
        return False
    name = unicodedata.name(sign, "")
    spelled = unicodedata.combining(sign) in _SPELLING_CLASSES
    return spelled and not any(one in name for one in _GLYPHS_ALONE)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _without_accents(text: str) -> str:
    """``josé`` as ``jose``, ``ё`` as ``е``, ``ı`` as ``i``: without marks above and below letters, however
    they are coded. Those that spell (``_SPELLING_CLASSES``) stay."""
    apart = unicodedata.normalize("NFKD", _folded(text).replace("\u0131", "i"))
    kept = "".join(sign for sign in apart if unicodedata.combining(sign) < _ABOVE_OR_BELOW)
    return unicodedata.normalize("NFC", kept)


def phrase_letters(phrase: str) -> tuple[str, ...]:
    """The words of a phrase by their letters; those without any are left out."""
    return tuple(word for word in map(letters_of, phrase.split()) if word)


def said_at(words: Sequence[SpokenWord], phrases: Sequence[str]) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of each place where one of the phrases is said, the longest of them.

    Where words are joined (Chinese, Japanese), a phrase is found across them, if it begins and ends where
    words do: what is said here goes, and nothing that stays may go with it. Places do not overlap: behind
    one the search goes on behind its last word. A phrase without letters is said nowhere.
    """
    wanted = {letters for letters in map(phrase_letters, phrases) if letters}
    said = [letters_of(word.text) for word in words]
    joined = {"".join(letters) for letters in wanted}
    at = 0
    while at < len(said):
        here = (one for one in wanted if tuple(said[at : at + len(one)]) == one)
        length = max(map(len, here), default=0)
        if not length and words[at].joined | (at + 1 < len(words) and words[at + 1].joined):
            length = _joined_length(said, at, joined)
        if length:
            yield at, at + length
        at += max(length, 1)


def touched_at(words: Sequence[SpokenWord], phrases: Sequence[str]) -> list[tuple[int, int]]:
    """``[first, last)`` of the words that any of the phrases touches, in order; those that overlap as one.

    For what must not be missed: each phrase is found wherever it is said, beside others and within a word
    where that may part, so that more than the phrase is touched. A word may part on either side of a sign
    of a script without spaces, and at signs in it that are no letters: ``Lena`` in ``Anna-Lena``, not
    ``Don`` in ``Don't``. A name of one such sign is found in each word that is written with it, and accents
    tell none apart: ``Jose`` is in ``José``. A phrase is also found before an English ending of a name,
    within a word or not.
    """
    within = _Letters([word.text for word in words])
    joined = [word.joined for word in words]
    found = {place for phrase in phrases for place in within.places_of(phrase, joined)}
    reached: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if reached and first < reached[-1][1]:
            first, last = reached[-1][0], max(last, reached.pop()[1])  # noqa: PLW2901 - both as one
        reached.append((first, last))
    return reached


class _Letters:
    """All letters of some words in a row, and where a phrase may begin and end among them."""

    def __init__(self, texts: Sequence[str]) -> None:
        letters: list[str] = []
        self._starts: list[int] = []
        """Of each word; that of one without letters is the next one's."""
        self._begins, self._ends = set[int](), set[int]()
        for text in texts:
            self._starts.append(len(letters))
            self._begins.add(len(letters))
            self._ends.add(len(letters))
            for sign in _without_accents(text):
                if _spells(sign):
                    letters.append(sign)
                    continue
                if unicodedata.category(sign)[0] == "M":
                    continue
                self._begins.add(len(letters))
                if sign not in _APOSTROPHES:
                    self._ends.add(len(letters))
        self._ends.add(len(letters))
        self._all = "".join(letters)

    def places_of(self, phrase: str, joined: Sequence[bool]) -> Iterator[tuple[int, int]]:
        """``[first, last)`` of the words in which the phrase is said, each place; ``joined`` of each word.

        Where spaces part words, "the rapist" is neither in "therapist" nor the other way round.
        """
        wanted = _Letters(phrase.split())
        one = wanted._all
        at = self._all.find(one) if one else -1
        while at >= 0:
            stop = at + len(one)
            first, last = bisect_right(self._starts, at) - 1, bisect_left(self._starts, stop)
            ends = self._may_part(stop, self._ends) or self._ending_from(stop)
            if ends and self._may_part(at, self._begins):
                joins = any(joined[first : first + 2]) or bool(UNSPACED.search(one))
                if joins or self._parted_alike(at, wanted):
                    yield first, last
            at = self._all.find(one, at + 1)

    def _parted_alike(self, at: int, wanted: _Letters) -> bool:
        """Has each space of either the space, or a sign that is no letter, of the other there?

        ``555-1234`` is said in ``555 1234`` and the other way round; a sign alone may be missing.
        """
        stop = at + len(wanted._all)
        low, high = bisect_right(self._starts, at), bisect_left(self._starts, stop)
        spaces = {start - at for start in self._starts[low:high]}
        asked = {start for start in wanted._starts if 0 < start < stop - at}
        return spaces <= wanted._begins and all(at + start in self._begins for start in asked)

    def _ending_from(self, at: int) -> bool:
        """Does an ending stand there, and the word part behind it? Only a genitive lacks an apostrophe."""
        endings = ("s", *(_ENDINGS if at in self._begins else ()))
        return any(
            self._all.startswith(ending, at) and at + len(ending) in self._ends
            for ending in endings
        )

    def _may_part(self, at: int, known: set[int]) -> bool:
        if at in known:
            return True
        # Not between a letter and its mark.
        return self._all[at].isalnum() and bool(UNSPACED.search(self._all[at - 1 : at + 1]))


def _joined_length(said: Sequence[str], at: int, wanted: set[str]) -> int:
    """How many words from ``at`` on make one of the wanted together, the most of them; 0: none do."""
    longest = max(map(len, wanted), default=0)
    together, found = "", 0
    for count, word in enumerate(said[at:], 1):
        together += word
        if len(together) > longest:
            break
        if together in wanted:
            found = count
    return found
