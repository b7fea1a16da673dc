"""Words with times: every word has one, in order, within the recording.

Whisper's aligner gives some words no time, or none to speak of, and now and then no words at all but only a
text. Such words share the time that their neighbours leave, by their lengths, and are marked
``interpolated``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from shared.contracts.spoken_word import UNSPACED, SpokenWord

Timing = Literal["aligned", "interpolated"]

LEAST_WORD_S = 0.02
"""A word that the aligner gave less than this has no time of its own."""


def marked(word: SpokenWord, *, joined: bool = False, speaker_id: str | None = None) -> SpokenWord:
    """The word, which names ``joined`` and ``speaker_id`` only where there is something to say."""
    known: dict[str, Any] = {"joined": True} if joined else {}
    if speaker_id is not None:
        known["speaker_id"] = speaker_id
    return word.model_copy(update=known)


@dataclass(frozen=True)
class Raw:
    """A word as the recogniser gave it: perhaps without times, which are seconds."""

    text: str
    """As it was given: of a model with the space before it, where it has one."""
    probability: float
    """0 to 1."""
    start_s: float | None = None
    end_s: float | None = None
    interpolated: bool = False

    @property
    def from_s(self) -> float:
        """``start_s`` of a word that has one."""
        assert self.start_s is not None
        return self.start_s

    @property
    def until_s(self) -> float:
        """``end_s`` of a word that has one."""
        assert self.end_s is not None
        return self.end_s

    @property
    def timed(self) -> bool:
        """Has the aligner placed it?"""
        if self.start_s is None or self.end_s is None:
            return False
        return self.end_s - self.start_s >= LEAST_WORD_S


def whole(words: Sequence[Raw]) -> list[Raw]:
    """The words as they are written, each as sure as its least sure piece.

    Whisper parts them at punctuation: `` $1`` and ``,250``, `` 3``, ``.5`` and ``%``, `` well`` and
    ``-known``; of a translation, at every token. Where a script has no spaces, pieces stay pieces.
    """
    made: list[Raw] = []
    for word in words:
        before = made[-1].text[-1:] if made else " "
        if before.isspace() or word.text[:1].isspace() or UNSPACED.search(before + word.text[:1]):
            made.append(word)
            continue
        start = made.pop()
        sure = min(start.probability, word.probability)
        made.append(replace(start, text=start.text + word.text, probability=sure, end_s=word.end_s))
    return made


def with_times(words: Sequence[Raw], start_s: float, end_s: float) -> list[Raw]:
    """The same words, all with times: those without share what lies between their neighbours.

    ``start_s`` and ``end_s`` are the segment's. Where the neighbours leave nothing, the lost words
    take half of the time of the word before them, or else of the one after.
    """
    placed = list(words)
    index = 0
    while index < len(placed):
        last = index
        while last < len(placed) and not placed[last].timed:
            last += 1
        if last > index:
            low, high = _room(placed, index, last, (start_s, end_s))
            placed[index:last] = _shared_out(placed[index:last], low, high)
        index = last + 1
    return placed


def _room(
    placed: list[Raw], first: int, last: int, segment: tuple[float, float]
) -> tuple[float, float]:
    """The time for the lost words ``[first, last)``; shortens a neighbour where there is none."""
    least_s = LEAST_WORD_S * (last - first)
    before = placed[first - 1] if first else None
    after = placed[last] if last < len(placed) else None
    low = before.until_s if before else min(segment[0], after.from_s if after else segment[0])
    high = after.from_s if after else max(segment[1], low)
    if high - low >= least_s:
        return low, high
    if before:
        low = (before.from_s + low) / 2
        placed[first - 1] = replace(before, end_s=low)
        return low, max(high, before.until_s)
    if after:
        high = (after.from_s + after.until_s) / 2
        placed[last] = replace(after, start_s=high)
        return low, high
    return low, low + least_s


def _shared_out(lost: Sequence[Raw], low: float, high: float) -> list[Raw]:
    """Times for ``lost`` between ``low`` and ``high`` (s), by their lengths in characters."""
    total = sum(len(word.text) or 1 for word in lost)
    made, at = [], low
    for word in lost:
        until = at + (high - low) * (len(word.text) or 1) / total
        made.append(replace(word, start_s=at, end_s=until, interpolated=True))
        at = until
    return made
