"""What probes have found on this machine, kept for the next process: an interpreter a package is a second.

An answer is kept for just what was asked: the file of a tool; a package's version, its interpreter, and the
state of the folder that it and its neighbours are installed in, which any change by pip touches. Only good
answers are kept, for a broken package is mended by hands that the folder's time does not show.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from shared.contracts.ids import digest
from shared.settings import user_cache


def recall(name: str, distribution: str | None, asked: str) -> str | None:
    """The version that was found, if nothing has changed since. ``asked``: how it was probed."""
    with suppress(OSError, importlib.metadata.PackageNotFoundError):
        return _place(name, distribution, asked).read_text(encoding="utf-8")
    return None


def keep(name: str, distribution: str | None, asked: str, version: str) -> None:
    """For ``recall``; where nothing can be written, nothing is kept."""
    with suppress(OSError, importlib.metadata.PackageNotFoundError):
        place = _place(name, distribution, asked)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(version, encoding="utf-8")
        fresh.replace(place)


def _place(name: str, distribution: str | None, asked: str) -> Path:
    """The file of this answer. Raises ``OSError`` and ``PackageNotFoundError`` for what is not here."""
    about = _of_package(distribution) if distribution else state_of_tool(name)
    return user_cache() / "rushes" / "probes" / f"{name}-{digest(*about, asked)[:32]}"


def state_of_tool(name: str) -> tuple[str, ...]:
    """Which file a tool is, its bytes and its time; raises ``OSError`` for what is not here."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    state = Path(found).stat()
    return str(Path(found).resolve()), str(state.st_size), str(state.st_mtime_ns)


def _of_package(distribution: str) -> tuple[str, ...]:
    found = importlib.metadata.distribution(distribution)
    folder = Path(str(found.locate_file("")))
    state = folder.stat()
    version, path = found.version, os.environ.get("PYTHONPATH", "")
    return sys.executable, sys.version, version, str(folder), str(state.st_mtime_ns), path
