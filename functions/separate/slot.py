"""One separation at a time on a machine: models and memory are not there twice."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Unavailable


@contextmanager
def slot() -> Iterator[None]:
    """Hold the machine's one place. Raises ``Unavailable`` where it is taken.

    It is taken before any work is claimed, so whoever is turned back has not used up an attempt.
    The lock is the kernel's: it goes with the process that holds it, however that ends.
    """
    path = Path(tempfile.gettempdir()) / f"rushes-separate-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("demucs", "it is at work on another recording") from None
        yield
    finally:
        os.close(descriptor)
