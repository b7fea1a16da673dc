"""Keeps what tests write in memory, where there is room: ``pytest -p tests.in_memory``, as make does.

A home writes all that it stores through to the disk, mostly with ``syncfs``, which waits for whatever any
program has yet to write there: 30 to 220 ms on a busy disk, some thousand times in all tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

MEMORY = Path("/dev/shm")
LEAST_BYTES = 8_000_000_000
"""Free there and in the machine. What a passed test wrote is removed, so that far less is held at a time."""
_PREFIX = "rushes-tests-"
_FOLDER = pytest.StashKey[Path]()


def has_room() -> bool:
    """A container's is often of 64 MB, and one from which no program starts."""
    if not MEMORY.is_dir():
        return False
    told = os.statvfs(MEMORY)
    free = min(told.f_bavail * told.f_frsize, psutil.virtual_memory().available)
    return free > LEAST_BYTES and not told.f_flag & os.ST_NOEXEC


def clear() -> None:
    """Remove what runs have left that failed or were killed."""
    for folder in MEMORY.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX))):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # it has inherited the variable
    clear()
    if has_room():
        folder = config.stash[_FOLDER] = MEMORY / f"{_PREFIX}{os.getpid()}"
        folder.mkdir(mode=0o711)  # others may pass through, as through /tmp
        os.environ["TMPDIR"], tempfile.tempdir = str(folder), None


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Any:
    yield
    folder = session.config.stash.get(_FOLDER, None)
    if folder and exitstatus != pytest.ExitCode.TESTS_FAILED:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    folder = config.stash.get(_FOLDER, None)
    if folder and exitstatus == pytest.ExitCode.TESTS_FAILED:
        terminalreporter.write_line(
            f"in memory until the next run: what failed tests wrote, {folder}"
        )
