"""A file that several processes open at once makes none of them fail."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import pytest

from shared.homes.sqlite import BUSY_S, _enter_wal


class Opened:
    """A connection to a file that others are opening for so many seconds, by a clock of its own."""

    def __init__(self, busy_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.free_s = 1_000.0, 1_000.0 + busy_s
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def execute(self, statement: str) -> None:
        if self.now_s < self.free_s:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
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
