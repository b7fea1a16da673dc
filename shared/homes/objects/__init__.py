"""Objects: bytes under keys, with generations. Adapters: ``embedded``, ``google``; sources: ``s3``.

Every write says its precondition, and every read can name the generation it wants, so that nobody
overwrites what they have not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

ABSENT = 0
"""As ``if_generation``: the object must not exist yet."""
BLOCK_BYTES = 1_048_576
"""So much of an object is held at a time while it is read or written."""


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of one object without reading it."""

    key: str
    size: int
    """Bytes."""
    generation: int
    """Grows with each write of this key; never 0."""
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the uploader attached (``rushes-steps`` and the like)."""
    updated_at: float = 0.0
    """Unix seconds, by the store's clock."""
    content_encoding: str = ""
    """As the uploader named it, ``gzip`` mostly: how the bytes that are stored are encoded."""


@dataclass(frozen=True)
class NewObject:
    """A file that is to become an object."""

    key: str
    path: Path
    content_type: str


class Objects(Protocol):
    """A bucket. Keys are ``/``-separated text of 1 to 1,024 UTF-8 bytes, none of it trusted.

    ``PreconditionFailed`` below is ``shared.errors.Conflict``. Network trouble is
    ``shared.errors.Unavailable``. A missing object is ``None`` or ``shared.errors.NotFound``.
    """

    @property
    def announces(self) -> bool:
        """The store itself puts a message on the bus for each object that is finalised."""

    def stat(self, key: str) -> ObjectInfo | None:
        """The current generation's facts, or ``None``."""

    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        content_type: str,
        if_generation: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write the whole object, atomically.

        ``if_generation``: ``ABSENT`` creates, a generation replaces just that one, ``None``
        overwrites whatever is there. Raises ``Conflict`` where the precondition does not hold.
        """

    def create_all(self, files: Sequence[NewObject]) -> dict[str, ObjectInfo]:
        """Write each whole whose key is free, side by side; returns those that were written, by key.

        The others stand as they are. Where trouble comes midway, some may have been written.
        """

    def read(self, key: str, *, generation: int | None = None, start: int = 0) -> Iterator[bytes]:
        """Stream the bytes as they are stored, in blocks, from byte ``start`` on (at most the size).

        Raises ``NotFound``, also for a generation that is gone.
        """

    def copy(self, key: str, to: str, *, generation: int | None = None) -> ObjectInfo:
        """Copy inside the store, without the bytes passing through here; overwrites ``to``."""

    def list(self, prefix: str, *, written_after: float = 0.0) -> Iterator[ObjectInfo]:
        """All current objects whose key starts with ``prefix``, in key order.

        ``written_after``: only those written since (Unix seconds, by the store's clock).
        """

    def delete(self, key: str, *, if_generation: int | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another generation."""

    def upload_address(
        self, key: str, *, size: int, content_type: str, metadata: Mapping[str, str], origin: str
    ) -> str | None:
        """Where whoever has it may send just ``size`` bytes, from the web page ``origin`` too.

        ``None`` where the store takes bytes through us alone.
        """

    def download_address(self, key: str, *, name: str, seconds: int) -> str | None:
        """Where whoever has it may read for so long; ``name``: what a browser saves it as.

        ``None`` where the store gives bytes through us alone.
        """

    def uri(self, key: str) -> str:
        """Its address for people and tools: ``gs://bucket/key`` or ``file:///...``."""
