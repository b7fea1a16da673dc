"""A long recording in parts on few and many instances, and what another tenant's talk waits behind ten hours.

Both by ``infra.capacity.simulation``'s pools, from measured rates of 1080p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import simpy

from infra.capacity.calculator import use_of
from infra.capacity.simulation import Pool, Wait, in_pieces
from infra.capacity.tables import (
    Pieces,
    Rate,
    assumed,
    function_of,
    part_operations,
    pieces,
    prices,
    rates,
    size_of,
)
from shared.pipeline import PROBE
from shared.settings import Settings
from shared.steps.part_rows import STEPS_AT_ONCE

STEPS = (PROBE, "detect.regions", "anonymise.faces")
"""What an anonymised hour asks for, one after the other."""
ROWS = STEPS_AT_ONCE * int(Settings.model_fields["parts_at_once"].default)
"""So many parts of a tenant are on their way at once, unless the setting says otherwise."""
_LATER_S = 30.0


@dataclass(frozen=True)
class Anonymised:
    """One recording with its faces covered, on so many instances of each function."""

    wall_s: float
    busy_s: float
    """Instances' seconds, all together."""
    messages: int
    dollars: float
    """Functions with their cold starts, documents, objects and messages."""


def anonymised(instances: int, media_s: float = 3600.0) -> Anonymised:
    """A recording of 1080p, with as many parts at once as there are instances."""
    env = simpy.Environment()
    pools = {step: Pool(env, instances, assumed("cold_start_s")) for step in STEPS}
    turns = simpy.Resource(env, instances)
    taken = {step: pieces_1080p(step, media_s) for step in STEPS}

    def run() -> Wait:
        for step in STEPS:
            yield from in_pieces(env, pools[step], taken[step], turns)

    env.process(run())
    env.run()
    messages = sum(one.messages for one in taken.values())
    cold_s = {step: pools[step].started * assumed("cold_start_s") for step in STEPS}
    dollars = sum(
        use_of(function_of(step), taken[step].messages, taken[step].busy_s + cold_s[step]).dollars
        for step in STEPS
    )
    operations = {"document_reads": "document_read", "document_writes": "document_write"}
    operations |= {"objects_written": "object_class_a", "object_reads": "object_class_b"}
    for unit, price in operations.items():
        of_parts = sum(part_operations(unit, one.count) for one in taken.values())
        dollars += of_parts * float(prices()[price]["price"])
    return Anonymised(env.now, sum(one.busy_s for one in taken.values()), messages, dollars)


def waited_beside(step: str, instances: int, *, rows: int | None, hours: int = 10) -> float:
    """How long a minute of one tenant waits for its first instance, in seconds, where it lands behind
    another tenant's ``hours`` recordings of an hour.

    ``rows``: so many parts of a tenant are on their way at once; ``None``: all that there are.
    """
    env = simpy.Environment()
    pool = Pool(env, instances)
    theirs, own = (simpy.Resource(env, rows or 1_000_000) for _ in range(2))
    long, short = (pieces_1080p(step, media_s) for media_s in (3600.0, 60.0))
    taken_s: list[float] = []

    def lands() -> Wait:
        yield env.timeout(_LATER_S)
        yield from in_pieces(env, pool, short, own)
        taken_s.append(env.now - _LATER_S)

    for _ in range(hours):
        env.process(in_pieces(env, pool, long, theirs))
    env.process(lands())
    env.run()
    return taken_s[0] - short.busy_s


def pieces_1080p(step: str, media_s: float) -> Pieces:
    """As ``tables.pieces``, of a recording of 1080p, which each part fetches as a whole."""
    found = pieces(step, media_s, _busy_s)
    fetched_s = media_s * assumed("bytes_1080p_s") / assumed("fetch_bytes_s")
    return replace(found, each_s=found.each_s + fetched_s, joined_s=found.joined_s + fetched_s)


def _busy_s(step: str, media_s: float) -> float:
    measured: Mapping[str, Mapping[str, float]] = rates()["measured_1080p"]["steps"]
    cores = min(max(measured[step]["busy_cores"], 1.0), size_of(function_of(step)).cpu)
    line = Rate(measured[step]["fixed"], measured[step]["per_media_s"])
    return line.of(media_s) / cores + assumed("transfer_s")
