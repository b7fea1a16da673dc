"""How burnt-in captions look, by name: white letters with a dark outline or on a dark box.

Sizes are parts of the picture, so that a style looks alike at every size; ``burning`` makes pixels of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How burnt-in captions look. Sizes are in parts of the picture's height."""

    font: str = "DejaVu Sans"
    size: float = 0.055
    bold: bool = False
    boxed: bool = False
    """On a dark box instead of with an outline."""
    outline: float = 0.004
    safe_x: float = 0.10
    """Kept free on either side, in parts of the width."""
    safe_y: float = 0.07
    """Kept free below, in parts of the height."""
    lit: str | None = None
    """The colour of the word that is heard, as ASS writes it (blue, green, red); ``None``: all are white."""


STYLES: Mapping[str, Style] = {
    "clean": Style(),
    "boxed": Style(boxed=True),
    "large": Style(size=0.08, bold=True, outline=0.006),
    "social": Style(size=0.045, bold=True, outline=0.005, safe_x=0.08, safe_y=0.20),
    "spoken": Style(
        size=0.045, bold=True, outline=0.005, safe_x=0.08, safe_y=0.20, lit="&H00D7FF&"
    ),
}
"""``social`` and ``spoken`` stay above what phone players draw over the lower part of upright videos."""
