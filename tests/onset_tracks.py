"""What is told of a recording's onsets, for tests and measurements."""

from __future__ import annotations

from collections.abc import Iterable

from shared.sound.onsets import OnsetStrength, Samples, Tracks


def analyse(blocks: Iterable[Samples], sample_rate_hz: int) -> Tracks:
    """Run a recording's blocks through."""
    strength = OnsetStrength(sample_rate_hz)
    for block in blocks:
        strength.process(block)
    return strength.finish()
