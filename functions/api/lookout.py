"""Looking at runs for all who follow them in this process, within bounds.

However many follow a run, it is looked at once a pause; and only so many may be followed at a time, by
a tenant and by all, for each look is reads of the document store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord
from shared.errors import RushesError, Unavailable
from shared.homes.home import Home
from shared.runs.records import load_run
from shared.steps.step_records import load_records

MOST_OF_A_TENANT = 200
"""Runs that a tenant's requests follow at a time, each counted as often as it is followed."""
MOST = 1_000
"""... and all tenants' in this process."""

Looked = tuple[Run, Mapping[str, StepRecord]]


class TooManyFollowed(Unavailable):
    """The tenant follows too many runs at once."""


@dataclass
class _Place:
    """A run as it was last seen, or why it could not be."""

    followers: int = 0
    seen: Looked | RushesError | None = None
    seen_at: float = 0.0
    looking: anyio.Lock = field(default_factory=anyio.Lock)


class Lookout:
    """One process's; used by its event loop alone."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._places: dict[tuple[str, str, str], _Place] = {}
        self._followed: Counter[str] = Counter()

    @property
    def pause_s(self) -> float:
        """Between two looks: those into Firestore are paid for."""
        return 0.2 if self._home.settings.home == "embedded" else 1.0

    def check(self, ctx: RequestContext, count: int) -> None:
        """Raise ``TooManyFollowed`` where it is too many for the tenant, ``Unavailable`` for all."""
        if self._followed[ctx.tenant_id] + count > MOST_OF_A_TENANT:
            raise TooManyFollowed(
                "following",
                f"a tenant may follow {MOST_OF_A_TENANT} runs at a time: end a stream that nobody reads",
            )
        if self._followed.total() + count > MOST:
            raise Unavailable("following", "too many runs are followed just now")

    @contextmanager
    def following(self, ctx: RequestContext, run_ids: Sequence[str]) -> Iterator[None]:
        """While these runs may be looked at. Raises what ``check`` does."""
        self.check(ctx, len(run_ids))
        self._followed[ctx.tenant_id] += len(run_ids)
        keys = [(ctx.tenant_id, ctx.env, run_id) for run_id in run_ids]
        for key in keys:
            self._places.setdefault(key, _Place()).followers += 1
        try:
            yield
        finally:
            self._followed[ctx.tenant_id] -= len(run_ids)
            self._followed += Counter()  # forgets who follows nothing
            for key in keys:
                self._places[key].followers -= 1
                if not self._places[key].followers:
                    del self._places[key]

    async def look(self, ctx: RequestContext, run_id: str) -> Looked:
        """The run and its steps, as they were less than a pause ago. Raises ``NotFound``."""
        place = self._places[ctx.tenant_id, ctx.env, run_id]
        async with place.looking:
            if place.seen is None or anyio.current_time() - place.seen_at >= self.pause_s:
                place.seen = await anyio.to_thread.run_sync(self._look, ctx, run_id)
                place.seen_at = anyio.current_time()
        if isinstance(place.seen, RushesError):
            raise place.seen
        return place.seen

    def _look(self, ctx: RequestContext, run_id: str) -> Looked | RushesError:
        try:
            run = load_run(self._home.documents, ctx, run_id)
            return run, load_records(self._home.documents, ctx, run_id)
        except RushesError as error:
            return error
