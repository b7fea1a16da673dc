"""What every home takes as a path and as data: the stricter of Firestore's rules and JSON's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.contracts.ids import canonical_json
from shared.errors import ValidationError
from shared.homes.documents import Document, Scalar

MAX_BYTES = 1_048_576
MAX_NAME_BYTES = 1_500
MAX_DEPTH = 20
"""Objects and arrays below the document; an array directly inside an array counts twice."""

WRITE_FIELD = "_write"
EXPIRES_FIELD = "_expires"
"""Top-level fields that the Google adapter keeps for itself."""
NESTED_ARRAY = "[]"
"""Field under which it keeps an array that lies directly inside an array."""

_RESERVED = re.compile(r"__.*__", re.DOTALL)
_USUAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_NOT_IN_IDS = re.compile(r"[/\x00-\x1f\x7f]")


@lru_cache(10_000)
def checked_collection(path: str) -> str:
    """Return ``path`` if it names a collection; raises ``ValidationError``."""
    if len([checked_id(part) for part in path.split("/")]) % 2 == 0:
        raise ValidationError("collection", "must have an odd number of parts")
    return path


def split_path(path: str) -> tuple[str, str]:
    """A document's collection and id; raises ``ValidationError`` if it is no document's path."""
    collection, slash, name = path.rpartition("/")
    if not slash:
        raise ValidationError("path", "must have an even number of parts")
    return checked_collection(collection), checked_id(name)


def checked_id(value: str) -> str:
    """Return one part of a path; raises ``ValidationError``."""
    if _USUAL_ID.fullmatch(value):
        return value
    if _NOT_IN_IDS.search(value) or value in (".", ".."):
        raise ValidationError("path", "a part must not be '.', '..' or hold control characters")
    return _checked_text("path", value)


def checked_json(data: Mapping[str, Any]) -> str:
    """The data's canonical JSON; raises ``ValidationError`` for what some home can't keep as it is."""
    for name in (WRITE_FIELD, EXPIRES_FIELD):
        if name in data:
            raise ValidationError("data", f"the field {name!r} is reserved")
    value = dict(data)
    _check_value(value, MAX_DEPTH)
    text = canonical_json(value)
    size = _utf8_length("data", text)
    if size > MAX_BYTES:
        raise ValidationError("data", f"{size:,} bytes of JSON are more than {MAX_BYTES:,}")
    return text


def checked_where(where: Mapping[str, Scalar] | None) -> dict[str, Any]:
    """The conditions of a listing; raises ``ValidationError`` for what no document can hold."""
    return parsed(checked_json(where or {}))


def checked_cursor(document: Document | None, by: str) -> Any:
    """The number that a listing goes on behind; raises ``ValidationError`` where there is none."""
    if document is None or by not in document.data:
        raise ValidationError("after", "is not in this list")
    return document.data[by]


def parsed(text: str) -> dict[str, Any]:
    """The inverse of ``checked_json``."""
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


def _check_value(value: Any, depth_left: int) -> None:
    if isinstance(value, dict | list | tuple) and depth_left < 0:
        raise ValidationError("data", f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for name, item in value.items():
            _check_field_name(name)
            _check_value(item, depth_left - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_value(item, depth_left - 2 if isinstance(item, list | tuple) else depth_left - 1)
    else:
        _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, float):
        if value - value != 0:
            raise ValidationError("data", "holds a number that is not finite")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValidationError("data", "holds an integer of more than 64 bits")
    elif value is not None and not isinstance(value, str):
        raise ValidationError("data", f"holds a {type(value).__name__}, which is not JSON")


def _check_field_name(name: Any) -> None:
    if not isinstance(name, str):
        raise ValidationError("data", "holds a field name that is not text")
    if name == NESTED_ARRAY:
        raise ValidationError("data", f"the field name {name!r} is reserved")
    _checked_text("data", name)


def _checked_text(field: str, value: str) -> str:
    if not 0 < _utf8_length(field, value) <= MAX_NAME_BYTES:
        raise ValidationError(field, f"a name must have 1 to {MAX_NAME_BYTES:,} bytes")
    if _RESERVED.fullmatch(value):
        raise ValidationError(field, "names between double underscores are reserved")
    return value


def _utf8_length(field: str, value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        raise ValidationError(field, "holds half a surrogate pair") from None
