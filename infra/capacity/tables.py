"""The calculator's data: measured rates, assumptions, prices, and the configured limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from shared.contracts.row import Step
from shared.pipeline import BY_NAME, PROBE, STEPS

HERE = Path(__file__).parent
SIZES = HERE.parents[1] / "terraform" / "modules" / "wiring" / "sizes.json"
PUSH_WAIT_S = 600
_GPU_LEAST = {"cpu": 4, "memory_gib": 16}


@dataclass(frozen=True)
class Rate:
    """A line over the length of a recording."""

    fixed: float = 0.0
    per_media_s: float = 0.0

    def of(self, media_s: float) -> float:
        """The value for a recording of ``media_s`` seconds."""
        return self.fixed + self.per_media_s * media_s


@dataclass(frozen=True)
class Size:
    """What one instance of a function has, and how many there may be."""

    cpu: float
    memory_gib: float
    max_instances: int
    gpu: bool
    always_on: bool
    """The CPU is paid for while the instance lives, not while it answers."""


@cache
def rates() -> Mapping[str, Any]:
    """rates.json: ``measured`` (by ``infra.capacity.measure``) and ``assumed``."""
    return _read(HERE / "rates.json")


@cache
def prices() -> Mapping[str, Any]:
    """prices.json."""
    return _read(HERE / "prices.json")


def assumed(name: str) -> float:
    """One assumption's value; what it means stands beside it in rates.json."""
    return float(rates()["assumed"][name]["value"])


def rate(step: str, unit: str) -> Rate:
    """One unit of one step: zero where the step was not seen to use it.

    Of a step that was not measured, the middle of those that were.
    """
    steps = rates()["measured"]["steps"]
    if step in steps:
        return Rate(**steps[step].get(unit, {}))
    seen = [Rate(**units.get(unit, {})) for units in steps.values()]
    return Rate(median(one.fixed for one in seen), median(one.per_media_s for one in seen))


def measured(step: str) -> bool:
    """Was the step measured at all?"""
    return step in rates()["measured"]["steps"]


def unmeasured(function: str) -> tuple[str, ...]:
    """The function's steps on upload of which nothing is known but their rows."""
    return tuple(
        step
        for step in upload_steps(video=True)
        if function_of(step) == function and not measured(step)
    )


def function_of(step: str) -> str:
    """The function that does a step; probe is its own."""
    return step if step == PROBE else BY_NAME[step].function


@cache
def size_of(function: str) -> Size:
    """The size that terraform/modules/wiring gives a function."""
    table = _read(SIZES)
    stated = {**table["defaults"], **table["functions"].get(function, {})}
    rows = [row for row in STEPS if row.function == function]
    gpu = bool(stated["gpu"]) or any(row.machine == "gpu" for row in rows)
    if gpu:
        stated |= {name: max(stated[name], least) for name, least in _GPU_LEAST.items()}
    longest_s = max((row.timeout_s for row in rows), default=0)
    return Size(
        stated["cpu"],
        stated["memory_gib"],
        stated["max_instances"],
        gpu,
        always_on=gpu or longest_s > PUSH_WAIT_S,
    )


def busy_s(step: str, media_s: float) -> float:
    """How long an instance is taken by one message of a step.

    Measured CPU seconds, spread over as many cores as the measurement kept busy (at least one, at
    most the function's), an assumption's seconds for what could not be measured, and those for
    fetching and storing. Of a step with neither, a share of the limit that its row states.
    """
    guessed = rates()["assumed"]["engine_s_per_media_s"]["steps"].get(step)
    taken: float = (guessed or 0.0) * media_s
    if measured(step):
        size = size_of(function_of(step))
        cores = min(max(rate(step, "busy_cores").fixed, 1.0), size.cpu)
        taken += rate(step, "cpu_s").of(media_s) / cores
    elif guessed is None:
        taken = BY_NAME[step].timeout_s * media_s / assumed("limit_media_s")
    return taken + assumed("transfer_s")


@dataclass(frozen=True)
class Pieces:
    """What a step of one recording takes of instances."""

    count: int
    """Parts; 0: it is done in one piece."""
    each_s: float
    """By one part."""
    planned_s: float
    joined_s: float
    """By the whole, where there are no parts."""

    @property
    def messages(self) -> int:
        """Each takes an instance."""
        return self.count + 2 if self.count else 1

    @property
    def busy_s(self) -> float:
        """All together."""
        return self.planned_s + self.count * self.each_s + self.joined_s


def pieces(
    step: str, media_s: float, service_s: Callable[[str, float], float] | None = None
) -> Pieces:
    """How a step of a recording of ``media_s`` is split, and what an instance is taken by each piece.

    A part takes what a recording of its length would: each pays for the engine's start and for fetching.
    Joining takes what a recording without length would. ``service_s``: as ``busy_s``, which it is by default.
    """
    taken = service_s or busy_s
    rule = rates().get("parts", {}).get("steps", {}).get(step)
    count = min(rule["most"], round(media_s / rule["part_s"])) if rule else 0
    if count < 2:
        return Pieces(0, 0.0, 0.0, taken(step, media_s))
    return Pieces(count, taken(step, media_s / count), assumed("transfer_s"), taken(step, 0.0))


def part_operations(unit: str, count: int) -> float:
    """What so many parts of one step ask of the stores and the bus, beside the step's own."""
    counted = rates().get("parts", {}).get("counted", {}).get(unit, {})
    return float(counted.get("each", 0.0) * count + counted.get("squared", 0.0) * count**2)


def upload_steps(video: bool) -> tuple[str, ...]:
    """What runs on the upload of a recording, in the table's order; probe first."""
    return (PROBE, *(row.name for row in STEPS if row.default and _suits(row, video)))


def _suits(row: Step, video: bool) -> bool:
    return row.takes in ("audio", "any") or (video and row.takes == "video")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
