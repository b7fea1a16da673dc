"""Words by their letters, and where a phrase is said.

Words are compared as Unicode's compatibility form (NFKC, UAX 15) with case folded and only letters and
digits left, so that neither punctuation nor how an accent is coded counts. Vowel signs that are marks of
their own (Devanagari, Thai) are no letters by that: words that differ in them alone are taken for one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from shared.contracts.spoken_word import SpokenWord


def letters_of(text: str) -> str:
    """A word without case, punctuation and accents' ways of being written: ``Don't,`` is ``dont``."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if sign.isalnum())


def phrase_letters(phrase: str) -> tuple[str, ...]:
    """The words of a phrase by their letters; those without any are left out."""
    return tuple(word for word in map(letters_of, phrase.split()) if word)


def said_at(
    words: Sequence[SpokenWord], phrases: Sequence[str], *, owned: bool = False
) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of each place where one of the phrases is said, the longest of them.

    With ``owned``, a phrase also stands for its genitive: ``Anna`` for ``Anna's``. Where words are
    joined (Chinese, Japanese), a phrase is found across them, if it begins and ends where words do.
    Places do not overlap: behind one the search goes on behind its last word. A phrase without
    letters is said nowhere.
    """
    wanted = {letters for letters in map(phrase_letters, phrases) if letters}
    said = [letters_of(word.text) for word in words]
    joined = {"".join(letters) for letters in wanted}
    at = 0
    while at < len(said):
        length = max((len(one) for one in wanted if _begins(said, at, one, owned=owned)), default=0)
        if not length and words[at].joined | (at + 1 < len(words) and words[at + 1].joined):
            length = _joined_length(said, at, joined)
        if length:
            yield at, at + length
        at += max(length, 1)


def _begins(said: Sequence[str], at: int, wanted: Sequence[str], *, owned: bool) -> bool:
    """Is the phrase said from ``at`` on? Its last word may be ``owned``, no other."""
    here = said[at : at + len(wanted)]
    if len(here) < len(wanted) or list(here[:-1]) != list(wanted[:-1]):
        return False
    return here[-1] == wanted[-1] or (owned and here[-1] == wanted[-1] + "s")


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
