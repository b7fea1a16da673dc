"""Instrument families, and how wide their velocity layers melt into one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from shared.errors import ValidationError

InstrumentFamily = Literal[
    "strings", "pads", "keys", "plucked", "drums", "bass", "lead", "voice", "other"
]

CROSSFADE_WIDTHS: Mapping[InstrumentFamily, float] = {
    "strings": 12.0,
    "pads": 12.0,
    "keys": 8.0,
    "plucked": 6.0,
}
"""Velocities around a layer boundary in which both layers sound; docs/listening.md says why. The
other families switch layers: hits are meant to differ."""


def crossfade_width(family: str) -> float:
    """The family's default; raises ``ValidationError`` for a family that isn't known."""
    for known in get_args(InstrumentFamily):
        if family == known:
            return CROSSFADE_WIDTHS.get(known, 0.0)
    known_names = ", ".join(get_args(InstrumentFamily))
    raise ValidationError("instrument family", f"{family!r} is unknown; families: {known_names}")
