"""A file that several processes open at once makes none of them fail."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.homes.sqlite import BUSY_S, Database, _enter_wal, reason_of


class Opened:
    """A connection to a file that others are opening for so many seconds, by a clock of its own."""

    def __init__(
        self, busy_s: float, monkeypatch: pytest.MonkeyPatch, code: int = sqlite3.SQLITE_BUSY
    ) -> None:
        self.now_s, self.free_s, self.code = 1_000.0, 1_000.0 + busy_s, code
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def execute(self, statement: str) -> None:
        if self.now_s < self.free_s:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error


@pytest.mark.parametrize(("busy_s", "fails"), [(BUSY_S - 1, False), (BUSY_S + 1, True)])
def test_others_that_open_it_are_waited_for(
    busy_s: float, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: Any = Opened(busy_s, monkeypatch)
    if fails:
        with pytest.raises(sqlite3.OperationalError):
            _enter_wal(connection)
    else:
        _enter_wal(connection)
    assert connection.now_s - 1_000 == pytest.approx(min(busy_s, BUSY_S), abs=0.1)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY])
def test_other_trouble_with_the_file_is_told_at_once(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: Any = Opened(BUSY_S, monkeypatch, code)
    with pytest.raises(sqlite3.OperationalError):
        _enter_wal(connection)
    assert connection.now_s == 1_000


@pytest.mark.parametrize(
    ("flag", "free", "told"),
    [
        (os.ST_RDONLY, 1, "its file system is read-only"),
        (os.ST_RDONLY | os.ST_NOEXEC, 0, "its file system is read-only"),
        (os.ST_NOEXEC, 0, "its disk is full"),
        (0, 1, "locked"),
    ],
)
def test_a_disk_that_takes_nothing_is_named_as_the_reason(
    flag: int, free: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs_result((4096, 4096, 9, 9, free, 9, 9, 9, flag, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert reason_of(tmp_path / "file", sqlite3.OperationalError("locked")) == told


def test_what_was_begun_and_failed_is_undone_and_told_as_trouble_with_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file.sqlite3"
    database = Database(path, "CREATE TABLE IF NOT EXISTS t (n)")
    with pytest.raises(Unavailable, match="no such table"), database.write() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("INSERT INTO nowhere VALUES (1)")
    with database.read() as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
