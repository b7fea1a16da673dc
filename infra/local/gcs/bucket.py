"""The bucket that the handlers work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.local.gcs.bodies import Hashes, hashes_of
from infra.local.gcs.resource import Conditions, Resources, fields_of, metadata_of, number, text_of
from infra.local.gcs.sessions import Uploads
from shared.errors import NotFound
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.guarded_writes import Facts, Guard, Note
from shared.homes.objects.index import IndexedObject

PLAIN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Description:
    """What a request says of the object that it makes."""

    resource: Mapping[str, Any]
    """As the API writes objects, with the checksums that the sender has computed."""
    content_type: str
    """Where the resource names none."""
    args: Mapping[str, Any]
    """The query, for its preconditions."""


@dataclass(frozen=True)
class Bucket:
    """A store with the API's view of it."""

    objects: EmbeddedObjects
    resources: Resources
    note: Note
    """Told of every change."""
    uploads: Uploads

    def stat(self, key: str, args: Mapping[str, Any]) -> IndexedObject:
        """The object as it stands; raises ``NotFound``."""
        return existing(self.objects.stat(key), args, key)

    def store(self, key: str, path: Path, described: Description) -> IndexedObject:
        """Move a finished file into the store, if its checksums and preconditions hold."""
        hashes = hashes_of(path)
        hashes.check(described.resource)
        facts = Facts(
            content_type=text_of(described.resource, "contentType", described.content_type),
            metadata=metadata_of(described.resource, {}),
            md5=hashes.md5,
            crc32c=hashes.crc32c,
            fields=fields_of(described.resource, {}),
        )
        guard = Guard(Conditions.of(described.args).check, self.note)
        return self.objects.take(key, path, facts, guard)

    def resource(self, row: IndexedObject) -> dict[str, Any]:
        """The object resource, checksums included."""
        return self.resources.of(self.hashed(row))

    def hashed(self, row: IndexedObject) -> IndexedObject:
        """With the checksum that an object lacks that did not come through this server."""
        if row.crc32c:
            return row
        path = self.objects.path(row.key)
        hashes = hashes_of(path) if path else Hashes(row.md5, "")
        if hashes.md5 != row.md5 or not hashes.crc32c:
            return row  # it has been replaced just now
        self.objects.index.set_crc32c(row, hashes.crc32c)
        return replace(row, crc32c=hashes.crc32c)


def existing(row: IndexedObject | None, args: Mapping[str, Any], key: str) -> IndexedObject:
    """The row, if it is there and of the ``generation`` that is asked for, if any is."""
    if row is None or number(args, "generation") not in (None, row.generation):
        raise NotFound("object", key)
    return row
