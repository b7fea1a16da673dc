"""One SQLite file that threads and processes share: short transactions, safe across fork and spawn."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shared.errors import Unavailable

BUSY_S = 30.0
"""So long a transaction waits for those of other processes."""


class Database:
    """A SQLite file in WAL mode: one connection a process, used by one thread at a time.

    ``schema`` is SQL that may run any number of times. Trouble with the file is ``Unavailable``.
    A committed transaction survives the loss of the process and of the machine's power; one that is not
    ``durable`` that of the process, and it is undone as a whole where power goes before the next durable one.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._durable = True
        self._forking = False
        _close_around_forks(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process opens the file itself."""
        return Database, (self._path, self._schema)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """See one state of the file a statement, without holding up writers."""
        with self._lock, self._errors():
            yield self._connected()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction alone with the file, committed at the end, undone by an exception."""
        with self._lock, self._errors(), self._connected() as connection:
            if durable is not self._durable:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(str(self._path), reason_of(self._path, error)) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            _enter_wal(connection)
            connection.executescript(f"BEGIN IMMEDIATE; {self._schema}; COMMIT;")
            self._connection, self._durable = connection, True  # FULL is SQLite's default
        return self._connection

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._forking = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _after_fork(self) -> None:
        if self._forking:  # or it was made while another thread forked
            self._forking = False
            self._lock.release()


def reason_of(path: Path, error: sqlite3.Error) -> str:
    """Why the file cannot be used: where it is the disk, SQLite tells of an I/O error or of no file."""
    with suppress(OSError):
        disk = os.statvfs(path.parent)
        if disk.f_flag & os.ST_RDONLY:
            return "its file system is read-only"
        if not disk.f_bavail:
            return "its disk is full"
    return str(error)


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Change to WAL, which SQLite refuses at once, without waiting, while others open the file."""
    deadline_s = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


def _close_around_forks(database: Database) -> None:
    """Nothing open crosses a fork: a child would inherit locks that it does not hold."""
    weak = weakref.ref(database)

    def before() -> None:
        if (found := weak()) is not None:
            found._before_fork()

    def after() -> None:
        if (found := weak()) is not None:
            found._after_fork()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)
