"""SubRip and WebVTT, as people's programs write them, as cues.

    SubRip    a line with an arrow between two times begins a cue; the number on the line before is its own
    WebVTT    parts between empty lines: what has times in its first or second line is a cue, all else
              (notes, styles, regions) is none; a line before the times is the cue's name (WebVTT, 6.1)

A cue whose times cannot be read is an error: what nobody reads would be missing without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise

_ARROW = "-->"
_TIME = r"(\d{1,2}):(\d{1,2})(?:[.,]\s?(\d{1,3}))?"
_SRT_TIMES = re.compile(rf"(\d+):{_TIME}\s*-->\s*(\d+):{_TIME}(?!\S)")
_VTT_TIMES = re.compile(rf"(?:(\d+):)?{_TIME}\s*-->\s*(?:(\d+):)?{_TIME}(?![\d:.,])")
"""Milliseconds may be left out; less than three of their digits are a fraction. Settings may follow."""
_SPAN = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>")
"""Tags of either, and WebVTT's times within a text."""
_NOTE = re.compile(r"NOTE(?!\S)")
_NAMED = 2
"""In one of so many lines a cue of WebVTT has its times."""
_LIKE_TIMES = re.compile(r"-?\d+:\d+:\d.*-->")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
"""No brace inside: from each of a thousand that are never closed the rest would be looked through."""

TimedText = tuple[int, int, str]
"""Start and end in ms, and the text without tags, which may be empty."""


def srt_cues(text: str) -> Iterator[TimedText]:
    """The cues of a SubRip file, in its order. Raises ``ValueError`` for one that has no times."""
    lines = _lines(text.rstrip())
    _all_timed(lines)
    begins = [at for at, line in enumerate(lines) if _SRT_TIMES.match(line)]
    for at, end in pairwise([*begins, len(lines)]):
        said = lines[at + 1 : end]
        # The next cue's number, or one that is left over where a file was cut off.
        if said and said[-1].isdecimal() and (end < len(lines) or said[-2:-1] == [""]):
            said = said[:-1]
        yield _cue(_SRT_TIMES, lines[at], _OVERRIDE.sub("", "\n".join(said)))


def vtt_cues(text: str) -> Iterator[TimedText]:
    """The cues of a WebVTT file, in its order. Raises ``ValueError`` for one whose times are none."""
    for part in re.split(r"\n\n+", "\n".join(_lines(text))):
        lines = part.strip("\n").split("\n")
        begins = [
            at
            for at, line in enumerate(lines)
            if _VTT_TIMES.match(line) or (at < _NAMED and _ARROW in line)
        ]
        if begins and begins[0] < _NAMED and not _NOTE.match(part):
            for at, end in pairwise([*begins, len(lines)]):
                yield _cue(_VTT_TIMES, lines[at], "\n".join(lines[at + 1 : end]))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _all_timed(lines: list[str]) -> None:
    """Each line that has the number of the next cue, and stands where one may, is followed by its times."""
    last = 0
    for at, line in enumerate(lines):
        if _LIKE_TIMES.match(line) and not _SRT_TIMES.match(line):
            raise ValueError(f"{line!r} are no times of a cue")
        if not line.isdecimal() or (at and lines[at - 1]) or at + 1 == len(lines):
            continue
        if _ARROW in lines[at + 1]:
            last = int(line)
        elif int(line) == last + 1 and lines[at + 1]:
            raise ValueError(f"cue {int(line)} has no times")


def _cue(times: re.Pattern[str], line: str, text: str) -> TimedText:
    found = times.match(line)
    if found is None:
        raise ValueError(f"{line!r} are no times of a cue")
    start, end = found.groups()[:4], found.groups()[4:]
    return _ms(*start), _ms(*end), unescape(_SPAN.sub("", text))


def _ms(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> int:
    whole_s = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return 1000 * whole_s + int((fraction or "0").ljust(3, "0"))
