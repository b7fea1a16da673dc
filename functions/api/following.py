"""Following runs: waiting for the end of one, and server-sent events of several.

Both look at the run's documents again and again (``functions.api.lookout``), so that they work behind any
number of servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic_core import to_json

from functions.api.answers import error_answer, stored_answer
from functions.api.ended_runs import EndedRuns
from functions.api.identity import Caller
from functions.api.lookout import Lookout, TooManyFollowed
from functions.api.straight_route import StraightRoute, looked
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN, digest
from shared.errors import NotFound, Unavailable
from shared.homes.home import Home
from shared.runs.records import finished, load_run
from shared.runs.stored_json import run_json
from shared.runs.views import public_run_row

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
    router = APIRouter(tags=["runs"], route_class=StraightRoute)
    ended = EndedRuns(home)

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
        await until_finished(request, ctx, run_id, wait)
        shown = await looked(request, partial(ended.told, ctx, run_id))
        return stored_answer(request, shown)

    return router


async def until_finished(request: Request, ctx: RequestContext, run_id: str, wait_s: float) -> None:
    """Return once the run has finished, after ``wait_s`` at the latest; at once where too many wait.

    Raises ``NotFound``.
    """
    if not wait_s:
        return
    lookout: Lookout = request.app.state.lookout
    with suppress(Unavailable), lookout.following(ctx, (run_id,)), anyio.move_on_after(wait_s):
        while not finished(*await lookout.look(ctx, run_id)):
            await anyio.sleep(lookout.pause_s)


async def _events(
    request: Request, home: Home, ctx: RequestContext, run_ids: tuple[str, ...]
) -> Response:
    for run_id in run_ids:
        await anyio.to_thread.run_sync(load_run, home.documents, ctx, run_id)
    all_told = f"finished-{digest(run_ids)[:32]}"
    if request.headers.get("last-event-id") == all_told:
        return Response(status_code=204)  # which ends the browser's reconnecting
    lookout: Lookout = request.app.state.lookout
    try:
        lookout.check(ctx, len(run_ids))
    except TooManyFollowed as error:
        return error_answer(error, 429)
    return StreamingResponse(
        _Stream(home, lookout, ctx, run_ids, all_told).told(),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


@dataclass
class _Stream:
    """One connection: what it has told so far."""

    home: Home
    lookout: Lookout
    ctx: RequestContext
    run_ids: tuple[str, ...]
    all_told: str
    _said: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def told(self) -> AsyncIterator[bytes]:
        with self.lookout.following(self.ctx, self.run_ids):
            async for chunk in self._told():
                yield chunk

    async def _told(self) -> AsyncIterator[bytes]:
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
                await anyio.sleep(self.lookout.pause_s)

    async def _news(self, run_id: str) -> tuple[list[bytes], bool]:
        """What has changed since the last look, and is the run at its end?"""
        try:
            run, records = await self.lookout.look(self.ctx, run_id)
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
            shown = await anyio.to_thread.run_sync(run_json, self.home, self.ctx, run_id)
            whole = shown.text
        except NotFound as error:
            gone = {"run_id": run_id, "state": "failed", "steps": [], "error": error.to_json()}
            whole = to_json(gone).decode()
        return format_sse_event(
            data_str=whole, event="finished", id=self.all_told if last else None
        )


def _event(name: str, content: Any) -> bytes:
    return format_sse_event(data_str=to_json(content).decode(), event=name)
