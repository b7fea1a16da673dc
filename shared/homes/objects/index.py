"""The embedded store's index: one SQLite table that several threads and processes share."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shared.errors import Unavailable
from shared.homes.objects import ObjectInfo
from shared.homes.sqlite import reason_of

_BUSY_TIMEOUT_S = 60.0
_PAGE_ROWS = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    updated_at REAL NOT NULL,
    metageneration INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    crc32c TEXT,
    fields TEXT NOT NULL,
    staged TEXT NOT NULL,
    identity TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_staged ON objects (staged);
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER);
INSERT OR IGNORE INTO clock VALUES (1, 0);
"""


@dataclass(frozen=True)
class IndexedObject(ObjectInfo):
    """One row: an object's facts, and which file holds its bytes."""

    metageneration: int = 1
    """Grows when metadata changes and the bytes do not."""
    md5: str = ""
    """Base64, as Google Cloud Storage gives it."""
    crc32c: str | None = field(default=None, compare=False)
    """Base64; only there once somebody who can compute it has done so."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Other facts that an uploader may set (``cacheControl`` and the like)."""
    staged: str = field(default="", compare=False, repr=False)
    """The file's name in the folder of temporary files until it is moved to its place."""
    identity: str = field(default="", compare=False, repr=False)
    """Inode, size and mtime of the file with the bytes, see ``files.identity_of``."""

    def __post_init__(self) -> None:
        """The encoding is one of the ``fields``, and has no column of its own."""
        named = self.fields.get("contentEncoding")
        object.__setattr__(self, "content_encoding", named if isinstance(named, str) else "")


_NAMES = [column.name for column in fields(IndexedObject) if column.name != "content_encoding"]
_COLUMNS = ", ".join(_NAMES)
_MARKS = ", ".join("?" for _ in _NAMES)


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:  # locked too long, disk full, I/O, damaged
        raise Unavailable("the objects' index", reason_of(path, error)) from error


class Index:
    """Rows by key. Connections are pooled, as threads come and go, and never cross a fork."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pools: dict[int, queue.LifoQueue[sqlite3.Connection]] = {}
        with path.with_suffix(".lock").open("wb") as lock, self.connection() as db:
            # Turning WAL on does not wait for others as all later statements do.
            fcntl.flock(lock, fcntl.LOCK_EX)
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode; raises ``Unavailable`` for trouble with lock or disk."""
        pool = self._pools.get(os.getpid())
        if pool is None:
            pool = self._pools.setdefault(os.getpid(), queue.LifoQueue())
        with _sqlite_errors(self._path):
            try:
                db = pool.get_nowait()
            except queue.Empty:
                db = self._connect()
            try:
                yield db
            finally:
                pool.put(db)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold the one write lock; commits on success, rolls back on any error."""
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(db)
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def get(self, key: str) -> IndexedObject | None:
        """The key's row."""
        with self.connection() as db:
            return Transaction(db).get(key)

    def starting_with(
        self, prefix: str, *, after: str = "", written_after: float = 0.0
    ) -> Iterator[IndexedObject]:
        """Rows in key order, behind ``after``; read in pages, so writers go on meanwhile."""
        start, comparison = (after, ">") if after >= prefix and after else (prefix, ">=")
        while True:
            query = (
                f"SELECT {_COLUMNS} FROM objects WHERE key {comparison} ? AND updated_at >= ?"
                " ORDER BY key LIMIT ?"
            )
            told = (start, written_after, _PAGE_ROWS)
            with self.connection() as db:
                page = [_object(row) for row in db.execute(query, told)]
            for row in page:
                if not row.key.startswith(prefix):
                    return
                yield row
            if len(page) < _PAGE_ROWS:
                return
            start, comparison = page[-1].key, ">"

    def set_crc32c(self, row: IndexedObject, crc32c: str) -> None:
        """Note the checksum of just this generation's bytes."""
        with self.connection() as db:
            query = "UPDATE objects SET crc32c = ? WHERE key = ? AND generation = ?"
            db.execute(query, (crc32c, row.key, row.generation))

    def close(self) -> None:
        """Close this process's idle connections."""
        pool = self._pools.pop(os.getpid(), None)
        while pool and not pool.empty():
            pool.get_nowait().close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )


@dataclass(frozen=True)
class Transaction:
    """Reads and writes of rows. ``db`` lets others keep their own tables in step."""

    db: sqlite3.Connection

    def get(self, key: str) -> IndexedObject | None:
        """The key's row."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM objects WHERE key = ?", (key,)).fetchone()
        return _object(row) if row else None

    def put(self, row: IndexedObject) -> None:
        """Write the key's row."""
        named = (getattr(row, name) for name in _NAMES)
        values = [json.dumps(dict(v)) if isinstance(v, Mapping) else v for v in named]
        self.db.execute(f"INSERT OR REPLACE INTO objects ({_COLUMNS}) VALUES ({_MARKS})", values)

    def delete(self, key: str) -> None:
        """Remove the key's row."""
        self.db.execute("DELETE FROM objects WHERE key = ?", (key,))

    def owner_of(self, staged: str) -> str | None:
        """The key whose bytes this temporary file holds, if any."""
        query = "SELECT key FROM objects WHERE staged = ?"
        found = self.db.execute(query, (staged,)).fetchone()
        return str(found[0]) if found else None

    def next_generation(self) -> int:
        """Microseconds since 1970, but more than ever before, whatever the clock does."""
        now_us = time.time_ns() // 1000
        query = "UPDATE clock SET generation = max(generation + 1, ?) RETURNING generation"
        (generation,) = self.db.execute(query, (now_us,)).fetchall()[0]
        return int(generation)


def _object(row: tuple[Any, ...]) -> IndexedObject:
    named = dict(zip(_NAMES, row, strict=True))
    for name in ("metadata", "fields"):
        named[name] = json.loads(named[name])
    return IndexedObject(**named)
