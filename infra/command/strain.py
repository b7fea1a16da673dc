"""Ends a command's wait with one line of why, where the disk stays full or workers die as they start."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from infra.command.desk import Desk
from infra.local.worker import WorkerPool
from shared.errors import Unavailable

_LEAST_FREE_BYTES = 4 << 20
_GRACE_S = 5.0
"""Some other program's file may fill the disk for a moment."""
_MOST_DEATHS = 8
"""So many workers that die without anything having moved on will not be followed by one that lives."""


@dataclass
class Strain:
    """Looked at now and then by who waits for workers."""

    desk: Desk
    pool: WorkerPool
    _full_since: float | None = None
    _deaths: int = 0
    _last: object = field(default=None)

    def check(self, standing: object) -> None:
        """Raise ``Unavailable`` where the home's disk stays full, or workers do nothing but die.

        ``standing`` is anything that changes when work moves on.
        """
        if standing != self._last:
            self._last, self._deaths = standing, 0
        self._deaths += self.pool.replace_dead()
        if self._deaths > _MOST_DEATHS:
            log = self.desk.settings.data / "worker.log"
            raise Unavailable(
                "the workers", f"they die as they start; {log} ends: {_last_words(log)}"
            )
        self._check_disk()

    def _check_disk(self) -> None:
        data = self.desk.settings.data
        if self.desk.settings.home != "embedded" or disk_has_room(data):
            self._full_since = None
            return
        self._full_since = self._full_since or time.monotonic()
        if time.monotonic() - self._full_since > _GRACE_S:
            raise Unavailable(f"the disk of {data}", "it is full; what is done so far is kept")


def disk_has_room(data: Path) -> bool:
    """Is there so much as a little left where the home is?"""
    return shutil.disk_usage(data).free >= _LEAST_FREE_BYTES


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError as error:
        return error.strerror or "it cannot be read"
    return lines[-1][-300:] if lines else "without a word"
