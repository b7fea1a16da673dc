"""Lines broken anew for a format with shorter ones, by the spaces and characters of a text alone."""

from __future__ import annotations

from collections.abc import Sequence

from wcwidth import iter_graphemes

from shared.captions.break_costs import grammar_of
from shared.captions.lines import break_lines
from shared.captions.text_width import columns, one_line
from shared.contracts.spoken_word import SpokenWord


def words_of(text: str, start_ms: int = 0, end_ms: int = 0) -> list[SpokenWord]:
    """A text's words, which share the time; full-width characters are one each."""
    parts = [
        (part, at > 0)
        for chunk in one_line(text).split(" ")
        for at, part in enumerate(_parts(chunk))
    ]
    share = (end_ms - start_ms) / max(1, len(parts))
    return [
        SpokenWord(
            start_ms=round(start_ms + at * share),
            end_ms=round(start_ms + (at + 1) * share),
            text=part,
            probability=1.0,
            timing="interpolated",
            joined=joined,
        )
        for at, (part, joined) in enumerate(parts)
    ]


def _parts(chunk: str) -> list[str]:
    """What may be parted in a text without spaces: before and after each full-width character."""
    parts: list[str] = []
    for sign in iter_graphemes(chunk):
        wide = columns(sign) == 2
        if parts and not wide and columns(parts[-1][-1:]) != 2:
            parts[-1] += sign
        else:
            parts.append(sign)
    return parts


def rewrapped(text: str, line_columns: int, lines: int, language: str = "und") -> Sequence[str]:
    """The text's own lines where they fit, otherwise the fewest that hold it."""
    own = text.split("\n")
    if len(own) <= lines and all(columns(line) <= line_columns for line in own):
        return own
    return break_lines(words_of(text), line_columns, lines, grammar_of(language))
