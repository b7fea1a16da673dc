"""Words become cues that a viewer can follow.

At most two lines of 42 characters, 1 to 7 seconds, about 17 characters a second and never over 20
where the speaker leaves the time; a cue ends where a sentence, a clause or a pause does. Of all ways
to part the words the cheapest is taken (dynamic programming over the last break).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from shared.contracts.asr_transcript import TranscriptCue
from shared.contracts.spoken_word import SpokenWord, text_of

LINE_CHARS, LINES = 42, 2
SHORTEST_MS, LONGEST_MS = 1000, 7000
READ_PER_S, HURRIED_PER_S = 17.0, 20.0
_GAP_MS = 80
"""Between a cue that is held for reading and the next: two frames, so that the change is seen."""
_PAUSE_MS = 500
_LONG_PAUSE_MS = 1500
"""No cue goes on over so long a pause."""
_MOST_WORDS = 2 * LINE_CHARS
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLAUSE_ENDS = (",", ";", ":", "–", "—", "、", "，")
_CLOSING = "\"'”’»)]"
_OPENERS = frozenset(
    (
        *("and", "but", "or", "nor", "so", "yet", "because", "although", "though", "while", "when"),
        *("where", "which", "who", "that", "if", "than", "as", "with"),
        *("und", "aber", "oder", "denn", "weil", "dass", "wenn"),
        *("et", "mais", "ou", "que", "qui", "y", "pero", "o", "porque"),
    )
)
"""A clause begins with them: better before than after."""


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


def make_cues(words: Sequence[SpokenWord], duration_ms: int) -> list[Cue]:
    """All words in cues, in order; ``words`` are in order of their starts."""
    cues: list[Cue] = []
    for first, last in _stretches(words):
        for low, high in _partition(words[first:last], _until(words, last, duration_ms)):
            part = words[first + low : first + high]
            lines = break_lines(part)
            end_ms = min(part[-1].end_ms, part[0].start_ms + LONGEST_MS)
            speaker = part[0].speaker_id
            cues.append(Cue(part[0].start_ms, end_ms, lines, first + low, len(part), speaker))
    return _timed(cues, duration_ms)


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


def _until(words: Sequence[SpokenWord], last: int, duration_ms: int) -> int:
    return words[last].start_ms if last < len(words) else duration_ms


def _partition(words: Sequence[SpokenWord], until_ms: int) -> list[tuple[int, int]]:
    """The cheapest way to part one stretch into cues; what follows begins at ``until_ms``."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(words) + 1):
        after_ms = words[last].start_ms if last < len(words) else until_ms
        here = _break_cost(words, last)
        options = []
        for first in range(last - 1, max(-1, last - 1 - _MOST_WORDS), -1):
            part = words[first:last]
            if last - first > 1 and not _possible(part):
                break
            options.append((best[first][0] + (_cost(part, after_ms) + here), first))
        best.append(min(options))
    cuts = [len(words)]
    while cuts[-1] > 0:
        cuts.append(best[cuts[-1]][1])
    return list(zip(cuts[:0:-1], cuts[-2::-1], strict=True))


def _possible(part: Sequence[SpokenWord]) -> bool:
    return part[-1].end_ms - part[0].start_ms <= LONGEST_MS and len(break_lines(part)) <= LINES


def _cost(part: Sequence[SpokenWord], after_ms: int) -> float:
    """Of a cue by itself: too short, too much to read, sentences and pauses inside."""
    chars = len(text_of(part))
    room_ms = min(max(after_ms, part[-1].end_ms) - part[0].start_ms, LONGEST_MS)
    needed_ms = 1000 * chars / READ_PER_S
    cost = 1.0 + 6.0 * max(0.0, SHORTEST_MS - room_ms) / SHORTEST_MS
    cost += 4.0 * max(0.0, needed_ms - room_ms) / needed_ms
    cost += 1.5 * max(0.0, 12 - chars) / 12
    for index in range(1, len(part)):
        if part[index - 1].text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS):
            cost += 1.5
        if _pause_ms(part, index) >= _PAUSE_MS:
            cost += 1.0
    return cost


def _break_cost(words: Sequence[SpokenWord], index: int) -> float:
    """Of ending a cue before ``words[index]``."""
    if index == len(words):
        return 0.0
    ended = words[index - 1].text.rstrip(_CLOSING)
    if ended.endswith(_SENTENCE_ENDS):
        return 0.0
    if _pause_ms(words, index) >= _PAUSE_MS or ended.endswith(_CLAUSE_ENDS):
        return 0.7
    opens = words[index].text.lower().strip(_CLOSING) in _OPENERS
    return 1.4 if opens else 2.5


def break_lines(words: Sequence[SpokenWord]) -> tuple[str, ...]:
    """One line where it fits, otherwise the fewest; of two, evenly long and parted at a clause."""
    text = text_of(words)
    if len(text) <= LINE_CHARS:
        return (text,)
    lead = 0 if words[0].joined else 1
    ends = accumulate(len(word.text) + (0 if word.joined else 1) for word in words[:-1])
    halves = [
        (text[: end - lead], text[end - lead :].lstrip(), index)
        for index, end in enumerate(ends, 1)
    ]
    fitting = [half for half in halves if max(len(half[0]), len(half[1])) <= LINE_CHARS]
    if fitting:
        upper, lower, _ = min(
            fitting,
            key=lambda half: (
                abs(len(half[1]) - len(half[0])) / 10 + 2 * _break_cost(words, half[2])
            ),
        )
        return upper, lower
    return tuple(_filled(words))


def _filled(words: Sequence[SpokenWord]) -> Iterator[str]:
    """Line by line as full as they get; a word longer than a line is cut."""
    line = ""
    for word in words:
        longer = f"{line}{'' if word.joined or not line else ' '}{word.text}"
        if len(longer) <= LINE_CHARS:
            line = longer
            continue
        if line:
            yield line
        *full, line = (
            word.text[at : at + LINE_CHARS] for at in range(0, len(word.text), LINE_CHARS)
        )
        yield from full
    if line:
        yield line


def _timed(cues: Sequence[Cue], duration_ms: int) -> list[Cue]:
    """Each held long enough to be read, none over another, none beyond the recording."""
    made: list[Cue] = []
    for index, cue in enumerate(cues):
        start_ms = max(cue.start_ms, made[-1].end_ms if made else 0)
        chars = sum(map(len, cue.lines))
        wanted_ms = max(SHORTEST_MS, round(1000 * chars / READ_PER_S), cue.end_ms - start_ms)
        end_ms = start_ms + min(wanted_ms, LONGEST_MS)
        if index + 1 < len(cues):
            later_ms = cues[index + 1].start_ms
            held = end_ms > cue.end_ms and later_ms - _GAP_MS >= max(
                cue.end_ms, start_ms + SHORTEST_MS
            )
            end_ms = min(
                end_ms, max(later_ms - _GAP_MS if held else later_ms, start_ms + SHORTEST_MS)
            )
        made.append(replace(cue, start_ms=start_ms, end_ms=end_ms))
    return _within(made, duration_ms)


def _within(cues: Sequence[Cue], duration_ms: int) -> list[Cue]:
    """From the last one back: what would go beyond the end begins earlier."""
    limit_ms = duration_ms
    made: list[Cue] = []
    for cue in reversed(cues):
        end_ms = min(cue.end_ms, limit_ms)
        start_ms = min(cue.start_ms, max(0, end_ms - SHORTEST_MS))
        made.append(replace(cue, start_ms=start_ms, end_ms=end_ms))
        limit_ms = start_ms
    return made[::-1]
