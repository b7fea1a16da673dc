"""What a change of an object in the folder is made of: its facts, what is asked before, who is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import Conflict, ValidationError
from shared.homes.objects.index import IndexedObject

Check = Callable[[IndexedObject | None], None]
"""Raises ``Conflict`` unless the object as it stands may be changed."""
Note = Callable[[sqlite3.Connection, IndexedObject | None, IndexedObject | None], None]
"""Told of a change, as (index, now, before), inside the transaction that makes it."""


@dataclass(frozen=True)
class Facts:
    """What goes with the bytes into the index. Checksums are base64."""

    content_type: str
    metadata: Mapping[str, str]
    md5: str
    crc32c: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: IndexedObject) -> Facts:
        """The facts of an object that is there already."""
        return cls(row.content_type, row.metadata, row.md5, row.crc32c, row.fields)


@dataclass(frozen=True)
class Guard:
    """What is asked before a change, and who is told of it."""

    check: Check = lambda before: None
    note: Note = lambda db, now, before: None


def demand(if_generation: int | None) -> Check:
    """Refuse unless the object has this generation; ``ABSENT``: unless there is none; ``None``: never."""

    def check(before: IndexedObject | None) -> None:
        found = before.generation if before else 0
        if if_generation not in (None, found):
            raise Conflict(f"the object has generation {found}, not {if_generation}")

    return check


def check_content_type(content_type: str) -> None:
    """Raise ``ValidationError`` for what no header could say."""
    if not (content_type.isascii() and content_type.isprintable() and len(content_type) <= 256):
        raise ValidationError("content_type", "must be up to 256 printable ASCII characters")
