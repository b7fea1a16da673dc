"""Any exception out of an engine becomes one of our errors, with the step and backend that raised it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import BackendFailed, RushesError, Scarce
from shared.lazy_log import get_logger

log = get_logger()

_SCARCE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@contextmanager
def one_of_ours(service: str, backend_name: str, backend_version: str | None) -> Iterator[None]:
    """Turn whatever is raised inside into one of our errors, and say where it happened.

    Scarcity (memory, disk, open files) is transient; anything unforeseen is ``backend_failed``.
    """
    try:
        yield
    except RushesError as error:
        error.locate(service=service, backend_version=backend_version)
        raise
    except Exception as error:
        ours = _ours(error, backend_name)
        if not ours.transient:
            log.error("engine.raised", error_type=type(error).__name__, exc_info=error)
        raise ours.locate(service=service, backend_version=backend_version) from error


def _ours(error: Exception, backend_name: str) -> RushesError:
    if isinstance(error, MemoryError):
        return Scarce(
            "memory", "the machine ran out of it; fewer workers (RUSHES_WORKERS) need less"
        )
    if isinstance(error, OSError) and error.errno in _SCARCE:
        return Scarce("this machine", str(error.strerror))
    return BackendFailed(backend_name, f"{type(error).__name__}: {error}")
