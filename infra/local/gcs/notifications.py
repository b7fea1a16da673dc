"""A bucket's notifications, noted with each change and published until that has succeeded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Event, Thread

from infra.local.gcs.resource import Resources
from shared.homes.objects.index import Index, IndexedObject
from shared.lazy_log import get_logger

Publish = Callable[[bytes, Mapping[str, str]], object]
"""Gets data and attributes; raises if the message was not taken."""

_RETRY_S = (0.2, 5.0)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, data BLOB NOT NULL, attributes TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
)
"""

log = get_logger()


class Outbox:
    """Messages in the store's own index: there exactly when the change is, also after a crash."""

    def __init__(self, index: Index, publish: Publish) -> None:
        self._index = index
        self._publish = publish
        self._wake = Event()
        self._stopping = False
        with index.transaction() as rows:
            rows.db.execute(_SCHEMA)
        self._thread = Thread(target=self._drain, name="storage-outbox", daemon=True)
        self._thread.start()

    def add(self, db: sqlite3.Connection, data: bytes, attributes: Mapping[str, str]) -> None:
        """Note a message within the transaction of ``db``; ``wake`` once that is committed."""
        statement = "INSERT INTO outbox (data, attributes) VALUES (?, ?)"
        db.execute(statement, (data, json.dumps(attributes)))

    def wake(self) -> None:
        """Publish what is there, soon, on the outbox's own thread."""
        self._wake.set()

    def stop(self) -> None:
        """Stop publishing. What is left is published by the next server of this store."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=10)

    def _drain(self) -> None:
        delay_s = _RETRY_S[0]
        while not self._stopping:
            self._wake.clear()
            if self._published_all():
                delay_s = _RETRY_S[0]
                self._wake.wait()
            else:
                self._wake.wait(delay_s)
                delay_s = min(delay_s * 2, _RETRY_S[1])

    def _published_all(self) -> bool:
        """Publish until the outbox is empty or a message is refused, which then goes last."""
        try:
            while not self._stopping and (found := self._next()):
                number, data, attributes = found
                self._publish_one(number, data, json.loads(attributes))
        except (
            Exception
        ):  # whatever the bus or the disk raises: the message stays and is tried again
            log.exception("outbox.delayed")
            return False
        return True

    def _publish_one(self, number: int, data: bytes, attributes: Mapping[str, str]) -> None:
        try:
            self._publish(data, attributes)
        except BaseException:
            self._execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", number)
            raise
        self._execute("DELETE FROM outbox WHERE id = ?", number)

    def _next(self) -> tuple[int, bytes, str] | None:
        query = "SELECT id, data, attributes FROM outbox ORDER BY attempts, id LIMIT 1"
        with self._index.connection() as db:
            found: tuple[int, bytes, str] | None = db.execute(query).fetchone()
        return found

    def _execute(self, statement: str, number: int) -> None:
        with self._index.connection() as db:
            db.execute(statement, (number,))


class Notifications:
    """Turns changes into messages of the service's own shape, payload ``JSON_API_V1``."""

    def __init__(self, resources: Resources, outbox: Outbox) -> None:
        self._resources = resources
        self._outbox = outbox

    def note(
        self, db: sqlite3.Connection, now: IndexedObject | None, before: IndexedObject | None
    ) -> None:
        """A ``Note`` of the store: ``OBJECT_FINALIZE`` for what came, ``OBJECT_DELETE`` for what went."""
        if before:
            replaced_by = {"overwrittenByGeneration": str(now.generation)} if now else {}
            self._add(db, "OBJECT_DELETE", before, replaced_by)
        if now:
            replaced = {"overwroteGeneration": str(before.generation)} if before else {}
            self._add(db, "OBJECT_FINALIZE", now, replaced)

    def _add(
        self, db: sqlite3.Connection, kind: str, row: IndexedObject, more: Mapping[str, str]
    ) -> None:
        bucket = self._resources.bucket
        attributes = {
            "notificationConfig": f"projects/_/buckets/{bucket}/notificationConfigs/1",
            "eventType": kind,
            "payloadFormat": "JSON_API_V1",
            "bucketId": bucket,
            "objectId": row.key,
            "objectGeneration": str(row.generation),
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            **more,
        }
        self._outbox.add(db, json.dumps(self._resources.of(row)).encode(), attributes)
