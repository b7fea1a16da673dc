"""Sound that was decoded to disk, mapped into memory instead of read into it."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def mapped(path: Path) -> Floats:
    """A file of float32, ``(samples,)``."""
    if not path.stat().st_size:
        return np.zeros(0, np.float32)
    return np.memmap(path, dtype="<f4", mode="r")


def let_go(sound: Floats) -> None:
    """Give back the memory of what was read of a map; what is read again comes from disk again.

    Otherwise the hour that was gone through counts as this process's memory, 230 MB of it.
    """
    base: object = sound.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
