"""The shapes of a fade: how far it is, by how much of its time has gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from shared.contracts.curve_names import CURVES, Curve

__all__ = ["CURVES", "SHAPES", "Curve"]

_BEND = 4.0
"""How strongly exponential and log fades bend: half the time makes 12 % and 88 % of the way."""

SHAPES: Mapping[Curve, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": lambda time: time,
    "exponential": lambda time: np.expm1(_BEND * time) / np.expm1(_BEND),
    "log": lambda time: 1.0 - np.expm1(_BEND * (1.0 - time)) / np.expm1(_BEND),
    "s_curve": lambda time: time * time * (3.0 - 2.0 * time),
}
"""Time gone (0 to 1) to way gone (0 to 1): late and fast, early and fast, or soft at both ends."""
