"""Links by which somebody without a name here looks at one recording, for a while, and changes nothing.

    POST /assets/ID/links -> /review/TOKEN/    the page of the results folder
                             /review/TOKEN/... the files that it names, and no other

The token says whose recording it is, which, and until when, and is signed: nothing is stored. It ends
by itself, and with the key; it opens no other recording, and no other endpoint.
"""

from __future__ import annotations

import mimetypes
import secrets
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ConfigDict, Field

from functions.api.answers import answer
from functions.api.identity import Caller
from functions.api.media import bytes_answer
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN
from shared.contracts.model import RequestBody
from shared.errors import MissingDependency, NotFound, Unauthenticated, ValidationError
from shared.homes.home import Home
from shared.runs.downloads import StoredFile
from shared.runs.gathering import Results, gather, opened
from shared.runs.results_folder import Entry
from shared.settings import Settings
from shared.steps.preparing import load_asset

LONGEST_S = 30 * 86_400
_USUAL_S = 7 * 86_400
_ALGORITHM = "HS256"
_PURPOSE = "review"
"""The token's audience: a token that was signed for something else opens nothing here."""
_FRESH_S = 30
"""A folder that was put together is shown for so long: a player asks for many ranges."""
_PAGE = {
    "Cache-Control": "private, no-store",
    # The page states a policy of its own, by hashes; nobody may frame it.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Robots-Tag": "noindex",
}

Id = Annotated[str, Path(pattern=NAME_PATTERN)]


class NewLink(RequestBody):
    """How long it opens the recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expires_in_s: int = Field(_USUAL_S, ge=60, le=LONGEST_S)


@dataclass(frozen=True)
class Opened:
    """What a link opens."""

    ctx: RequestContext
    asset_id: str


def routes(home: Home) -> APIRouter:
    """The endpoints of links."""
    router = APIRouter(tags=["links"])

    @router.post("/assets/{asset_id}/links", status_code=201)
    def link(request: Request, ctx: Caller, asset_id: Id, body: NewLink) -> Response:
        """A link that shows this recording's results to whoever has it, until it expires."""
        load_asset(home, ctx, asset_id)
        expires_at = int(time.time()) + body.expires_in_s
        token = signed(Opened(ctx, asset_id), expires_at, key_of(home.settings))
        return answer(request, {"url": f"/review/{token}/", "expires_at": expires_at}, status=201)

    @lru_cache(64)
    def gathered(ctx: RequestContext, asset_id: str, turn: int) -> Results:
        return gather(home, ctx, asset_id, unblurred=False)

    @router.get("/review/{token}", include_in_schema=False)
    def front(token: str) -> Response:
        return RedirectResponse(f"/review/{token}/")

    @router.get("/review/{token}/{path:path}", include_in_schema=False)
    @router.head("/review/{token}/{path:path}", include_in_schema=False)
    def look(request: Request, token: str, path: str) -> Response:
        shown = read(token, key_of(home.settings))
        load_asset(home, shown.ctx, shown.asset_id)  # it may have been erased since
        results = gathered(shown.ctx, shown.asset_id, int(time.time() / _FRESH_S))
        return _file(request, home, results, path or "index.html")

    return router


def _file(request: Request, home: Home, results: Results, path: str) -> Response:
    if path in results.texts:
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        return Response(results.texts[path], headers=_PAGE, media_type=kind)
    entry = next((one for one in results.entries if one.path == path), None)
    if entry is None:
        raise NotFound("file", path)
    if entry.member is not None:
        return Response(
            _member(home, entry), headers=_PAGE, media_type=mimetypes.guess_type(path)[0]
        )
    asset = results.asset
    size, kind = (
        (entry.artifact.bytes, entry.artifact.content_type)
        if entry.artifact
        else (asset.bytes, asset.content_type)
    )
    name = path.rpartition("/")[2]
    file = StoredFile(entry.key, name, kind, size, entry.sha256)
    return bytes_answer(request, home, file, download=False, from_bucket=False)


def _member(home: Home, entry: Entry) -> bytes:
    """A one-shot, a loop, a text: none of a pack's files is long."""
    with opened(home, entry.key) as file, zipfile.ZipFile(file) as pack:
        return pack.read(str(entry.member))


# -- tokens ------------------------------------------------------------------------------------


def signed(opens: Opened, expires_at: int, key: str) -> str:
    """The token; ``expires_at``: Unix seconds."""
    claims = {
        "aud": _PURPOSE,
        "exp": expires_at,
        "tenant": opens.ctx.tenant_id,
        "env": opens.ctx.env,
        "asset": opens.asset_id,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(token: str, key: str) -> Opened:
    """What the token opens; raises ``Unauthenticated`` for one that is forged, or has expired."""
    required: Any = {"require": ["aud", "exp", "tenant", "env", "asset"]}
    try:
        claims = jwt.decode(
            token, key, algorithms=[_ALGORITHM], audience=_PURPOSE, options=required
        )
        return Opened(RequestContext.of(claims["tenant"], claims["env"]), str(claims["asset"]))
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("this link has expired: ask for a new one") from None
    except (jwt.PyJWTError, ValidationError):
        raise Unauthenticated("this link is not one of ours, or not whole") from None


def key_of(settings: Settings) -> str:
    """The server's secret; at home made when first needed.

    Raises ``MissingDependency`` in the cloud, where several servers must share it.
    """
    if settings.link_key:
        return settings.link_key
    if settings.home == "google":
        raise MissingDependency("RUSHES_LINK_KEY", None, "set it to sign links with")
    path = settings.data / "link.key"
    if not path.exists():
        own = path.with_name(f".{secrets.token_hex(8)}.key")
        own.touch(mode=0o600)
        own.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):  # of two that are as quick, one's is taken by both
            path.hardlink_to(own)
        own.unlink()
    return path.read_text()
