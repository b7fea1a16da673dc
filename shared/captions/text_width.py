"""How much room text takes on a screen, and cleaning it without losing what scripts need.

A column is half as wide as a full-width character: Latin letters take one, Chinese, Japanese and
Korean ones two, marks that sit on others none (Unicode Standard Annex 11, by ``wcwidth``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from wcwidth import iter_graphemes, wcswidth

SPACES = " \t"
"""What may be trimmed. A no-break space (U+00A0) and an ideographic one (U+3000) are the writer's."""
_LINE_ENDS = ("\u2028", "\u2029", "\x85")


def columns(text: str) -> int:
    """The room that one line of text takes."""
    wide = wcswidth(text)
    return wide if wide >= 0 else sum(max(0, wcswidth(sign)) for sign in text)


def pieces(text: str, most_columns: int) -> Iterator[str]:
    """A text without spaces in parts that fit; what is read as one character stays together."""
    piece = ""
    for grapheme in iter_graphemes(text):
        if piece and columns(piece + grapheme) > most_columns:
            yield piece
            piece = ""
        piece += grapheme
    if piece:
        yield piece


def one_line(text: str) -> str:
    """Lines as one: with a space between them, but not between full-width characters."""
    joined = ""
    for line in text.split("\n"):
        touching = joined[-1:] + line[:1]
        gap = "" if len(touching) == 2 and all(wcswidth(sign) == 2 for sign in touching) else " "
        joined = f"{joined}{gap if joined and line else ''}{line}"
    return joined


def cleaned(text: str) -> str:
    """Without control characters and empty lines, which end or begin a cue in most formats.

    Marks of direction, joiners (U+200C, U+200D), no-break and ideographic spaces stay.
    """
    for sign in _LINE_ENDS:
        text = text.replace(sign, "\n")
    lines = (
        "".join(" " if is_control(sign) else sign for sign in line).strip(SPACES)
        for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    )
    return "\n".join(line for line in lines if line)


def is_control(sign: str) -> bool:
    """A control character, half of a surrogate pair, or the end of a line or paragraph."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def runs_right_to_left(text: str) -> bool:
    """Does its first letter with a direction run from right to left (UAX 9, P2 and P3)?"""
    for sign in text:
        direction = unicodedata.bidirectional(sign)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
