"""librosa, with the code that numba compiles for it kept: the one way to it.

Importing it compiles for half a minute where nothing is kept, and takes a second and a half
where it is. What is kept is for any processor of its kind (``generic``), so an image can bring it,
and results do not depend on the machine.

numba lets nobody wait. Two processes that compile at once write each other's code under one name, and
whoever loads that crashes, from then on each time. So one compiles, and the others wait for it; what
was not brought to its end is thrown away. Each installation has a folder of its own.

    python -m shared.sound.librosa_kept        compile all that is called, and keep it
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from shared.errors import MissingDependency
from shared.settings import user_cache

_CALLED = ("librosa.onset", "librosa.filters", "librosa.util", "librosa.core")


@cache
def librosa_module(name: str) -> Any:
    """``librosa`` or one of its modules, by its whole name. Raises ``MissingDependency``."""
    try:
        _make_ready()
        return importlib.import_module(name)
    except ImportError as error:
        hint = f"install it with `pip install librosa` ({error})"
        raise MissingDependency("librosa", "0.10", hint) from None


def _make_ready() -> None:
    """Import all that is called, alone where it is still to be compiled."""
    os.environ.setdefault("NUMBA_CPU_NAME", "generic")
    kept = user_cache() / "rushes" / "numba" / _installation()
    # Another folder was made ready by whoever named it, and may be read-only, as an image's is.
    if os.environ.setdefault("NUMBA_CACHE_DIR", str(kept)) != str(kept):
        _import_called()
        return
    kept.mkdir(parents=True, exist_ok=True)
    complete, code = kept / "complete", os.open(kept, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not complete.exists():
            fcntl.flock(code, fcntl.LOCK_EX)
        if not complete.exists():
            for left in kept.iterdir():
                shutil.rmtree(left)
        _import_called()
        complete.touch()
    finally:
        os.close(code)


def _import_called() -> None:
    for name in _CALLED:
        importlib.import_module(name)


def _installation() -> str:
    """Another one for other code, wherever it lies and whenever it was put there, and other processors."""
    told = [str(sys.implementation.cache_tag)]
    told += [os.environ.get(f"NUMBA_CPU_{what}", "") for what in ("NAME", "FEATURES")]
    for package in ("librosa", "numba"):
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise ImportError(f"No module named {package!r}")
        told.append(f"{found.origin} {Path(found.origin).stat().st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


if __name__ == "__main__":
    _make_ready()
