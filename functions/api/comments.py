"""What people say of a recording, each at a time in it."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, Field

from functions.api.answers import answer
from functions.api.idempotency import OneTime
from functions.api.identity import Caller
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN, Name
from shared.contracts.model import RequestBody
from shared.errors import Conflict, NotFound
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.steps.preparing import load_asset

MOST = 1000
"""So many a recording has at most."""

Id = Annotated[str, Path(pattern=NAME_PATTERN)]


class NewComment(RequestBody):
    """Words at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    at_ms: int = Field(ge=0, le=2**53, description="Of the recording's own time.")
    text: str = Field(min_length=1, max_length=2000)


class Comment(NewComment):
    """As it is kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    comment_id: Name
    asset_id: Name
    user_id: Name | None = None
    """Whose it is, where the identity says so."""
    created_at: float
    """Unix seconds."""


def routes(home: Home) -> APIRouter:
    """The endpoints of comments."""
    router = APIRouter(tags=["comments"])
    documents = home.documents

    @router.get("/assets/{asset_id}/comments")
    def comments(request: Request, ctx: Caller, asset_id: Id) -> Response:
        """All of the recording's, by their time in it."""
        load_asset(home, ctx, asset_id)
        rows = [one.model_dump(mode="json") for one in listed(home, ctx, asset_id)]
        return answer(request, {"comments": rows})

    @router.post("/assets/{asset_id}/comments", status_code=201)
    def add(
        request: Request, ctx: Caller, once: OneTime, asset_id: Id, body: NewComment
    ) -> Response:
        """Say something at a time in it."""
        load_asset(home, ctx, asset_id)
        if len(listed(home, ctx, asset_id)) >= MOST:
            raise Conflict(f"a recording has at most {MOST} comments: remove what is settled")
        once.check(documents, body.model_dump(mode="json"))
        made = Comment(
            **body.model_dump(),
            comment_id=once.identifier("cmt"),
            asset_id=asset_id,
            user_id=ctx.user_id,
            created_at=time.time(),
        )
        path = _path(ctx, made.comment_id)
        try:
            documents.create(path, made.model_dump(mode="json"))
        except Conflict:  # the same request once more
            standing = documents.get(path)
            made = Comment.model_validate(standing.data) if standing else made
        return answer(request, made.model_dump(mode="json"), status=201)

    @router.delete("/assets/{asset_id}/comments/{comment_id}", status_code=204)
    def remove(ctx: Caller, asset_id: Id, comment_id: Id) -> Response:
        """Take it back."""
        standing = documents.get(_path(ctx, comment_id))
        if standing is None or standing.data.get("asset_id") != asset_id:
            raise NotFound("comment", comment_id)
        documents.delete(standing.path)
        return Response(status_code=204)

    return router


def listed(home: Home, ctx: RequestContext, asset_id: str) -> list[Comment]:
    """The recording's comments, by their time in it."""
    found = home.documents.list(f"{ctx.document_prefix}comments", where={"asset_id": asset_id})
    return sorted((one for _, one in readable(found, Comment)), key=lambda one: one.at_ms)


def _path(ctx: RequestContext, comment_id: str) -> str:
    return f"{ctx.document_prefix}comments/{comment_id}"
