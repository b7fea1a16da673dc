"""Where sound is delivered, and how loud it must be there: one table, and the check of a result against it.

podcast        AES TD1008 (2021), and what podcast hosts ask for
spotify        "Loudness normalization" in Spotify for Artists' help: -14 LUFS, -1 dBTP
youtube        plays at -14 LUFS what is louder (its "stats for nerds"); -1 dBTP as elsewhere
apple          Apple Podcasts' audio requirements: -16 LKFS within 1 dB, -1 dBTP
ebu_r128       EBU R 128 (2020): -23.0 LUFS within 0.5 LU, -1 dBTP
ebu_r128_s1    its supplement for short-form content: no short-term loudness over -18.0 LUFS either
atsc_a85       ATSC A/85 (2013): dialogue at -24 LKFS within 2 dB, -2 dBTP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

TargetName = Literal[
    "podcast", "spotify", "youtube", "apple", "ebu_r128", "ebu_r128_s1", "atsc_a85"
]
USUAL_TARGET: TargetName = "podcast"
"""What is delivered for where nobody says so."""
Span = tuple[float, float]
"""Start and end in ms."""
LEAST_DIALOGUE_S = 1.0
"""Of less speech no dialogue loudness is told."""


@dataclass(frozen=True)
class DeliveryTarget:
    """What one place asks for."""

    title: str
    lufs: float
    """Integrated loudness, or that of the dialogue."""
    tolerance_lu: float
    """A result may be so much louder or quieter."""
    ceiling_dbtp: float
    """No true peak is higher."""
    loudest_short_term_lufs: float | None = None
    """No window of 3 s is louder."""
    dialogue: bool = False
    """The loudness is that of speech, where there is some."""


DELIVERY_TARGETS: Mapping[TargetName, DeliveryTarget] = {
    "podcast": DeliveryTarget("Podcast", -16.0, 1.0, -1.0),
    "spotify": DeliveryTarget("Spotify", -14.0, 1.0, -1.0),
    "youtube": DeliveryTarget("YouTube", -14.0, 1.0, -1.0),
    "apple": DeliveryTarget("Apple Podcasts", -16.0, 1.0, -1.0),
    "ebu_r128": DeliveryTarget("EBU R 128", -23.0, 0.5, -1.0),
    "ebu_r128_s1": DeliveryTarget("EBU R 128 s1", -23.0, 0.5, -1.0, loudest_short_term_lufs=-18.0),
    "atsc_a85": DeliveryTarget("ATSC A/85", -24.0, 2.0, -2.0, dialogue=True),
}


@dataclass(frozen=True)
class Measured:
    """What was measured of a result; ``None``: it has none."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None
    short_term_lufs: float | None = None
    """The loudest window of 3 s."""
    dialogue_lufs: float | None = None


def enough_dialogue(speech: Sequence[Span]) -> bool:
    """Is there so much speech that its loudness means something?"""
    return sum(end - start for start, end in speech) >= 1000 * LEAST_DIALOGUE_S


def check_delivery(name: TargetName, measured: Measured) -> dict[str, Any]:
    """For a meta: each rule with what was measured and what is allowed, and whether all are met."""
    target = DELIVERY_TARGETS[name]
    spoken = target.dialogue and measured.dialogue_lufs is not None
    told_lufs = measured.dialogue_lufs if spoken else measured.integrated_lufs
    low, high = target.lufs - target.tolerance_lu, target.lufs + target.tolerance_lu
    rules = [
        _rule("dialogue_lufs" if spoken else "integrated_lufs", told_lufs, low, high),
        _rule("true_peak_dbtp", measured.true_peak_dbtp, None, target.ceiling_dbtp),
    ]
    if target.loudest_short_term_lufs is not None:
        most = target.loudest_short_term_lufs
        rules.append(_rule("short_term_lufs", measured.short_term_lufs, None, most))
    return {
        "target": name,
        "title": target.title,
        "rules": rules,
        "met": all(rule["met"] for rule in rules),
    }


def what_fails(delivery: Mapping[str, Any]) -> str | None:
    """The rules that are not met, in words; ``None``: all are."""
    if delivery["met"]:
        return None
    failing = [rule for rule in delivery["rules"] if not rule["met"]]
    told = ", ".join(f"{rule['rule']} is {rule['value']}" for rule in failing)
    return f"it does not meet {delivery['title']}: {told}"


def _rule(
    rule: str, value: float | None, low: float | None, high: float
) -> dict[str, float | str | bool | None]:
    """What is not there (a window of 3 s in 2 s of sound) breaks no upper limit."""
    value = None if value is None else round(value, 2) + 0.0
    met = low is None if value is None else (low is None or low <= value) and value <= high
    return {"rule": rule, "value": value, "at_least": low, "at_most": high, "met": met}
