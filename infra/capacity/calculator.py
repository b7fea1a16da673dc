"""What a day's recordings take, and what an hour of media costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.capacity.tables import (
    Rate,
    assumed,
    function_of,
    part_operations,
    pieces,
    prices,
    rate,
    rates,
    size_of,
    upload_steps,
)

DAY_S = 86_400
MONTH_DAYS = 30.4
SWEEP_ROUNDS_A_DAY = 4
SWEEP_WINDOW_DAYS = 3
_UNITS = (
    *("document_reads", "document_writes", "objects_written", "object_reads", "object_lists"),
    *("object_bytes", "messages_requests", "messages_results", "message_bytes"),
)
_LEAST_MESSAGE_BYTES = 1_000
_LEAST_REQUEST_S = 0.1


@dataclass(frozen=True)
class Load:
    """What comes in on a day."""

    audio_hours: float
    video_hours: float
    recording_s: float = 180.0
    """The length of one recording."""
    kept_days: float = 365.0
    """So long recordings and results are kept: the store's size in the steady state."""

    @property
    def media_hours(self) -> float:
        """Of both kinds."""
        return self.audio_hours + self.video_hours

    def uploads(self, *, video: bool) -> float:
        """Recordings of one kind a day."""
        hours = self.video_hours if video else self.audio_hours
        return hours * 3600 / self.recording_s


@dataclass(frozen=True)
class FunctionUse:
    """One function's day."""

    messages: float
    busy_s: float
    """Seconds that its instances are taken."""
    instances_mean: float
    instances_peak: int
    """At the busiest hour, filled to the stated share."""
    limit: int
    gpu_s: float
    dollars: float


@dataclass(frozen=True)
class Estimate:
    """A day, and its costs."""

    functions: Mapping[str, FunctionUse]
    operations: Mapping[str, float]
    """Documents read and written, objects, messages, bytes: a day."""
    stored_gb: float
    """Once ``kept_days`` have passed."""
    dollars: Mapping[str, float]
    """A day, by what it is paid for; storage in the steady state."""
    dollars_per_media_hour: float


def estimate(load: Load) -> Estimate:
    """What ``load`` takes and costs. Raises ``ValueError`` for a day without media."""
    if load.media_hours <= 0 or load.recording_s <= 0:
        raise ValueError("a day without media costs what the idle system costs: nothing is divided")
    functions = _functions(load)
    operations = _operations(load)
    stored_gb = load.kept_days * operations["bytes_stored"] / 1e9
    dollars = {
        "functions": sum(use.dollars for use in functions.values()),
        **_operation_dollars(operations),
        "storage": stored_gb * _price("object_gb_month") / MONTH_DAYS,
    }
    total = sum(dollars.values())
    return Estimate(functions, operations, stored_gb, dollars, total / load.media_hours)


def _functions(load: Load) -> dict[str, FunctionUse]:
    messages: dict[str, float] = {}
    busy: dict[str, float] = {}
    for video in (False, True):
        for step in upload_steps(video):
            function = function_of(step)
            count, done = load.uploads(video=video), pieces(step, load.recording_s)
            messages[function] = messages.get(function, 0) + count * done.messages
            busy[function] = busy.get(function, 0) + count * done.busy_s
    # The bucket announces what steps store, too; probe says no to each.
    announced = _operations(load)["objects_written"]
    messages["probe"] += announced
    busy["probe"] += announced * _LEAST_REQUEST_S
    return {name: use_of(name, messages[name], busy[name]) for name in messages}


def use_of(function: str, messages: float, busy: float) -> FunctionUse:
    """A function's day with so many messages and seconds of its instances."""
    size = size_of(function)
    paid_s = busy * (1 + assumed("idle_share")) if size.always_on else busy
    plan = "always" if size.always_on else "on_request"
    dollars = paid_s * (
        size.cpu * prices()["cpu_s"][plan] + size.memory_gib * prices()["gib_s"][plan]
    )
    dollars += 0 if size.always_on else messages * _price("request")
    gpu_s = paid_s if size.gpu else 0.0
    mean = busy / DAY_S
    peak = math.ceil(mean * assumed("peak_factor") / assumed("filled_share"))
    return FunctionUse(
        messages,
        busy,
        mean,
        peak,
        size.max_instances,
        gpu_s,
        dollars + gpu_s * _price("gpu_s"),
    )


def _operations(load: Load) -> dict[str, float]:
    total = dict.fromkeys(_UNITS, 0.0)
    uploaded = 0.0
    for video in (False, True):
        count = load.uploads(video=video)
        for step in upload_steps(video):
            parts = pieces(step, load.recording_s).count
            for unit in _UNITS:
                own = rate(step, unit).of(load.recording_s)
                total[unit] += count * (own + part_operations(unit, parts))
        share = 1.0 if video else assumed("audio_bytes_share")
        size = Rate(**rates()["measured"]["upload_bytes"]).of(load.recording_s)
        uploaded += count * size * share
    uploads = load.uploads(video=False) + load.uploads(video=True)
    total["document_reads"] += uploads * SWEEP_WINDOW_DAYS * SWEEP_ROUNDS_A_DAY
    total["objects_written"] += uploads
    listed = load.kept_days * total["objects_written"] / 1000
    total["object_lists"] = total["object_lists"] + listed * SWEEP_ROUNDS_A_DAY
    # Beside probe's copy of what was uploaded (counted with its bytes), the upload itself stays.
    total["bytes_stored"] = total["object_bytes"] + uploaded
    return total


def _operation_dollars(operations: Mapping[str, float]) -> dict[str, float]:
    messages = operations["messages_requests"] + operations["messages_results"]
    notified = operations["objects_written"]
    # Each is published and delivered; small ones count as 1,000 bytes.
    carried = 2 * (
        max(operations["message_bytes"], messages * _LEAST_MESSAGE_BYTES)
        + notified * assumed("notification_bytes")
    )
    written = operations["objects_written"] + operations["object_lists"]
    return {
        "messages": carried / 2**40 * _price("message_tib"),
        "documents": operations["document_reads"] * _price("document_read")
        + operations["document_writes"] * _price("document_write"),
        "objects": written * _price("object_class_a")
        + operations["object_reads"] * _price("object_class_b"),
    }


def _price(name: str) -> float:
    return float(prices()[name]["price"])
