"""What every answer carries, and which requests the dev identity refuses.

With the dev identity nobody proves who they are, so a page of another site must not be able to act:
only this machine's own names are answered (a name that is made to point here is refused), and no
request that a browser sends on another site's behalf.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.answers import error_answer
from shared.errors import Unauthenticated

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


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, own_names_only: bool, policy: str) -> None:
        self._app = app
        self._own_names_only = own_names_only
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it; add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(Headers(scope=scope)) if self._own_names_only else None
        if refusal is None:
            await self._app(scope, receive, send_safely)
        else:
            answer = error_answer(Unauthenticated(refusal), 403)
            await answer(scope, receive, send_safely)

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

    def _add_headers(self, headers: MutableHeaders) -> None:
        told: Iterable[tuple[str, str]] = (
            ("Content-Security-Policy", self._policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        )
        for name, value in told:
            headers.setdefault(name, value)


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
