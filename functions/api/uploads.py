"""Uploads in pieces, by Google's resumable protocol: to a file here, or straight to the bucket.

    POST /uploads --> open --PUT, PUT, ...--> all bytes are there --> complete, and a run opens

Here (at home) the pieces go to a file beside the home's data, as they come, and from there into the
bucket by the same road as the command's. In the cloud ``upload_url`` is a session of the bucket's own,
and nothing passes through this process.
"""

from __future__ import annotations

import fcntl
import posixpath
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO, Literal

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, Field

from functions.api.answers import answer
from functions.api.idempotency import OneTime
from functions.api.identity import Caller, check_claimed
from functions.api.upload_pieces import Piece, range_of
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN, Name
from shared.contracts.model import Model, RequestBody
from shared.contracts.upload import Upload
from shared.errors import Conflict, InputTooLarge, MissingDependency, NotFound, ValidationError
from shared.homes.home import Home
from shared.homes.tenant_limits import max_input_bytes, tenant_settings
from shared.pipeline import PROBE, step_named
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import object_name, shown, upload
from shared.steps.preparing import check_params

STALE_S = 7 * 86_400.0
"""So long nothing has come of an upload when its bytes are dropped: as the bucket's own sessions end."""
KEPT_S = 30 * 86_400.0
"""So long a session is kept, where the document store removes what expires."""

UploadId = Annotated[str, Path(pattern=NAME_PATTERN)]


class _Wished(RequestBody):
    """What is to be done with a recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[str, ...] | None = Field(None, description="Only these, and what they need.")
    params: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Step -> params.")
    tenant_id: str | None = Field(None, description="Accepted if it is the identity's.")
    env: str | None = Field(None, description="Accepted if it is the identity's.")
    user_id: str | None = Field(None, description="Accepted if it is the identity's.")

    @property
    def wishes(self) -> Wishes:
        """As an upload carries them; raises ``ValidationError`` for unknown steps."""
        return Wishes.read(Wishes(steps=self.steps, params=self.params).metadata())


class NewUpload(_Wished):
    """A recording that is to come."""

    name: str = Field(min_length=1, max_length=1000, description="The file's name.")
    size_bytes: int = Field(gt=0)
    content_type: str | None = Field(None, pattern=r"^[\w.+-]+/[\w.+-]+$", max_length=200)


class FromBucket(_Wished):
    """A recording that lies in another bucket."""

    uri: str = Field(max_length=2000, description="`s3://bucket/key` or `gs://bucket/key`.")


class Session(Model):
    """An upload as its document keeps it."""

    model_config = ConfigDict(frozen=True)

    upload_id: Name
    name: str
    size_bytes: int
    steps: tuple[str, ...] | None = None
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    state: Literal["open", "complete"] = "open"
    address: str | None = None
    """Of the bucket's own session, where the bytes do not come here."""
    key: str | None = None
    """Where they land then."""
    run_id: Name | None = None
    expires_at: float | None = None
    """Unix seconds: it holds the file's name, which nobody needs for ever."""

    @property
    def wishes(self) -> Wishes:
        """What the uploader wants done."""
        return Wishes(steps=self.steps, params=self.params)


def routes(home: Home) -> APIRouter:
    """The endpoints of uploading."""
    desk = _Uploads(home)
    router = APIRouter(tags=["uploads"])

    @router.post("/uploads", status_code=201)
    def begin(request: Request, ctx: Caller, once: OneTime, body: NewUpload) -> Response:
        """Begin an upload: says where the bytes go."""
        _check(home, ctx, body)
        once.check(home.documents, body.model_dump(mode="json"))
        origin = request.headers.get("origin") or str(request.base_url).rstrip("/")
        session = desk.begin(ctx, once.identifier("upl"), body, origin)
        return answer(request, desk.shown(ctx, session), status=201)

    @router.post("/assets", status_code=202)
    def register(request: Request, ctx: Caller, once: OneTime, body: FromBucket) -> Response:
        """Take a recording in from another bucket."""
        _check(home, ctx, body)
        once.check(home.documents, body.model_dump(mode="json"))
        run_id = desk.register(ctx, body)
        links = {"run": f"/runs/{run_id}", "events": f"/runs/{run_id}/events"}
        return answer(request, {"run_id": run_id, "links": links}, status=202)

    @router.get("/uploads/{upload_id}")
    def look(request: Request, ctx: Caller, upload_id: UploadId) -> Response:
        """How much has arrived; once complete, which run it opened."""
        return answer(request, desk.shown(ctx, desk.load(ctx, upload_id)))

    @router.put(
        "/uploads/{upload_id}",
        openapi_extra={
            "requestBody": {
                "content": {
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
                }
            }
        },
    )
    async def put(request: Request, ctx: Caller, upload_id: UploadId) -> Response:
        """Send bytes, all or from where the last piece ended."""
        return await _taken_in(desk, request, ctx, upload_id)

    @router.delete("/uploads/{upload_id}", status_code=204)
    def give_up(ctx: Caller, upload_id: UploadId) -> Response:
        """Give an open upload up."""
        desk.give_up(ctx, desk.load(ctx, upload_id))
        return Response(status_code=204)

    return router


async def _taken_in(
    desk: _Uploads, request: Request, ctx: RequestContext, upload_id: str
) -> Response:
    """Write what the request brings behind what is there; the last piece completes the upload."""
    run = anyio.to_thread.run_sync
    session = await run(desk.load, ctx, upload_id)
    if session.state == "open":
        if session.address is not None:
            raise ValidationError("upload_url", "the bytes go there, not here")
        piece = Piece.announced(request.headers, session.size_bytes)
        with desk.opened(ctx, session) as file:
            session = await run(desk.load, ctx, upload_id)
            if session.state == "open":
                received = await piece.receive(file, request.stream())
                if received < session.size_bytes:
                    return Response(status_code=308, headers=range_of(received))
                # Behind the lock: the last piece and a question may come at once.
                session = await run(desk.complete, ctx, session)
    return answer(request, await run(desk.shown, ctx, session), status=201)


class _Uploads:
    """Sessions and their files. Nothing is kept in memory: any process goes on with a session."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.settings.data / "uploads"

    def begin(self, ctx: RequestContext, identifier: str, asked: NewUpload, origin: str) -> Session:
        """Open a session; the same identifier again gives the one that stands."""
        limit = max_input_bytes(self._home, ctx)
        if asked.size_bytes > limit:
            raise InputTooLarge(limit, asked.size_bytes)
        session = Session(
            upload_id=identifier,
            name=_own_name(asked.name),
            size_bytes=asked.size_bytes,
            steps=asked.wishes.steps,
            params=asked.params,
            expires_at=time.time() + KEPT_S,
        )
        if self._home.settings.direct_transfers:
            session = self._direct(ctx, session, asked, origin)
        self._drop_stale()
        try:
            self._home.documents.create(
                self._path(ctx, identifier), session.model_dump(mode="json")
            )
        except Conflict:
            return self.load(ctx, identifier)
        return session

    def register(self, ctx: RequestContext, asked: FromBucket) -> str:
        """Fetch it from the other bucket and take it in; returns the run's id."""
        own = f"gs://{self._home.settings.bucket}/"  # holds all tenants'
        places = tuple(self._sources(ctx))
        for uri in (asked.uri, _resolved(asked.uri)):
            if uri.startswith(own) or not uri.startswith(places):
                raise ValidationError("uri", "is in no place that RUSHES_SOURCE_BUCKETS names")
        return upload_run_id(upload(self._home, ctx, asked.uri, asked.wishes))

    def _sources(self, ctx: RequestContext) -> Iterator[str]:
        """What an address that this tenant may register begins with."""
        for named in self._home.settings.source_buckets.split(","):
            place = named.strip().replace("{tenant}", ctx.tenant_id).replace("{env}", ctx.env)
            if re.match(r"(s3|gs)://[^/]", place):  # a scheme alone would be every bucket
                yield place.rstrip("/") + "/"

    def _direct(
        self, ctx: RequestContext, session: Session, asked: NewUpload, origin: str
    ) -> Session:
        key = f"{ctx.object_prefix}uploads/{session.upload_id}/{object_name(session.name)}"
        wishes = Wishes(session.steps, session.params, ctx.user_id, session.name)
        address = self._home.objects.upload_address(
            key,
            size=session.size_bytes,
            content_type=asked.content_type or "application/octet-stream",
            metadata=wishes.metadata(),
            origin=origin,
        )
        if address is None:
            return session
        return session.model_copy(update={"address": address, "key": key})

    def load(self, ctx: RequestContext, upload_id: str) -> Session:
        """The session, complete if its object has landed; raises ``NotFound``."""
        document = self._home.documents.get(self._path(ctx, upload_id))
        if document is None:
            raise NotFound("upload", upload_id)
        session = Session.model_validate(document.data)
        if session.state == "open" and session.key is not None:
            info = self._home.objects.stat(session.key)
            if info is not None:
                landed = Upload(ctx, self._home.settings.bucket, session.key, info.generation)
                return self._settled(ctx, session, landed)
        return session

    def shown(self, ctx: RequestContext, session: Session) -> dict[str, Any]:
        """As its uploader sees it."""
        own, run_id = f"/uploads/{session.upload_id}", session.run_id
        received = (
            session.size_bytes if session.state == "complete" else self._received(ctx, session)
        )
        return {
            "upload_id": session.upload_id,
            "upload_url": session.address or own,
            "state": session.state,
            "name": session.name,
            "size_bytes": session.size_bytes,
            "received_bytes": received,
            "run_id": run_id,
            "links": {"self": own, "run": f"/runs/{run_id}" if run_id else None},
        }

    @contextmanager
    def opened(self, ctx: RequestContext, session: Session) -> Iterator[BinaryIO]:
        """The session's file, for one sender at a time; raises ``Conflict`` for a second."""
        path = self._file(ctx, session)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict("another request is sending this upload's bytes") from None
            yield file

    def complete(self, ctx: RequestContext, session: Session) -> Session:
        """All bytes are here: take the recording in."""
        path = self._file(ctx, session)
        landed = upload(self._home, ctx, path, session.wishes)
        done = self._settled(ctx, session, landed)
        shutil.rmtree(path.parent, ignore_errors=True)
        return done

    def give_up(self, ctx: RequestContext, session: Session) -> None:
        """Forget it; what has been taken in stays."""
        shutil.rmtree(self._file(ctx, session).parent, ignore_errors=True)
        self._home.documents.delete(self._path(ctx, session.upload_id))

    def _settled(self, ctx: RequestContext, session: Session, landed: Upload) -> Session:
        done = session.model_copy(update={"state": "complete", "run_id": upload_run_id(landed)})
        self._home.documents.put(self._path(ctx, session.upload_id), done.model_dump(mode="json"))
        return done

    def _received(self, ctx: RequestContext, session: Session) -> int:
        try:
            return self._file(ctx, session).stat().st_size
        except FileNotFoundError:
            return 0

    def _file(self, ctx: RequestContext, session: Session) -> FilePath:
        folder = self._folder / ctx.tenant_id / ctx.env / session.upload_id
        return folder / object_name(session.name)

    def _path(self, ctx: RequestContext, upload_id: str) -> str:
        return f"{ctx.document_prefix}uploads/{upload_id}"

    def _drop_stale(self) -> None:
        for folder in self._folder.glob("*/*/*"):
            with suppress(FileNotFoundError):  # another process was quicker
                # A folder's own time stands still while the file in it grows.
                touched = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                if time.time() - touched > STALE_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _check(home: Home, ctx: RequestContext, asked: _Wished) -> None:
    """Refuse another's names, and what a step would refuse or cannot do without, before a byte is sent.

    Raises ``CrossTenant`` or ``ValidationError``. A step whose libraries are not installed here is judged by
    whoever does it.
    """
    check_claimed(ctx, asked.model_dump())
    named = {*(asked.wishes.steps or ()), *asked.params} - {PROBE}
    standing = tenant_settings(home, ctx).get("params", {}) if named else {}
    params = {**standing, **asked.params}
    for step in sorted(named):
        with suppress(MissingDependency):
            check_params(home, step_named(step), params.get(step, {}))


def _resolved(uri: str) -> str:
    """As a server that takes ``..`` in a path for its parent would read it: a key is just a key, but
    not every server between here and a bucket knows that.
    """
    scheme, _, path = uri.partition("://")
    return f"{scheme}:/{posixpath.normpath(f'/{path}')}"


def _own_name(name: str) -> str:
    """The last part of a path, which names no folder."""
    last = shown(name.replace("\\", "/").rsplit("/", 1)[-1])
    return "recording" if last in ("", ".", "..") else last
