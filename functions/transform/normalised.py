"""What normalising settles on, what comes of it, and how the meta tells it.

Loudness is in LUFS and moves, but for the standard's gates, dB for dB with gain; differences of loudness
are in LU; true peaks are in dBTP. Nothing here reads a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.audio_loudness import Loudness
from shared.sound.delivery_targets import Span
from shared.sound.leveller import Levels
from shared.sound.loudness_meter import GATE_LUFS, FullMeter

Mode = Literal["linear", "limited", "stopped_short"]

_ROUNDING_DB = 0.005
"""True peaks are told to 0.01 dB."""


@dataclass(frozen=True)
class Settled:
    """The params within their ranges, the recording's numbers, and what follows from both."""

    target_lufs: float
    ceiling_dbtp: float
    before: Loudness
    """The recording's, as it is levelled where it is; its loudness is defined."""
    heard: FullMeter | None
    """What measured that; ``None``: an earlier run did."""
    levels: Levels | None = None
    dialogue: Sequence[Span] = ()
    """The target is the loudness of speech, which is here."""
    dialogue_lufs: float = 0.0
    """About how loud that is before, reckoned from levels of 10 ms: where the first try begins."""

    @property
    def wanted_db(self) -> float:
        """The gain that reaches the target, but for what a limiter and the standard's gates do to it."""
        assert self.before.integrated_lufs is not None
        return self.target_lufs - (
            self.dialogue_lufs if self.dialogue else self.before.integrated_lufs
        )

    @property
    def most_db(self) -> float:
        """The gain that brings the highest peak up to the ceiling."""
        peak_dbtp = self.before.true_peak_dbtp
        assert peak_dbtp is not None
        return self.ceiling_dbtp - peak_dbtp - _ROUNDING_DB

    @property
    def excess_db(self) -> float:
        """By how much that gain would lift peaks over the ceiling; 0 if it doesn't."""
        return max(0.0, self.wanted_db - self.most_db)


@dataclass(frozen=True)
class Normalised:
    """What came out."""

    mode: Mode
    """By gain alone; by gain and limiter; or by as much gain as the ceiling let pass."""
    gain_db: float
    """Before the limiter, where there is one."""
    after: Loudness
    """Of the result."""
    meter: FullMeter
    """What measured it."""
    rounds: int
    after_is: Literal["measured", "reckoned"] = "measured"
    """On the result, or from the meter that heard what it was made of: gain alone moves all alike."""

    def missing_lu(self, settled: Settled) -> float:
        """How much louder it would have to be, in LU; below 0: quieter.

        Of the speech, where the target is one of speech. What lies below the standard's absolute gate counts
        as being at it (-70 LUFS), so that there is a next try.
        """
        after_lufs = self.after.integrated_lufs
        if settled.dialogue:
            after_lufs = self.meter.loudness_meter.lufs_within(settled.dialogue)
        return settled.target_lufs - (GATE_LUFS if after_lufs is None else after_lufs)


def what_lacks(mode: str, missing_lu: float) -> str:
    """The reason of a result that misses its target by so much."""
    if missing_lu < 0:
        return f"{-missing_lu:.2f} LU louder than the target: no gain comes nearer"
    of = {
        "limited": "more would need heavier limiting",
        "stopped_short": "more would lift peaks over the ceiling",
    }
    return f"{missing_lu:.2f} LU short of the target: {of.get(mode, 'no gain comes nearer')}"


def norm_stats(settled: Settled, before: Loudness, made: Normalised) -> dict[str, Any]:
    """What was done, in numbers."""
    return {
        "before": before.content(without={"undefined"}),
        "after": made.after.content(without={"undefined"}),
        "after_is": made.after_is,
        "mode": made.mode,
        "gain_db": round(made.gain_db, 2),
        "limited_by_db": round(settled.excess_db, 2) if made.mode == "limited" else 0.0,
        "short_by_lu": round(max(0.0, made.missing_lu(settled)), 2),
        "rounds": made.rounds,
    }
