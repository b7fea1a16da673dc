"""Keys: which are allowed, and the file name that each has in a folder.

``relative_path`` is injective and keeps ordinary names as they are::

    tenants/t1/dev/Take 3.wav   ->  tenants/t1/dev/Take 3.wav
    notes/README                ->  notes/README.%        a file's name always has a dot,
    v1.2/a.wav                  ->  v1%2E2/a.wav          a folder's name never has one, so that
    v1.2                        ->  v1.2                  ``v1.2`` and ``v1.2/a.wav`` can both exist
    a//..                       ->  a/%/%2E.              an empty part is a lone ``%``
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import PurePosixPath

from shared.errors import ValidationError

MAX_KEY_BYTES = 1024
_MAX_NAME_BYTES = 200

# Controls, invisible and direction-changing characters, odd spaces, and what escapes. Fixed ranges
# rather than Unicode categories, which grow with Python's version and would move files.
_ESCAPED = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\ufff0-\uffff\U000e0000-\U000e0fff%\\\\]|^[-.]"
)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}\Z")


def check_key(key: str) -> str:
    """The key itself; raises ``ValidationError`` for one that no bucket takes.

    ``.`` and ``..`` alone are refused because a URL that ends in them names another resource.
    """
    size = len(_utf8(key))
    if not 1 <= size <= MAX_KEY_BYTES:
        raise ValidationError("key", f"must have 1 to {MAX_KEY_BYTES:,} UTF-8 bytes, not {size:,}")
    if "\x00" in key or key in (".", ".."):
        raise ValidationError("key", "must not hold NUL, nor be '.' or '..'")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself, which may be empty; raises ``ValidationError`` if it is no text."""
    _utf8(prefix)
    return prefix


@lru_cache(10_000)
def relative_path(key: str) -> PurePosixPath:
    """Where the key's bytes lie below a store's root. Different keys have different paths."""
    *folders, name = check_key(key).split("/")
    return PurePosixPath(*map(_folder_name, folders), _file_name(name))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValidationError("key", "must be text that UTF-8 can hold") from None


def _escape(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _safe(part: str) -> str:
    return _ESCAPED.sub(lambda match: _escape(match[0]), part) or "%"


def _folder_name(part: str) -> str:
    name = _safe(part).replace(".", "%2E")
    return name if _fits(name) else _shortened(name, part, ending="")


def _file_name(part: str) -> str:
    name = _safe(part)
    if "." not in name:
        name += ".%"
    if _fits(name):
        return name
    extension = _EXTENSION.search(name)
    return _shortened(name, part, ending=extension[0] if extension else ".%")


def _fits(name: str) -> bool:
    return len(name.encode()) <= _MAX_NAME_BYTES


def _shortened(name: str, part: str, *, ending: str) -> str:
    """The start of a long name, then ``%~`` (which no escape yields) and the hash of all of it."""
    start = name.encode()[: _MAX_NAME_BYTES - 50].decode(errors="ignore")
    return f"{start}%~{hashlib.sha256(part.encode()).hexdigest()[:32]}{ending}"
