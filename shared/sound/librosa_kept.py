"""librosa, with the code that numba compiles for it kept: the one way to it.

Importing it compiles for half a minute where nothing is kept, and takes a second and a half
where it is. What is kept is for any processor of its kind (``generic``), so an image can bring it,
and results do not depend on the machine.

    python -m shared.sound.librosa_kept        compile all that is called, and keep it
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

from shared.errors import MissingDependency
from shared.settings import user_cache


@cache
def librosa_module(name: str) -> Any:
    """``librosa`` or one of its modules, by its whole name. Raises ``MissingDependency``."""
    kept = user_cache() / "rushes" / "numba"
    os.environ.setdefault("NUMBA_CPU_NAME", "generic")
    if "NUMBA_CACHE_DIR" not in os.environ:
        kept.mkdir(parents=True, exist_ok=True)
        os.environ["NUMBA_CACHE_DIR"] = str(kept)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        hint = f"install it with `pip install librosa` ({error})"
        raise MissingDependency("librosa", "0.10", hint) from None


if __name__ == "__main__":
    for called in ("librosa.onset", "librosa.filters", "librosa.util", "librosa.core"):
        librosa_module(called)
