"""What every home takes as a name and as a message: Pub/Sub's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.errors import ValidationError

MAX_DATA_BYTES = 10_000_000
MAX_ATTRIBUTES = 100
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1_024

_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


def checked_topic(name: str) -> str:
    """Return a topic's or subscription's name; raises ``ValidationError``."""
    if not _NAME.fullmatch(name):
        raise ValidationError("topic", "must be 3 to 255 letters, digits or -._~+%, letter first")
    return name


def check_message(data: bytes, attributes: Mapping[str, str]) -> None:
    """Raise ``ValidationError`` for a message that Pub/Sub would refuse."""
    if not data and not attributes:
        raise ValidationError("message", "has neither data nor attributes")
    if len(data) > MAX_DATA_BYTES:
        raise ValidationError("message", f"has more than {MAX_DATA_BYTES:,} bytes")
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValidationError("attributes", f"are more than {MAX_ATTRIBUTES}")
    for key, value in attributes.items():
        if not 0 < _bytes_of(key) <= MAX_KEY_BYTES or key.startswith("goog"):
            raise ValidationError("attributes", f"the key {key[:40]!r} is not allowed")
        if _bytes_of(value) > MAX_VALUE_BYTES:
            raise ValidationError("attributes", f"{key} has more than {MAX_VALUE_BYTES:,} bytes")


def _bytes_of(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValidationError("attributes", "hold half a surrogate pair") from None
