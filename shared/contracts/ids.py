"""Identifiers: their patterns, and how derived ones are made.

Whatever becomes part of an object key or a document path is one of these types, so no ``..``,
slash or control character ever reaches a path.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from shared.errors import ValidationError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
STEP_PATTERN = r"^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A tenant, env, user, asset, artifact, run or clip id: 1 to 64 letters, digits, ``_`` and ``-``."""

StepName = Annotated[str, StringConstraints(pattern=STEP_PATTERN)]
"""A step: ``function`` or ``function.engine``."""


def checked_name(field: str, value: str) -> str:
    """Return ``value`` if it is a ``Name``; raises ``ValidationError`` naming ``field``."""
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValidationError(field, "must be 1 to 64 letters, digits, '_' or '-'")
    return value


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Refuses NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def json_from_outside(field: str, text: bytes | str) -> Any:
    """What JSON from outside says; raises ``ValidationError`` naming ``field``.

    Refuses what ``json`` reads and nobody can write again: NaN and infinity, half a character (a lone
    surrogate), more digits or nesting than Python takes.
    """
    try:
        value = json.loads(text)
        canonical_json(value).encode()
    except (ValueError, RecursionError) as error:
        raise ValidationError(field, f"is not JSON: {error}") from None
    return value


def checked_object(field: str, value: Any) -> dict[str, Any]:
    """The value; raises ``ValidationError`` where it is no JSON object."""
    if not isinstance(value, dict):
        raise ValidationError(field, "is not a JSON object")
    return value


def object_from_outside(field: str, text: bytes | str) -> dict[str, Any]:
    """As ``json_from_outside``; raises ``ValidationError`` for any other value than an object, too."""
    return checked_object(field, json_from_outside(field, text))


def digest(*parts: Any) -> str:
    """SHA-256 in hex over the canonical JSON of ``parts``."""
    return digest_of_json(*map(canonical_json, parts))


def digest_of_json(*texts: str) -> str:
    """``digest`` of parts whose canonical JSON is at hand."""
    return hashlib.sha256(f"[{','.join(texts)}]".encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def asset_id(tenant_id: str, env: str, sha256: str) -> str:
    """An asset is its content: same tenant, env and bytes, same id."""
    return "ast_" + digest(tenant_id, env, sha256)[:32]


def artifact_id(cache_key: str, kind: str, name: str) -> str:
    """Derived from the step's cache key, so a repeated write lands on itself."""
    return "art_" + digest(cache_key, kind, name)[:32]


def run_id(*cause: Any) -> str:
    """Derived from what caused the run, so a repeated message opens it once."""
    return "run_" + digest(*cause)[:32]
