"""Which fonts this machine has, as fontconfig tells: what each of them can draw, and what none can.

Captions are drawn by libass, which asks fontconfig itself for what its font lacks. Here the same is asked
before, so that a plan can say what would be a box, and which font is to be named. Widths are measured
by Pillow, for deciding how large letters may be. What is installed is asked once in a process.
"""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import MissingDependency
from shared.processes import collect, started

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_TIMEOUT_S = 60.0
_HINT = "install the system's package fontconfig"
_HAN_FAMILIES = {"zh": "Noto Sans CJK SC", "ja": "Noto Sans CJK JP", "ko": "Noto Sans CJK KR"}
"""One character is written in several ways, and fontconfig's answer is that of the system's language."""


@dataclass(frozen=True)
class Face:
    """One style of a family, with outlines: libass draws no bitmaps, so that emoji in colours don't count."""

    family: str
    path: Path
    number: int
    """Of the face in its file, in the low 16 bits; a variable font's instance in the others."""
    bold: bool
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    """Ranges of code points, in order; both ends are drawn."""

    def draws(self, sign: str) -> bool:
        """Has it a glyph for this character?"""
        at = bisect_right(self.starts, ord(sign)) - 1
        return at >= 0 and ord(sign) <= self.ends[at]


def shown_signs(text: str) -> list[str]:
    """The characters of ``text`` that need a glyph, each once, in order.

    Not spaces, controls, formats, nor marks that stand on others (Unicode's Cc, Cf, Mn, Me).
    """
    return [
        sign
        for sign in dict.fromkeys(text)
        if not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf", "Mn", "Me")
    ]


def lacking(text: str) -> list[str]:
    """What no installed font draws. Raises ``MissingDependency`` without fontconfig."""
    return [sign for sign in shown_signs(text) if not any(face.draws(sign) for face in faces())]


def face_for(text: str, preferred: str, language: str, *, bold: bool) -> Face:
    """The face that draws most of ``text``: the preferred family's if no other draws more, then the one
    that fontconfig names for the language, then as ``bold`` as it is wanted. Raises ``MissingDependency``
    without fonts. Time grows with the signs times the faces."""
    signs = shown_signs(text)
    told = _HAN_FAMILIES.get(language) or _matched(f"sans-serif:lang={language}")

    def rank(face: Face) -> tuple[int, bool, bool, bool]:
        drawn = sum(face.draws(sign) for sign in signs)
        return drawn, face.family == preferred, face.family == told, face.bold == bold

    if not faces():
        raise MissingDependency("fonts", None, "no font with outlines is installed")
    return max(faces(), key=rank)


@lru_cache(maxsize=1)
def faces() -> tuple[Face, ...]:
    """The upright ones that are installed, of styles from Regular to Bold, in order of their names.

    Raises ``MissingDependency`` without fontconfig, and as ``collect`` does.
    """
    row = "%{family[0]}\t%{file}\t%{index}\t%{style[0]}\t%{slant}\t%{charset}\n"
    told = _asked("fc-list", ":outline=true", "-f", row)
    found = []
    for line in told.splitlines():
        family, path, number, style, slant, charset = line.split("\t")
        if slant == "0" and style in ("Regular", "Book", "Roman", "Bold", "Medium"):
            ranges = list(_ranges(charset.split()))
            starts, ends = zip(*ranges, strict=True) if ranges else ((), ())
            found.append(Face(family, Path(path), int(number), style == "Bold", starts, ends))
    return tuple(sorted(found, key=lambda face: (face.family, str(face.path), face.number)))


@lru_cache(maxsize=1)
def fonts_digest() -> str:
    """SHA-256 in hex of what is in all installed fonts: single signs may come from any of them.

    ``none`` where there is none, or no fontconfig.
    """
    try:
        paths = sorted({face.path for face in faces()})
    except MissingDependency:
        return "none"
    held = hashlib.sha256()
    for one in sorted(_digest_of(path) for path in paths):
        held.update(one)
    return held.hexdigest() if paths else "none"


def _digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _ranges(charset: Iterable[str]) -> Iterable[tuple[int, int]]:
    """Of fontconfig's ``20-7e a0 ...``: the first and last code point of each range."""
    for part in charset:
        first, _, last = part.partition("-")
        yield int(first, 16), int(last or first, 16)


@lru_cache(maxsize=64)
def _matched(pattern: str) -> str:
    """The family that fontconfig takes for a pattern: it always has an answer, if there are fonts."""
    return _asked("fc-match", "-f", "%{family[0]}", pattern)


def _asked(*command: str) -> str:
    try:
        with started(command, timeout_s=_TIMEOUT_S) as child:
            told = collect(child)
    except FileNotFoundError:
        raise MissingDependency("fontconfig", None, _HINT) from None
    return told.decode("utf-8", "replace")


def widest(lines: Sequence[str], face: Face, size_px: float) -> float:
    """Pixels of the widest line; ``size_px`` is ascent and descent together, as libass has it.

    0 without lines. Signs that the face lacks are as wide as its box for them.
    """
    font = _font(face)
    longest = max((font.getlength(line) for line in lines), default=0.0)
    return float(longest * size_px / (_MEASURED_AT * height_of(face)))


def height_of(face: Face) -> float:
    """Ascent and descent together, in parts of the em that letters are drawn in."""
    return float(sum(_font(face).getmetrics()) / _MEASURED_AT)


_MEASURED_AT = 1000
"""Pixels of an em: large enough that hinting and rounding don't matter."""


@lru_cache(maxsize=8)
def _font(face: Face) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(face.path), _MEASURED_AT, index=face.number & 0xFFFF)
