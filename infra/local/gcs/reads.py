"""Requests that change nothing: buckets, lists, metadata, bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, BinaryIO

from werkzeug.datastructures import Range
from werkzeug.http import http_date, parse_range_header
from werkzeug.wrappers import Request, Response

from infra.local.gcs.bodies import json_body
from infra.local.gcs.bucket import Bucket
from infra.local.gcs.resource import Conditions, error_response, etag, json_response, number
from shared.errors import NotFound, ValidationError
from shared.homes.objects import BLOCK_BYTES
from shared.homes.objects.encodings import Stored
from shared.homes.objects.index import IndexedObject

_MAX_PAGE = 1000


def list_buckets(bucket: Bucket, request: Request) -> Response:
    """The one there is."""
    items = [bucket.resources.bucket_resource()]
    return json_response({"kind": "storage#buckets", "items": items})


def create_bucket(bucket: Bucket, request: Request) -> Response:
    """The bucket is there from the start, and there is no other."""
    if json_body(request).get("name") != bucket.resources.bucket:
        raise ValidationError("name", f"this server's bucket is {bucket.resources.bucket}")
    return error_response(409, "conflict", "You already own this bucket.")


def get_bucket(bucket: Bucket, request: Request) -> Response:
    """Its resource."""
    return json_response(bucket.resources.bucket_resource())


def get_layout(bucket: Bucket, request: Request) -> Response:
    """A flat bucket: what ``gcloud storage mv`` wants to know first."""
    layout = {"bucket": bucket.resources.bucket, "location": "LOCAL", "locationType": "region"}
    flat = {"hierarchicalNamespace": {"enabled": False}}
    return json_response({"kind": "storage#storageLayout", **layout, **flat})


def list_objects(bucket: Bucket, request: Request) -> Response:
    """One page of objects, and of prefixes where a delimiter folds them."""
    limit = min(number(request.args, "maxResults") or _MAX_PAGE, _MAX_PAGE)
    names: list[str] = []
    answer: dict[str, Any] = {"kind": "storage#objects"}
    for name, row in _listed(bucket, request.args):
        if len(names) == limit:
            token = base64.urlsafe_b64encode(names[-1].encode()).decode()
            return json_response({**answer, "nextPageToken": token})
        names.append(name)
        if row:
            answer.setdefault("items", []).append(bucket.resource(row))
        else:
            answer.setdefault("prefixes", []).append(name)
    return json_response(answer)


def _listed(bucket: Bucket, args: Mapping[str, str]) -> Iterator[tuple[str, IndexedObject | None]]:
    """Name and row behind the page token; ``None`` for the row of a common prefix."""
    prefix, delimiter = args.get("prefix", ""), args.get("delimiter", "")
    last = _token(args.get("pageToken", ""))
    for row in bucket.objects.list(prefix, after=last):
        if row.key < args.get("startOffset", ""):
            continue
        if args.get("endOffset") and row.key >= args["endOffset"]:
            return
        head, found, _ = row.key[len(prefix) :].partition(delimiter or "\0")
        if not found:
            yield row.key, row
        elif (folder := prefix + head + delimiter) != last:
            last = folder
            yield folder, None


def _token(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text).decode()
    except ValueError:
        raise ValidationError("pageToken", "is not one of this server's") from None


def get_object(bucket: Bucket, request: Request, key: str) -> Response:
    """Its resource, or with ``alt=media`` its bytes."""
    if request.args.get("alt") == "media":
        return download(bucket, request, key)
    row = bucket.stat(key, request.args)
    return _unless_seen(row, request) or json_response(bucket.resource(row))


def download(bucket: Bucket, request: Request, key: str) -> Response:
    """The bytes, or the range that is asked for."""
    opened = bucket.objects.open(key, generation=number(request.args, "generation"))
    if opened is None:
        raise NotFound("object", key)
    with ExitStack() as stack:
        row, file = opened
        stack.callback(file.close)
        response = _unless_seen(row, request)
        if response is None:
            response = _media(file, bucket.hashed(row), request)
        response.call_on_close(stack.pop_all().close)
        return response


def _unless_seen(row: IndexedObject, request: Request) -> Response | None:
    """A 304 for what the client has already; raises ``Conflict`` where it wants another one."""
    conditions = Conditions.of(request.args)
    if conditions.seen_already(row):
        return Response(status=304)
    conditions.check(row)
    return None


def _media(file: BinaryIO, row: IndexedObject, request: Request) -> Response:
    headers = _media_headers(row)
    if _transcoded(row, request):
        # As the service does: decoded, of no known length, and as a whole whatever range is wanted.
        headers |= {"Warning": "214 UploadServer gunzipped", "Vary": "Accept-Encoding"}
        del headers["Content-Encoding"], headers["Accept-Ranges"]
        return Response(Stored(_span(file, 0, row.size)).gunzipped(), headers=headers)
    wanted = parse_range_header(request.headers.get("Range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        headers["Content-Length"] = str(row.size)
        return Response(_span(file, 0, row.size), headers=headers)
    return _part(file, row.size, wanted, headers)


def _transcoded(row: IndexedObject, request: Request) -> bool:
    """Is it stored as gzip, for somebody who does not say to take that?"""
    takes = request.headers.get("Accept-Encoding", "").lower()
    kept = "no-transform" in str(row.fields.get("cacheControl", "")).lower()
    return row.content_encoding.lower() == "gzip" and "gzip" not in takes and not kept


def _media_headers(row: IndexedObject) -> dict[str, str]:
    headers = {
        "Content-Type": row.content_type,
        "Accept-Ranges": "bytes",
        "ETag": etag(row),
        "Last-Modified": http_date(row.generation / 1e6),
        "x-goog-generation": str(row.generation),
        "x-goog-metageneration": str(row.metageneration),
        "x-goog-storage-class": "STANDARD",
        "x-goog-stored-content-encoding": row.fields.get("contentEncoding", "identity"),
        "x-goog-stored-content-length": str(row.size),
        "x-goog-hash": f"crc32c={row.crc32c},md5={row.md5}",
    }
    for name, header in (("contentEncoding", "Encoding"), ("contentDisposition", "Disposition")):
        if name in row.fields:
            headers[f"Content-{header}"] = row.fields[name]
    return headers


def _part(file: BinaryIO, size: int, wanted: Range, headers: Mapping[str, str]) -> Response:
    span = wanted.range_for_length(size)
    if span is None:
        message = "Request range not satisfiable"
        response = error_response(416, "requestedRangeNotSatisfiable", message)
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = span
    part = {
        "Content-Range": f"bytes {start}-{stop - 1}/{size}",
        "Content-Length": str(stop - start),
    }
    return Response(_span(file, start, stop), 206, {**headers, **part})


def _span(file: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    file.seek(start)
    while start < stop and (block := file.read(min(BLOCK_BYTES, stop - start))):
        start += len(block)
        yield block
