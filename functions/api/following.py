"""Following runs: waiting for the end of one, and server-sent events of several.

Both look at the run's documents again and again, so that they work behind any number of servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic_core import to_json

from functions.api.answers import answer
from functions.api.identity import Caller
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN, digest
from shared.contracts.step import Run, StepRecord
from shared.errors import NotFound
from shared.homes.home import Home
from shared.runs.records import finished, load_run
from shared.runs.views import public_run, public_run_row
from shared.steps.step_records import load_records

MOST_RUNS = 50
LONGEST_WAIT_S = 60
_KEEPALIVE_S = 15.0

Wait = Annotated[
    float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the run to finish.")
]
RunId = Annotated[str, Path(pattern=NAME_PATTERN)]
RunIds = Annotated[
    list[Annotated[str, Query(pattern=NAME_PATTERN)]], Query(alias="run", max_length=MOST_RUNS)
]


def routes(home: Home) -> APIRouter:
    """The endpoints that follow runs."""
    router = APIRouter(tags=["runs"])

    @router.get("/runs/events")
    async def events_of_several(request: Request, ctx: Caller, runs: RunIds) -> Response:
        """Server-sent events of these runs (`?run=...&run=...`), until the last has finished."""
        return await _events(request, home, ctx, tuple(dict.fromkeys(runs)))

    @router.get("/runs/{run_id}/events")
    async def events(request: Request, ctx: Caller, run_id: RunId) -> Response:
        """Server-sent events of the run, until it has finished."""
        return await _events(request, home, ctx, (run_id,))

    @router.get("/runs/{run_id}")
    async def run(request: Request, ctx: Caller, run_id: RunId, wait: Wait = 0) -> Response:
        """The run, its steps and their artifacts; with `wait`, once it has finished."""
        await until_finished(home, ctx, run_id, wait)
        return answer(request, await anyio.to_thread.run_sync(public_run, home, ctx, run_id))

    return router


async def until_finished(home: Home, ctx: RequestContext, run_id: str, wait_s: float) -> None:
    """Return once the run has finished, after ``wait_s`` at the latest. Raises ``NotFound``."""
    with anyio.move_on_after(wait_s):
        while not finished(*await _look(home, ctx, run_id)):
            await anyio.sleep(_pause_s(home) / 2)


def _pause_s(home: Home) -> float:
    """Between two looks: those into Firestore are paid for."""
    return 0.2 if home.settings.home == "embedded" else 1.0


Looked = tuple[Run, Mapping[str, StepRecord]]


async def _look(home: Home, ctx: RequestContext, run_id: str) -> Looked:
    def look() -> Looked:
        run = load_run(home.documents, ctx, run_id)
        return run, load_records(home.documents, ctx, run_id)

    return await anyio.to_thread.run_sync(look)


async def _events(
    request: Request, home: Home, ctx: RequestContext, run_ids: tuple[str, ...]
) -> Response:
    for run_id in run_ids:
        await anyio.to_thread.run_sync(load_run, home.documents, ctx, run_id)
    all_told = f"finished-{digest(run_ids)[:32]}"
    if request.headers.get("last-event-id") == all_told:
        return Response(status_code=204)  # which ends the browser's reconnecting
    return StreamingResponse(
        _Stream(home, ctx, run_ids, all_told).told(),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


@dataclass
class _Stream:
    """One connection: what it has told so far."""

    home: Home
    ctx: RequestContext
    run_ids: tuple[str, ...]
    all_told: str
    _said: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def told(self) -> AsyncIterator[bytes]:
        open_runs = list(self.run_ids)
        quiet_since = anyio.current_time()
        while open_runs:
            for run_id in tuple(open_runs):
                chunks, over = await self._news(run_id)
                if over:
                    open_runs.remove(run_id)
                    chunks.append(await self._end(run_id, last=not open_runs))
                for chunk in chunks:
                    quiet_since = anyio.current_time()
                    yield chunk
            if anyio.current_time() - quiet_since > _KEEPALIVE_S:
                quiet_since = anyio.current_time()
                yield KEEPALIVE_COMMENT
            if open_runs:
                await anyio.sleep(_pause_s(self.home))

    async def _news(self, run_id: str) -> tuple[list[bytes], bool]:
        """What has changed since the last look, and is the run at its end?"""
        try:
            run, records = await _look(self.home, self.ctx, run_id)
        except NotFound:  # erased meanwhile
            return [], True
        row = public_run_row(run, records)
        chunks = []
        if self._is_new((run_id, ""), (row["state"], row["asset_id"], run.planned)):
            chunks.append(_event("run", row))
        for record in row["steps"]:
            if self._is_new((run_id, record["step"]), record):
                chunks.append(_event("step", {"run_id": run_id, **record}))
        return chunks, finished(run, records)

    def _is_new(self, what: tuple[str, str], state: Any) -> bool:
        before, self._said[what] = self._said.get(what), state
        return bool(before != state)

    async def _end(self, run_id: str, *, last: bool) -> bytes:
        try:
            whole = await anyio.to_thread.run_sync(public_run, self.home, self.ctx, run_id)
        except NotFound as error:
            whole = {"run_id": run_id, "state": "failed", "steps": [], "error": error.to_json()}
        return _event("finished", whole, self.all_told if last else None)


def _event(name: str, content: Any, identifier: str | None = None) -> bytes:
    return format_sse_event(data_str=to_json(content).decode(), event=name, id=identifier)
