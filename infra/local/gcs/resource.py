"""The JSON API's vocabulary: resources, preconditions, errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from shared.contracts.ids import checked_object, object_from_outside
from shared.errors import Conflict, ValidationError
from shared.homes.objects.index import IndexedObject

SETTABLE_FIELDS = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "customTime",
    "storageClass",
)
"""What an uploader may set beside ``contentType`` and ``metadata``, and finds again."""


@dataclass(frozen=True)
class Resources:
    """Writes object and bucket resources."""

    bucket: str
    address: str
    """Scheme, host and port of this server."""

    def of(self, row: IndexedObject) -> dict[str, Any]:
        """The object resource."""
        link = f"b/{self.bucket}/o/{quote(row.key, safe='')}"
        created = _rfc3339(row.generation / 1e6)
        known = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{row.key}/{row.generation}",
            "selfLink": f"{self.address}/storage/v1/{link}",
            "mediaLink": (
                f"{self.address}/download/storage/v1/{link}?generation={row.generation}&alt=media"
            ),
            "name": row.key,
            "bucket": self.bucket,
            "generation": str(row.generation),
            "metageneration": str(row.metageneration),
            "contentType": row.content_type,
            "storageClass": "STANDARD",
            "size": str(row.size),
            "md5Hash": row.md5,
            "etag": etag(row),
            "timeCreated": created,
            "timeStorageClassUpdated": created,
            "timeFinalized": created,
            "updated": _rfc3339(row.updated_at),
            **row.fields,
        }
        optional = {"crc32c": row.crc32c, "metadata": dict(row.metadata)}
        return known | {name: value for name, value in optional.items() if value}

    def bucket_resource(self) -> dict[str, Any]:
        """The one bucket."""
        return {
            "kind": "storage#bucket",
            "id": self.bucket,
            "name": self.bucket,
            "selfLink": f"{self.address}/storage/v1/b/{self.bucket}",
            "projectNumber": "0",
            "metageneration": "1",
            "location": "LOCAL",
            "locationType": "region",
            "storageClass": "STANDARD",
            "etag": "CAE=",
            "timeCreated": _rfc3339(0),
            "updated": _rfc3339(0),
        }


@dataclass(frozen=True)
class Conditions:
    """What a request demands of the object as it stands; an absent one has generation 0."""

    generation: int | None
    generation_not: int | None
    metageneration: int | None
    metageneration_not: int | None

    @classmethod
    def of(cls, args: Mapping[str, Any], prefix: str = "if") -> Conditions:
        """From ``ifGenerationMatch`` and its three siblings; ``prefix`` may be ``ifSource``."""
        names = ("Generation", "GenerationNot", "Metageneration", "MetagenerationNot")
        return cls(*(number(args, f"{prefix}{name}Match") for name in names))

    def check(self, row: IndexedObject | None) -> None:
        """Raise ``Conflict`` where one does not hold."""
        current = row.generation if row else 0
        current_meta = row.metageneration if row else 0
        if (
            self.generation not in (None, current)
            or self.metageneration not in (None, current_meta)
            or self.seen_already(row)
        ):
            raise Conflict("At least one of the pre-conditions you specified did not hold.")

    def seen_already(self, row: IndexedObject | None) -> bool:
        """Is it just what the request does not want, so that a read answers 304?"""
        current = row.generation if row else 0
        current_meta = row.metageneration if row else 0
        return self.generation_not == current or self.metageneration_not == current_meta


def number(args: Mapping[str, Any], name: str) -> int | None:
    """A query parameter or JSON field that is a whole number, as text or not."""
    text = str(args.get(name, "") if args.get(name) is not None else "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise ValidationError(name, "must be a whole number")
    return int(text)


def text_of(resource: Mapping[str, Any], name: str, default: str) -> str:
    """A field that is text."""
    value = resource.get(name)
    if value is not None and not isinstance(value, str):
        raise ValidationError(name, "must be text")
    return default if value is None else value


def etag(row: IndexedObject) -> str:
    """Changes with bytes and with metadata."""
    return base64.b64encode(f"{row.generation}/{row.metageneration}".encode()).decode()


def json_response(body: Any, status: int = 200) -> Response:
    """A body in JSON."""
    return Response(json.dumps(body), status, content_type="application/json")


def error_response(status: int, reason: str, message: str) -> Response:
    """The API's one error shape."""
    error = {"message": message, "domain": "global", "reason": reason}
    return json_response({"error": {"code": status, "message": message, "errors": [error]}}, status)


def json_object(text: bytes) -> dict[str, Any]:
    """The request's JSON; nothing at all counts as ``{}``."""
    return object_from_outside("body", text or b"{}")


def metadata_of(resource: Mapping[str, Any], base: Mapping[str, str]) -> dict[str, str]:
    """``base`` with the resource's ``metadata`` laid over it; a null removes a name."""
    changes = checked_object("metadata", resource.get("metadata") or {})
    merged = {**base, **changes}
    return {str(name): str(value) for name, value in merged.items() if value is not None}


def fields_of(resource: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the resource's settable fields laid over it; a null removes one."""
    changes = {name: resource[name] for name in SETTABLE_FIELDS if name in resource}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def _rfc3339(unix_s: float) -> str:
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
