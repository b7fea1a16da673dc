"""A cue's words on lines: the fewest that hold them, parted where people part sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from shared.captions.break_costs import Grammar, break_cost
from shared.captions.text_width import columns, pieces
from shared.contracts.spoken_word import SpokenWord, text_of

_LONELY = 4.0
"""What a line of one word costs."""
_UNEVEN_COLUMNS = 10
"""A difference of so many columns costs 1."""


def word_columns(words: Sequence[SpokenWord], indent: int = 0) -> list[int]:
    """Each word's room, with the space before it; ``indent`` columns stand before the first."""
    widths = [columns(word.text) + (0 if word.joined else 1) for word in words]
    if words:
        widths[0] += indent - (0 if words[0].joined else 1)
    return widths


def line_count(widths: Sequence[int], line_columns: int) -> int:
    """How many lines the words take at least, filled one after the other."""
    lines, line = 1, 0
    for width in widths:
        if line + width <= line_columns or not line:
            line += width
        else:
            lines, line = lines + 1, width
        while line > line_columns:  # a word that must be cut
            lines, line = lines + 1, line - line_columns
    return lines


def break_lines(
    words: Sequence[SpokenWord], line_columns: int, lines: int, grammar: Grammar, indent: int = 0
) -> tuple[str, ...]:
    """One line where it fits, otherwise the fewest: evenly long, parted at clauses.

    ``indent`` columns of the first line are kept free, for a name. More than ``lines`` come back
    where the words don't fit; a word longer than a line is cut between characters.
    """
    widths = word_columns(words, indent)
    for count in range(line_count(widths, line_columns), lines + 1):
        fitting = [
            (_cost(words, widths, edges, grammar), edges)
            for edges in _ways(len(words), count)
            if _widest(words, widths, edges) <= line_columns
        ]
        if fitting:
            _, edges = min(fitting)
            return tuple(text_of(words[low:high]) for low, high in pairwise(edges))
    return tuple(_filled(words, line_columns, indent))


def _ways(words: int, lines: int) -> Iterator[tuple[int, ...]]:
    """Where lines may begin and end: ``lines + 1`` places, 0 first and ``words`` last."""
    for cuts in combinations(range(1, words), lines - 1):
        yield (0, *cuts, words)


def _lengths(
    words: Sequence[SpokenWord], widths: Sequence[int], edges: Sequence[int]
) -> Iterator[int]:
    for low, high in pairwise(edges):
        space = 0 if low == 0 or words[low].joined else 1
        yield sum(widths[low:high]) - space


def _widest(words: Sequence[SpokenWord], widths: Sequence[int], edges: Sequence[int]) -> int:
    return max(_lengths(words, widths, edges))


def _cost(
    words: Sequence[SpokenWord], widths: Sequence[int], edges: Sequence[int], grammar: Grammar
) -> float:
    lengths = list(_lengths(words, widths, edges))
    cost = (max(lengths) - min(lengths)) / _UNEVEN_COLUMNS
    for low, high in pairwise(edges):
        if high < len(words):
            cost += 2 * break_cost(words[high - 1], words[high], grammar)
        if high - low == 1 and not any(word.joined for word in words):
            cost += _LONELY
    return cost


def _filled(words: Sequence[SpokenWord], line_columns: int, indent: int) -> Iterator[str]:
    """Line by line as full as they get; a word longer than a line is cut."""
    line, room = "", line_columns - indent
    for word in words:
        longer = f"{line}{'' if word.joined or not line else ' '}{word.text}"
        if columns(longer) <= room:
            line = longer
            continue
        if line:
            yield line
            room = line_columns
        *full, line = pieces(word.text, line_columns)
        yield from full
    if line:
        yield line
