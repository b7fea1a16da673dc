"""Temporary folders of work: gone when the work is, and soon after its worker was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "rushes-work-"
_ABANDONED_S = 5.0
"""A folder is locked a moment after it is made; younger ones are left alone."""


@contextmanager
def work_folder() -> Iterator[Path]:
    """An empty private folder for as long as the ``with`` block lasts.

    Its owner holds a lock on it, which the kernel lets go when the owner dies, however that happens;
    whoever makes the next folder then removes it.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _remove_abandoned(folder.parent, now=folder.stat().st_mtime)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(parent: Path, *, now: float) -> None:
    """``now``: Unix seconds by the file system's clock."""
    with os.scandir(parent) as entries:
        named = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for folder in named:
        with suppress(OSError):  # somebody else's, or gone meanwhile
            if now - folder.stat().st_mtime >= _ABANDONED_S and _unlocked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _unlocked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
