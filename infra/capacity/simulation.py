"""A burst of uploads under the configured limits, as queues in front of bounded pools of instances.

What is modelled: each function is a pool of instances that take one message each; an instance that is
not there yet starts cold; at the limit, messages wait in order. A recording's steps are asked for when
what they follow has settled, as the pipeline table says; a long one's in parts, of which so many of a tenant
are asked for at once. What is not: Pub/Sub's slow start and
backoff, failures, and Cloud Run's limit on how fast instances are added. It is a lower bound, whose
shape (which function is the bottleneck, and for how long) is what it is for.
"""

from __future__ import annotations

import gc
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from infra.capacity.tables import (
    Pieces,
    assumed,
    busy_s,
    function_of,
    pieces,
    size_of,
    upload_steps,
)
from shared.pipeline import BY_NAME, PROBE

Wait = Generator[simpy.Event, Any, None]


class Pool:
    """Instances of one function, each taking one message at a time; waiting ones first come first."""

    def __init__(self, env: simpy.Environment, limit: int, cold_start_s: float = 0.0) -> None:
        self._env, self._limit, self._cold_start_s = env, limit, cold_start_s
        self._waiting: deque[simpy.Event] = deque()
        self._idle = 0
        self.started = 0
        """Instances that have been started; none is stopped during a burst."""
        self.served = 0
        self.waited_s = 0.0
        """All messages' waits together, cold starts included."""

    @property
    def backlog(self) -> int:
        """Messages that wait for an instance."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Instances that are at work, or starting for it."""
        return self.started - self._idle

    def serve(self, service_s: float) -> Wait:
        """Take an instance for ``service_s``, once there is one."""
        arrived = self._env.now
        if self._idle:
            self._idle -= 1
        elif self.started < self._limit:
            self.started += 1
            yield self._env.timeout(self._cold_start_s)
        else:
            turn = self._env.event()
            self._waiting.append(turn)
            yield turn
        self.waited_s += self._env.now - arrived
        yield self._env.timeout(service_s)
        self.served += 1
        if self._waiting:
            self._waiting.popleft().succeed()
        else:
            self._idle += 1


@dataclass(frozen=True)
class Burst:
    """So many recordings, landing evenly over some time."""

    uploads: int
    over_s: float = 600.0
    video_share: float = 0.3
    recording_s: float = 180.0
    """The median length."""
    tenants: int = 1
    """Whose they are, in turn."""
    spread: float = 0.6
    """Standard deviation of the logarithm of the length; 0: all are of one length."""
    seed: int = 42


@dataclass
class Outcome:
    """What happened."""

    latencies_s: list[float] = field(default_factory=list)
    """From landing to the last of its steps, of each recording, sorted."""
    times_s: list[float] = field(default_factory=list)
    """When the series below were read."""
    backlog: dict[str, list[int]] = field(default_factory=dict)
    instances: dict[str, list[int]] = field(default_factory=dict)
    """Function -> instances at work."""
    served: dict[str, int] = field(default_factory=dict)

    def percentile_s(self, share: float) -> float:
        """The latency that ``share`` (0 to 1) of recordings do not exceed."""
        last = len(self.latencies_s) - 1
        return self.latencies_s[min(last, int(share * len(self.latencies_s)))]

    def drained_s(self, function: str) -> float:
        """When the function's last backlog was gone; 0 where nothing ever waited."""
        waiting = (
            time for time, count in zip(self.times_s, self.backlog[function], strict=True) if count
        )
        return max(waiting, default=0.0)


def simulate(
    burst: Burst,
    *,
    limits: Mapping[str, int] | None = None,
    service_s: Callable[[str, float], float] = busy_s,
    sample_s: float = 60.0,
    parts_at_once: int | None = None,
) -> Outcome:
    """Run the burst until everything has settled. The same burst gives the same outcome.

    ``limits``: function -> most instances, where they are not the configured ones.
    ``service_s``: from a step and a length to the seconds that an instance is taken.
    ``parts_at_once``: so many parts of a tenant are on their way at a time; ``None``: no step is split.
    """
    names = dict.fromkeys(function_of(step) for step in upload_steps(True))
    most = {name: (limits or {}).get(name) or size_of(name).max_instances for name in names}
    return _Course(burst, most, service_s, parts_at_once).run(sample_s)


class _Course:
    """One burst on its way: what simpy's processes share."""

    def __init__(
        self,
        burst: Burst,
        limits: Mapping[str, int],
        service_s: Callable[[str, float], float],
        parts_at_once: int | None,
    ) -> None:
        self.burst, self.service_s, self.parts_at_once = burst, service_s, parts_at_once
        self.env = simpy.Environment()
        self.outcome = Outcome()
        self.pools = {name: Pool(self.env, most, _cold_s(name)) for name, most in limits.items()}
        self.rows = [simpy.Resource(self.env, parts_at_once or 1) for _ in range(burst.tenants)]

    def run(self, sample_s: float) -> Outcome:
        self.env.process(self.arrivals())
        self.env.process(self.watch(sample_s))
        gc.disable()  # millions of small objects, none of them in a cycle for long
        try:
            self.env.run()
        finally:
            gc.enable()
        self.outcome.latencies_s.sort()
        self.outcome.served = {name: pool.served for name, pool in self.pools.items()}
        return self.outcome

    def arrivals(self) -> Wait:
        burst, chance = self.burst, random.Random(self.burst.seed)
        steps = {video: upload_steps(video) for video in (False, True)}
        for number in range(burst.uploads):
            media_s = burst.recording_s * chance.lognormvariate(0, burst.spread)
            chosen = steps[chance.random() < burst.video_share]
            self.env.process(self.recording(chosen, media_s, self.rows[number % burst.tenants]))
            yield self.env.timeout(burst.over_s / burst.uploads)

    def recording(self, chosen: Sequence[str], media_s: float, turns: simpy.Resource) -> Wait:
        landed = self.env.now
        settled: dict[str, simpy.Event] = {}
        for step in chosen:
            before = [settled[name] for name in _before(step, chosen)]
            settled[step] = self.env.process(self.done(step, media_s, before, turns))
        yield from settled.values()
        self.outcome.latencies_s.append(self.env.now - landed)

    def done(
        self, step: str, media_s: float, before: Iterable[simpy.Event], turns: simpy.Resource
    ) -> Wait:
        yield from before  # one after the other: much cheaper than waiting for all at once
        pool = self.pools[function_of(step)]
        if self.parts_at_once is None:
            yield from pool.serve(self.service_s(step, media_s))
        else:
            yield from in_pieces(self.env, pool, pieces(step, media_s, self.service_s), turns)

    def watch(self, sample_s: float) -> Wait:
        outcome = self.outcome
        while len(outcome.latencies_s) < self.burst.uploads:
            outcome.times_s.append(self.env.now)
            for name, pool in self.pools.items():
                outcome.backlog.setdefault(name, []).append(pool.backlog)
                outcome.instances.setdefault(name, []).append(pool.busy)
            yield self.env.timeout(sample_s)


def in_pieces(env: simpy.Environment, pool: Pool, taken: Pieces, turns: simpy.Resource) -> Wait:
    """Do a step: planned, its parts each once there is a row of the tenant's free, joined."""

    def part() -> Wait:
        with turns.request() as turn:
            yield turn
            yield from pool.serve(taken.each_s)

    if taken.count:
        yield from pool.serve(taken.planned_s)
        yield from [env.process(part()) for _ in range(taken.count)]
    yield from pool.serve(taken.joined_s)


def _before(step: str, chosen: Sequence[str]) -> list[str]:
    """What must have settled: probe, or what the step reads among the chosen."""
    if step == PROBE:
        return []
    return [name for name in BY_NAME[step].reads if name in chosen] or [PROBE]


def _cold_s(function: str) -> float:
    return assumed("gpu_cold_start_s" if size_of(function).gpu else "cold_start_s")
