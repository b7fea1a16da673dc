"""The middleware before every endpoint: security headers, who asks, and how large a body may be.

With the dev identity nobody proves who they are, so a page of another site must not be able to act:
only this machine's own names are answered (a name that is made to point here is refused), and no
request that a browser sends on another site's behalf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.answers import error_answer
from shared.contracts.nesting import nesting
from shared.errors import InputTooLarge, RushesError, Unauthenticated, ValidationError

OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
BUCKETS = "https://storage.googleapis.com"


def page_policy(*, direct: bool) -> str:
    """The console's content security policy; with ``direct`` the bucket may be talked to as well."""
    bucket = f" {BUCKETS}" if direct else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self'{bucket}",
            f"img-src 'self' data: blob:{bucket}",
            f"media-src 'self' blob:{bucket}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


MAX_BODY_BYTES = 1 << 20
"""Of a request that is parsed: a timeline has 400 kB at most. Pieces of uploads pass by in a stream."""
_RECORDINGS = "a recording is sent by POST /uploads and PUT, in pieces"
MOST_NESTED = 64
"""Lists and objects inside one another, in a body that is parsed."""


class Guard:
    """ASGI middleware. A body is read once it is known who sends it, bounded, before it is parsed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        own_names_only: bool,
        policy: str,
        identity: Callable[[str | None], object],
    ) -> None:
        self._app = app
        self._own_names_only = own_names_only
        told = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
        }
        self._told = [(name.encode(), value.encode()) for name, value in told.items()]
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it; add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._with_headers(message.get("headers", ()))
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(headers) if self._own_names_only else None
        if refusal is not None:
            answer = error_answer(Unauthenticated(refusal), 403)
            await answer(scope, receive, send_safely)
            return
        if scope["method"] in ("POST", "PUT", "PATCH") and not _streamed(scope):
            try:
                await anyio.to_thread.run_sync(self._identity, headers.get("authorization"))
                receive = _replayed(await _whole_body(headers, receive), receive)
            except RushesError as error:
                await error_answer(error)(scope, receive, send_safely)
                return
        await self._app(scope, receive, send_safely)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if _name(f"//{host}") not in OWN_NAMES:
            return "this address answers under this machine's own names alone"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "another site's page may not act here"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return "another site's page may not act here"
        return None

    def _with_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Names are lower case, as ASGI has it. What an answer says itself holds."""
        said = dict(headers)
        if b"content-encoding" in said and said.get(b"etag", b"").startswith(b'"'):
            weak = b"W/" + said[b"etag"]  # compressed, it is not the same bytes
            headers = [(name, weak if name == b"etag" else value) for name, value in headers]
        return [*headers, *(pair for pair in self._told if pair[0] not in said)]


def _streamed(scope: Scope) -> bool:
    """A piece of an upload: its handler counts the bytes as they come."""
    return scope["method"] == "PUT" and str(scope["path"]).startswith("/uploads/")


async def _whole_body(headers: Headers, receive: Receive) -> bytes:
    """The body; raises ``InputTooLarge``, ``ValidationError`` for one that is nested too deeply
    or is no UTF-8.
    """
    said = headers.get("content-length", "0")
    if said.isdigit() and len(said) < 20 and int(said) > MAX_BODY_BYTES:
        raise InputTooLarge(MAX_BODY_BYTES, int(said), _RECORDINGS)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise InputTooLarge(MAX_BODY_BYTES, len(body), _RECORDINGS)
    if b"\0" in body:  # JSON in UTF-16 or UTF-32, whose brackets are not counted
        raise ValidationError("body", "is not text in UTF-8")
    if nesting(bytes(body)) > MOST_NESTED:
        raise ValidationError("body", f"is nested more than {MOST_NESTED} deep")
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body to whoever reads it next, and then what really comes."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
