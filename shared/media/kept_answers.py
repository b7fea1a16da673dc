"""What was found out about this machine's tools and packages, kept for the next process.

An answer holds for just what was asked and for the state in which that was: the next version of a tool is
another file, or one of another time. Only good answers are to be kept, for what is broken is mended by hands
that such a state does not show.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from shared.contracts.ids import digest
from shared.settings import user_cache


def recall(name: str, *asked: str) -> str | None:
    """The answer, if there is one. ``asked``: the question, and all that the answer hangs on."""
    with suppress(OSError):
        return _place(name, asked).read_text(encoding="utf-8")
    return None


def keep(answer: str, name: str, *asked: str) -> None:
    """For ``recall``; where nothing can be written, nothing is kept."""
    with suppress(OSError):
        place = _place(name, asked)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(answer, encoding="utf-8")
        fresh.replace(place)


def state_of_tool(name: str) -> tuple[str, ...]:
    """Which file a tool is, its bytes and its time; raises ``OSError`` for what is not here."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    state = Path(found).stat()
    return str(Path(found).resolve()), str(state.st_size), str(state.st_mtime_ns)


def _place(name: str, asked: tuple[str, ...]) -> Path:
    return user_cache() / "rushes" / "probes" / f"{name}-{digest(*asked)[:32]}"
