"""Documents: small JSON objects under paths, with versions. Adapters: ``embedded``, ``google``.

A path alternates collections and ids, as in Firestore: ``tenants/t1/envs/dev/assets/ast_1``.
A collection is a path with an odd number of parts: ``tenants/t1/envs/dev/assets``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

MOST_AT_ONCE = 500
"""Documents in one call that writes several: Firestore's most."""
EXPIRING = ("dead_letters", "requests", "uploads", "webhook_deliveries")
"""Names of collections whose documents may say when they are needed no more."""
Scalar = str | int | float | bool | None


@dataclass
class Document:
    """One document as read. ``version`` is what a later ``update`` or ``delete`` may demand.

    Nobody changes one; a frozen one takes five times as long to make, and a page makes hundreds.
    """

    path: str
    text: str
    """Its data as JSON: what is only passed on need not be parsed."""
    version: str
    updated_at: float
    """Unix seconds of the last write, by the store's clock."""
    read_at: float
    """Unix seconds of this read, by the store's clock: ages need no clock of ours."""

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What it holds."""
        value: Mapping[str, Any] = json.loads(self.text)
        return value

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Documents(Protocol):
    """A document store. Data is JSON (no NaN), below 1 MiB a document.

    Trouble with the service is ``shared.errors.Unavailable``.
    """

    def get(self, path: str) -> Document | None:
        """The document, or ``None``."""

    def get_all(self, paths: Sequence[str], *, fields: Collection[str] = ()) -> dict[str, Document]:
        """Path -> document, of those that exist: one call for as many as a run or a page has.

        ``fields``: the top-level ones that are wanted of each, where not all are; it may have others, too.
        """

    def create(self, path: str, data: Mapping[str, Any]) -> Document:
        """Write a new document; raises ``Conflict`` if there is one. Of many racers, one wins."""

    def create_all(self, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
        """Write a new document at each path (at most ``MOST_AT_ONCE``) that has none; returns those written.

        The others stand as they are. One call, not one transaction: where trouble comes midway, some may
        have been written.
        """

    def update(self, path: str, data: Mapping[str, Any], *, version: str) -> Document:
        """Replace the document at just this version; raises ``Conflict`` if it changed or is gone."""

    def put(self, path: str, data: Mapping[str, Any]) -> Document:
        """Create or replace, whatever is there."""

    def delete(self, path: str, *, version: str | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another version."""

    def remove_expired(self) -> int:
        """Remove what is past its ``expires_at`` (Unix seconds) in the collections that ``EXPIRING`` names.

        Returns how many; 0 where the service does so by itself.
        """

    def list(
        self,
        collection: str,
        *,
        where: Mapping[str, Scalar] | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Iterator[Document]:
        """The collection's own documents (not those of collections below), ordered by id.

        ``where`` keeps those whose top-level fields equal the given values; ``after`` starts
        behind that id; ``limit`` bounds how many.
        """

    def list_by(self, collection: str, field: str) -> Iterator[Document]:
        """The collection's documents that have words in ``field``, ordered by these, then by id.

        So what belongs to one thing comes together, and no more is held than that.
        """

    def newest(
        self, collection: str, *, by: str, limit: int, after: str | None = None
    ) -> Sequence[Document]:
        """The collection's first ``limit`` documents by the number in their field ``by``, largest first.

        Of equal numbers the last id comes first; what has no such field is left out. ``after``
        starts behind that id; raises ``ValidationError`` where it is not in the list.
        """

    def list_group(
        self, name: str, *, where: Mapping[str, Scalar] | None = None
    ) -> Iterator[Document]:
        """Documents of every collection called ``name``, of all tenants, ordered by path.

        For the operator's sweep only: never on behalf of a tenant.
        """
