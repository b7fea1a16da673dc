"""Requests that change objects which are there: deletion, metadata, copies, composition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Request, Response

from infra.local.gcs.bodies import json_body
from infra.local.gcs.bucket import PLAIN_TYPE, Bucket, Description, existing
from infra.local.gcs.resource import Conditions, fields_of, json_response, metadata_of, text_of
from shared.contracts.ids import checked_object
from shared.errors import NotFound, ValidationError
from shared.homes.objects.guarded_writes import Facts, Guard
from shared.homes.objects.index import IndexedObject
from shared.homes.objects.keys import check_key

_MAX_COMPONENTS = 32
_Changed = Callable[[IndexedObject, Mapping[str, Any]], IndexedObject]


def delete_object(bucket: Bucket, request: Request, key: str) -> Response:
    """Gone."""
    conditions = Conditions.of(request.args)

    def check(row: IndexedObject | None) -> None:
        conditions.check(existing(row, request.args, key))

    if not bucket.objects.remove(key, Guard(check, bucket.note)):
        raise NotFound("object", key)
    return Response(status=204)


def patch_object(bucket: Bucket, request: Request, key: str) -> Response:
    """Lay the given fields over those that are there; ``metadata: null`` clears it."""

    def patched(row: IndexedObject, body: Mapping[str, Any]) -> IndexedObject:
        clear = "metadata" in body and body["metadata"] is None
        return replace(
            row,
            content_type=text_of(body, "contentType", row.content_type),
            metadata=metadata_of(body, {} if clear else row.metadata),
            fields=fields_of(body, row.fields),
        )

    return _amend(bucket, request, key, patched)


def update_object(bucket: Bucket, request: Request, key: str) -> Response:
    """Replace all settable fields by the given ones."""

    def updated(row: IndexedObject, body: Mapping[str, Any]) -> IndexedObject:
        return replace(
            row,
            content_type=text_of(body, "contentType", PLAIN_TYPE),
            metadata=metadata_of(body, {}),
            fields=fields_of(body, {}),
        )

    return _amend(bucket, request, key, updated)


def _amend(bucket: Bucket, request: Request, key: str, changed: _Changed) -> Response:
    body, conditions = json_body(request), Conditions.of(request.args)

    def change(row: IndexedObject) -> IndexedObject:
        conditions.check(existing(row, request.args, key))
        return changed(row, body)

    row = existing(bucket.objects.amend(key, change), {}, key)
    return json_response(bucket.resource(row))


def rewrite(bucket: Bucket, request: Request, key: str, to_bucket: str, to: str) -> Response:
    """Copy in one go: no token ever comes back."""
    row = _copy(bucket, request, key, (to_bucket, to))
    answer = {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": str(row.size),
        "objectSize": str(row.size),
        "done": True,
        "resource": bucket.resource(row),
    }
    return json_response(answer)


def copy_to(bucket: Bucket, request: Request, key: str, to_bucket: str, to: str) -> Response:
    """Copy, answering with the copy's resource."""
    return json_response(bucket.resource(_copy(bucket, request, key, (to_bucket, to))))


def move_to(bucket: Bucket, request: Request, key: str, to: str) -> Response:
    """Copy, and delete what was copied: for a moment both are there."""
    row = _copy(bucket, request, key, (bucket.resources.bucket, to))
    if key != to:
        bucket.objects.remove(key, Guard(note=bucket.note))
    return json_response(bucket.resource(row))


def _copy(bucket: Bucket, request: Request, key: str, target: tuple[str, str]) -> IndexedObject:
    if target[0] != bucket.resources.bucket:
        raise NotFound("bucket", target[0])
    body, source = json_body(request), Conditions.of(request.args, "ifSource")
    wanted = {"generation": request.args.get("sourceGeneration")}

    def describe(row: IndexedObject) -> Facts:
        source.check(existing(row, wanted, key))
        return replace(
            Facts.of(row),
            content_type=text_of(body, "contentType", row.content_type),
            metadata=metadata_of(body, {} if "metadata" in body else row.metadata),
            fields=fields_of(body, row.fields),
        )

    guard = Guard(Conditions.of(request.args).check, bucket.note)
    return bucket.objects.copy_as(key, target[1], describe, guard)


def compose(bucket: Bucket, request: Request, key: str) -> Response:
    """Join up to 32 objects into one."""
    body = json_body(request)
    sources = body.get("sourceObjects")
    if not isinstance(sources, list) or not 1 <= len(sources) <= _MAX_COMPONENTS:
        raise ValidationError("sourceObjects", f"must name 1 to {_MAX_COMPONENTS} objects")
    destination = checked_object("destination", body.get("destination") or {})
    described = Description(destination, PLAIN_TYPE, request.args)
    with bucket.uploads.scratch() as path:
        with path.open("wb") as file:
            for source in sources:
                file.writelines(_component(bucket, checked_object("sourceObjects", source)))
        row = bucket.store(key, path, described)
    return json_response(bucket.resource(row))


def _component(bucket: Bucket, source: Mapping[str, Any]) -> Iterator[bytes]:
    key = check_key(text_of(source, "name", ""))
    row = bucket.stat(key, source)
    wanted = checked_object("objectPreconditions", source.get("objectPreconditions") or {})
    Conditions.of(wanted).check(row)
    return bucket.objects.read(key, generation=row.generation)
