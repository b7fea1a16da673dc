"""The names of the shapes of a fade. ``shared.audio.curves`` says what they do."""

from __future__ import annotations

from typing import Literal, get_args

Curve = Literal["linear", "exponential", "log", "s_curve"]
CURVES: tuple[Curve, ...] = get_args(Curve)
