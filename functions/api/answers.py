"""How answers look: JSON with ETags, pages, and the one error object with its status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticSerializationError, to_json
from starlette.exceptions import HTTPException

from shared.contracts.ids import NAME_PATTERN
from shared.errors import (
    BackendFailed,
    Conflict,
    CrossTenant,
    InputTooLarge,
    MissingDependency,
    NotFound,
    RushesError,
    TimedOut,
    Transient,
    Unauthenticated,
    UnsupportedMedia,
    ValidationError,
)
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.runs.stored_json import StoredJson, tag_of

STATUS: Mapping[type[RushesError], int] = {
    ValidationError: 422,
    MissingDependency: 503,
    InputTooLarge: 413,
    UnsupportedMedia: 415,
    TimedOut: 504,
    BackendFailed: 502,
    NotFound: 404,
    Unauthenticated: 401,
    CrossTenant: 403,
    Conflict: 409,
    Transient: 503,
}
RETRY_AFTER_S = 2
JSON = "application/json"


class PreconditionFailed(Conflict):
    """An ``If-Match`` names another version than the one that stands."""


class NoSuchRange(ValidationError):
    """The bytes asked for lie behind the end."""


def answer(request: Request, content: Any, *, status: int = 200, **headers: str) -> Response:
    """The content as JSON with its ETag; 304 without a body where the caller has just this."""
    body = to_json(content)
    return tagged(request, body, etag_of(body), status=status, media_type=JSON, headers=headers)


def stored_answer(request: Request, stored: StoredJson) -> Response:
    """What documents say, with the tag of their versions; 304 where the caller has just this."""
    return tagged(request, stored.text.encode(), f'"{stored.tag}"', media_type=JSON)


def stored_page(
    request: Request,
    name: str,
    page: tuple[Sequence[Document], str | None],
    shown: Callable[[Document], str],
) -> Response:
    """A page of documents, ``shown`` each as its JSON."""
    documents, following = page
    rows = ",".join(map(shown, documents))
    text = f'{{"{name}":[{rows}],"next":{to_json(following).decode()}}}'
    return stored_answer(request, StoredJson(text, tag_of(documents, str(following))))


def tagged(
    request: Request,
    body: bytes,
    etag: str,
    *,
    status: int = 200,
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A body with its ETag, or 304."""
    told = {"ETag": etag, "Cache-Control": "private, no-cache", **(headers or {})}
    told = {name.replace("_", "-"): value for name, value in told.items()}
    if request.method in ("GET", "HEAD") and holds(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=told)
    return Response(body, status, told, media_type=media_type)


def etag_of(body: bytes) -> str:
    """Strong: equal bytes, equal tag."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def holds(header: str | None, etag: str) -> bool:
    """Does ``If-None-Match`` name the tag (weakly, as RFC 9110 compares here)?"""
    if header is None:
        return False
    names = [name.strip().removeprefix("W/") for name in header.split(",")]
    return "*" in names or etag in names


def if_match(request: Request) -> str | None:
    """The version that an ``If-Match`` demands; ``None``: any."""
    header = request.headers.get("if-match")
    return None if header in (None, "*") else str(header).strip().removeprefix("W/").strip('"')


# -- pages -------------------------------------------------------------------------------------

Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[str | None, Query(pattern=NAME_PATTERN)]


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted."""

    limit: int
    after: str | None

    def of(
        self, home: Home, collection: str, where: Mapping[str, str | None] | None = None
    ) -> tuple[list[Document], str | None]:
        """The documents of this page, and where the next begins."""
        wanted = {name: value for name, value in (where or {}).items() if value is not None}
        found = list(
            home.documents.list(collection, where=wanted, limit=self.limit + 1, after=self.after)
        )
        page = found[: self.limit]
        return page, page[-1].id if len(found) > self.limit else None


async def _page(limit: Limit = 100, after: After = None) -> Page:
    """Not in a thread of its own, as all is that FastAPI calls and does not await."""
    return Page(limit, after)


Paged = Annotated[Page, Depends(_page)]


# -- errors ------------------------------------------------------------------------------------


def status_of(error: RushesError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, PreconditionFailed):
        return 412
    if isinstance(error, NoSuchRange):
        return 416
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)


def error_answer(error: RushesError, status: int | None = None, **headers: str) -> Response:
    """``{"error": {...}}`` with the fitting status."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if error.transient:
        told["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, Unauthenticated):
        told["WWW-Authenticate"] = "Bearer"
    try:
        body = to_json({"error": error.to_json()})
    except PydanticSerializationError:  # it repeats half a character, which only an escape can say
        body = json.dumps({"error": error.to_json()}, default=str).encode()
    return Response(body, status or status_of(error), told, media_type=JSON)


def _malformed(request: Request, first: Mapping[str, Any]) -> ValidationError:
    """Which field, and what is wrong with it; or that the body as a whole was not read as JSON."""
    if first["type"] == "json_invalid":
        place = f"at character {first['loc'][-1]}: {first['ctx']['error']}"
        return ValidationError("body", f"is no JSON {place}")
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    if not where and "json" not in request.headers.get("content-type", ""):
        return ValidationError("body", "is to be JSON, sent with Content-Type: application/json")
    return ValidationError(".".join(where) or "body", str(first["msg"]))


def install(app: FastAPI) -> None:
    """Every error becomes the one object."""

    @app.exception_handler(RushesError)
    def ours(request: Request, error: RushesError) -> Response:
        return error_answer(error)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        return error_answer(_malformed(request, error.errors()[0]))

    @app.exception_handler(UnicodeEncodeError)
    def no_text(request: Request, error: UnicodeEncodeError) -> Response:
        """JSON can say half a character (a lone surrogate), which nothing can keep."""
        return error_answer(ValidationError("body", "holds text that is no Unicode"))

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        """The server logs it; the caller gets no innards."""
        return error_answer(BackendFailed("the API", "an unforeseen error"), 500)

    @app.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return error_answer(NotFound("path", request.url.path))
        told = dict((error.headers or {}).items())
        refused = ValidationError("request", str(error.detail))
        return error_answer(refused, error.status_code, **told)


def merged(rows: Iterable[Any], name: str, following: str | None) -> dict[str, Any]:
    """A page as it is answered."""
    return {name: list(rows), "next": following}
