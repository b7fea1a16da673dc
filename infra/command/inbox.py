"""The folder that ``rushes up`` watches: which of its files have been copied whole, and are new."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTLED_S = 1.0
"""A file that has not changed for so long has been copied whole."""

_State = tuple[int, int]
"""Bytes, and nanoseconds of its time."""


@dataclass
class _Seen:
    state: _State
    since_s: float
    """When it was first seen so, by this process's own clock: a file's time is that of a camera, or of the
    machine that shares the folder, and may lie hours in the future."""
    taken: bool = False


class Inbox:
    """Files below a folder, each told once whenever its bytes have come to rest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, _Seen] = {}

    def settled(self) -> Iterator[Path]:
        """Those that have not changed since a look ``SETTLED_S`` ago, and were not ``taken`` as they are."""
        for path in _files_below(self._folder):
            try:
                found = path.stat()
            except OSError:  # gone since it was listed, or a link to nowhere
                continue
            seen = self._looked_at(path, (found.st_size, found.st_mtime_ns))
            if not seen.taken and time.monotonic() - seen.since_s >= SETTLED_S:
                yield path

    def taken(self, path: Path) -> None:
        """Tell it no more, unless it changes."""
        self._seen[path].taken = True

    def _looked_at(self, path: Path, state: _State) -> _Seen:
        seen = self._seen.get(path)
        if seen is None or seen.state != state:
            seen = self._seen[path] = _Seen(state, time.monotonic())
        return seen


def _files_below(folder: Path) -> list[Path]:
    """Those that are no private ones, in order; a folder that vanishes meanwhile holds none."""
    found = []
    for above, _, names in os.walk(folder):
        found += [Path(above, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())
