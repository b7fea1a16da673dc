"""Routes for short reads that skip FastAPI's dependencies: they need only who asks, and the ids in the path.

FastAPI works out at each request what an endpoint depends on, which took longer than the read itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, TypeVar

import anyio.to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from functions.api.identity import identified
from shared.contracts.ids import NAME_PATTERN

Answer = TypeVar("Answer")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_ID = re.compile(NAME_PATTERN)


class StraightRoute(APIRoute):
    """A route whose path parameters are all ids, and whose endpoint only takes a short look (``looked``).

    A request with a query, or with what is no id, goes FastAPI's way, which checks and refuses; so does
    every request to an endpoint that needs more than ``request``, ``ctx`` and the ids.
    """

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        whole = super().get_route_handler()
        takes = signature(self.endpoint).parameters
        needed = {name for name, one in takes.items() if one.default is Parameter.empty}
        reads = set(self.methods or ()) <= {"GET", "HEAD"}
        if not reads or not {"request", "ctx"} <= needed:
            return whole
        if needed - self.param_convertors.keys() != {"request", "ctx"}:
            return whole
        endpoint: Callable[..., Any] = self.endpoint
        waits = iscoroutinefunction(endpoint)

        async def straight(request: Request) -> Response:
            ids = request.path_params
            if request.scope["query_string"] or not all(map(_ID.fullmatch, ids.values())):
                return await whole(request)
            ctx = await identified(request)
            if waits:
                answer: Response = await endpoint(request=request, ctx=ctx, **ids)
                return answer
            return await looked(request, partial(endpoint, request=request, ctx=ctx, **ids))

        return straight


async def looked(request: Request, ask: Callable[[], Answer]) -> Answer:
    """What a short look into the stores gives: at once where they are files here, else by a thread.

    A row is read before a thread would have begun to, and threads contend for what there is one of.
    """
    if request.app.state.reads_at_once:
        return ask()
    return await anyio.to_thread.run_sync(ask)
