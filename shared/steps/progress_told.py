"""Progress written where it can be seen, and an owner that lost its lease stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from shared.steps.claims import Lease

EVERY_S = {"embedded": 0.5, "google": 2.0}
"""Home -> how often: Firestore sustains one write a second to a document, and asks money for each."""
_LEAST_STEP = 0.02


class ProgressTold:
    """What an engine tells its progress to; see ``shared.contracts.step_engine.Progress``."""

    def __init__(self, lease: Lease, every_s: float, tell: Callable[[float], None]) -> None:
        self._lease, self._every_s, self._tell = lease, every_s, tell
        self._told_at = -math.inf
        self._told = 0.0

    def __call__(self, fraction: float) -> None:
        """Tell it, if that is worth a write. Raises ``LeaseLost``."""
        self._lease.check()
        now, fraction = time.monotonic(), min(max(fraction, 0.0), 1.0)
        if now - self._told_at >= self._every_s and fraction - self._told >= _LEAST_STEP:
            self._told_at, self._told = now, fraction
            self._tell(fraction)
