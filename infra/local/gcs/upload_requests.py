"""Requests that bring bytes: at once with ``media`` and ``multipart``, in parts with ``resumable``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from infra.local.gcs.bodies import json_body, receive, receive_multipart, sent_hashes
from infra.local.gcs.bucket import PLAIN_TYPE, Bucket, Description
from infra.local.gcs.resource import json_response, text_of
from infra.local.gcs.sessions import ContentRange, Session
from shared.errors import ValidationError
from shared.homes.objects.keys import check_key


def upload(bucket: Bucket, request: Request) -> Response:
    """Receive an object, or begin to."""
    kind = request.args.get("uploadType")
    if kind == "resumable":
        return _begin(bucket, request)
    if kind not in _RECEIVERS:
        raise ValidationError("uploadType", "must be media, multipart or resumable")
    with bucket.uploads.scratch() as path:
        resource, content_type = _RECEIVERS[kind](request, path)
        key = text_of(resource, "name", request.args.get("name", ""))
        described = Description({**resource, **_told(request)}, content_type, request.args)
        row = bucket.store(key, path, described)
    return json_response(bucket.resource(row))


def _told(request: Request) -> dict[str, str]:
    """What the request says of the object outside its resource: checksums, and its encoding."""
    encoding = request.args.get("contentEncoding")
    return {**sent_hashes(request.headers), **({"contentEncoding": encoding} if encoding else {})}


def _media(request: Request, path: Path) -> tuple[dict[str, Any], str]:
    receive(request.stream, path)
    return {}, request.headers.get("Content-Type", PLAIN_TYPE)


def _multipart(request: Request, path: Path) -> tuple[dict[str, Any], str]:
    content_type = request.headers.get("Content-Type", "")
    resource, media_type = receive_multipart(request.stream, content_type, path)
    return resource, media_type or PLAIN_TYPE


_RECEIVERS = {"media": _media, "multipart": _multipart}


def _begin(bucket: Bucket, request: Request) -> Response:
    resource = json_body(request)
    key = check_key(text_of(resource, "name", request.args.get("name", "")))
    session = bucket.uploads.begin(
        {
            "key": key,
            "resource": {**resource, **_told(request)},
            "content_type": request.headers.get("X-Upload-Content-Type", PLAIN_TYPE),
            "args": request.args.to_dict(),
        }
    )
    place = f"{request.base_url}?uploadType=resumable&upload_id={session.session_id}"
    return Response(headers={"Location": place, "X-GUploader-UploadID": session.session_id})


def resume(bucket: Bucket, request: Request) -> Response:
    """Take more of a resumable upload, or say how far it is."""
    session = bucket.uploads.find(request.args.get("upload_id", ""))
    where = ContentRange.parse(request.headers.get("Content-Range"))
    if session.finished is None and not where.query:
        session.append(request.stream, where.first or 0)
    with session.lock:
        if session.finished is None:
            if not where.ends_at(session.size):
                return _unfinished(session, request.headers)
            _finish(bucket, session, request.headers)
        return json_response(session.finished)


def _finish(bucket: Bucket, session: Session, headers: Headers) -> None:
    session.data.touch()
    wanted = session.wanted
    described = Description(
        {**wanted["resource"], **sent_hashes(headers)}, wanted["content_type"], wanted["args"]
    )
    row = bucket.store(wanted["key"], session.data, described)
    session.finished = bucket.resource(row)
    session.save()


def _unfinished(session: Session, headers: Headers) -> Response:
    came = {"Range": f"bytes=0-{session.size - 1}"} if session.size else {}
    if headers.get("X-GUploader-No-308") == "yes":  # clients whose libraries would follow a 308
        return Response(headers={**came, "X-Http-Status-Code-Override": "308"})
    return Response(status=308, headers=came)


def cancel(bucket: Bucket, request: Request) -> Response:
    """End a resumable upload."""
    bucket.uploads.cancel(bucket.uploads.find(request.args.get("upload_id", "")))
    return Response(status=499)
