"""Words become cues that a viewer can follow, as a profile asks.

A cue ends where a sentence, a clause or a pause does, and never between what people leave together
where that can be helped. Of all ways to part the words the cheapest is taken (dynamic programming over
the last break); then each cue is timed (``cue_times``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from shared.captions.break_costs import (
    PAUSE_MS,
    PLAIN,
    Grammar,
    break_cost,
    ends_sentence,
    grammar_of,
)
from shared.captions.cue_times import Timed, timed
from shared.captions.lines import break_lines, line_count, word_columns
from shared.captions.profiles import Profile
from shared.captions.text_width import columns
from shared.contracts.asr_transcript import TranscriptCue
from shared.contracts.spoken_word import SpokenWord

_LONG_PAUSE_MS = 1500
"""No cue goes on over so long a pause."""
_SHORT_COLUMNS = 12
"""Less than this is hardly worth a cue of its own."""


@dataclass(frozen=True)
class Layout:
    """What cues are made for."""

    profile: Profile
    """With the reading of the words' language."""
    language: str = "und"
    frame_rate: float | None = None
    """Of the picture, where there is one."""
    shots_ms: Sequence[float] = ()
    """When the picture is cut, in order."""
    names: bool = False
    """Leave room for a speaker's name where another one begins to speak."""
    speaker_names: Mapping[str, str] = field(default_factory=dict)
    """Speaker -> name, where it is not made of the id (``name_of``)."""

    @cached_property
    def grammar(self) -> Grammar:
        """The language's closed classes."""
        return grammar_of(self.language)


@dataclass(frozen=True)
class Cue:
    """What is shown together, ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    first_word: int
    """Index of its first word in the transcript."""
    word_count: int
    speaker_id: str | None = None

    def written(self, index: int) -> TranscriptCue:
        """As transcripts hold it; ``index`` counts from 1."""
        known: dict[str, Any] = {} if self.speaker_id is None else {"speaker_id": self.speaker_id}
        return TranscriptCue(
            index=index,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            text="\n".join(self.lines),
            first_word=self.first_word,
            word_count=self.word_count,
            **known,
        )


def make_cues(words: Sequence[SpokenWord], duration_ms: int, layout: Layout) -> list[Cue]:
    """All words in cues, in order; ``words`` are in order of their starts."""
    profile = layout.profile
    spans: list[tuple[int, int]] = []
    lines: list[tuple[str, ...]] = []
    for first, last in _stretches(words):
        indent = _indent(words, first, layout)
        until_ms = words[last].start_ms if last < len(words) else duration_ms
        stretch = _Stretch(words[first:last], until_ms, indent, layout)
        for low, high in stretch.partition():
            spans.append((first + low, first + high))
            part = words[first + low : first + high]
            room = indent if low == 0 else 0
            columns = profile.reading.line_columns
            lines.append(break_lines(part, columns, profile.lines, layout.grammar, room))
    times = timed(
        [Timed.of(words[low:high]) for low, high in spans],
        duration_ms,
        profile,
        layout.frame_rate,
        layout.shots_ms,
    )
    return [
        Cue(time.start_ms, time.end_ms, text, low, high - low, words[low].speaker_id)
        for time, text, (low, high) in zip(times, lines, spans, strict=True)
    ]


def name_of(speaker_id: str) -> str:
    """What a speaker is called where nobody says: ``channel_1`` is ``Channel 1``."""
    return speaker_id.replace("_", " ").capitalize()


def _indent(words: Sequence[SpokenWord], first: int, layout: Layout) -> int:
    """Columns for ``Name: ``."""
    speaker = words[first].speaker_id
    if not layout.names or speaker is None:
        return 0
    if first and not _changes(words, first):
        return 0
    return columns(layout.speaker_names.get(speaker) or name_of(speaker)) + 2


def _stretches(words: Sequence[SpokenWord]) -> Iterator[tuple[int, int]]:
    """Words ``[first, last)`` of one speaker without a long pause."""
    first = 0
    for index in range(1, len(words) + 1):
        ends = index == len(words)
        if ends or _pause_ms(words, index) >= _LONG_PAUSE_MS or _changes(words, index):
            if index > first:
                yield first, index
            first = index


def _pause_ms(words: Sequence[SpokenWord], index: int) -> int:
    return words[index].start_ms - words[index - 1].end_ms


def _changes(words: Sequence[SpokenWord], index: int) -> bool:
    return words[index].speaker_id != words[index - 1].speaker_id


class _Stretch:
    """Words that may share cues, and the ways to part them."""

    def __init__(
        self, words: Sequence[SpokenWord], until_ms: int, indent: int, layout: Layout
    ) -> None:
        """What follows the words begins at ``until_ms``; a name may stand before the first."""
        self.words, self.until_ms, self.profile = words, until_ms, layout.profile
        self.widths = word_columns(words, indent)
        self.offsets = [0, *accumulate(self.widths)]
        costs = (break_cost(*pair, layout.grammar) for pair in pairwise(words))
        self.breaks = [0.0, *costs, 0.0]
        self.sentences = [ends_sentence(word, layout.grammar) for word in words]
        self.pauses = [0, *(_pause_ms(words, at) for at in range(1, len(words)))]

    def partition(self) -> list[tuple[int, int]]:
        """The cheapest way: ``[first, last)`` of each cue."""
        words = self.words
        most_columns = self.profile.lines * self.profile.reading.line_columns
        best: list[tuple[float, int]] = [(0.0, 0)]
        for last in range(1, len(words) + 1):
            after_ms = words[last].start_ms if last < len(words) else self.until_ms
            options = []
            for first in range(last - 1, -1, -1):
                if last - first > 1 and not self._possible(first, last, most_columns):
                    break
                cost = self._cost(first, last, after_ms) + self.breaks[last]
                options.append((best[first][0] + cost, first))
            best.append(min(options))
        cuts = [len(words)]
        while cuts[-1] > 0:
            cuts.append(best[cuts[-1]][1])
        return list(zip(cuts[:0:-1], cuts[-2::-1], strict=True))

    def _possible(self, first: int, last: int, most_columns: int) -> bool:
        words, profile = self.words, self.profile
        if words[last - 1].end_ms - words[first].start_ms > profile.longest_ms:
            return False
        if self._columns(first, last) > most_columns + profile.lines:
            return False
        widths = self.widths[first:last]
        widths[0] -= self._lead(first)
        return line_count(widths, profile.reading.line_columns) <= profile.lines

    def _lead(self, first: int) -> int:
        """The space that falls away where a word begins a line."""
        return 0 if first == 0 or self.words[first].joined else 1

    def _columns(self, first: int, last: int) -> int:
        return self.offsets[last] - self.offsets[first] - self._lead(first)

    def _cost(self, first: int, last: int, after_ms: int) -> float:
        """Of a cue by itself: too short, too much to read, sentences and pauses inside."""
        words, profile = self.words, self.profile
        chars = self._columns(first, last)
        spoken_ms = max(after_ms, words[last - 1].end_ms) - words[first].start_ms
        room_ms = min(spoken_ms, profile.longest_ms)
        needed_ms = 1000 * chars / profile.reading.per_s
        least_ms = max(profile.shortest_ms, 1000)
        cost = 1.0 + 6.0 * max(0.0, least_ms - room_ms) / least_ms
        cost += 4.0 * max(0.0, needed_ms - room_ms) / needed_ms
        cost += 1.5 * max(0.0, _SHORT_COLUMNS - chars) / _SHORT_COLUMNS
        cost += self._line_cost(first, last, chars)
        if last - first == 1 and not self.sentences[first]:
            cost += 1.5
        for index in range(first + 1, last):
            if self.sentences[index - 1]:
                cost += 1.5
            if self.pauses[index] >= PAUSE_MS:
                cost += 1.0
        return cost

    def _line_cost(self, first: int, last: int, chars: int) -> float:
        """Of lines that would part what belongs together; three of them are not looked at."""
        most = self.profile.reading.line_columns
        if chars <= most or self.profile.lines != 2:
            return 0.0
        fitting = (
            self.breaks[cut]
            for cut in range(first + 1, last)
            if self._columns(first, cut) <= most and self._columns(cut, last) <= most
        )
        return max(0.0, min(fitting, default=PLAIN) - PLAIN)
