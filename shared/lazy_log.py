"""Loggers that import structlog when something is first logged: a command that lists things logs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_first: list[Callable[[], None]] = []


class _Logger:
    """structlog's logger, as it is configured by then."""

    def __getattr__(self, method: str) -> Any:
        import structlog

        while _first:
            _first.pop()()
        return getattr(structlog.get_logger(), method)


@contextmanager
def without_rich() -> Iterator[None]:
    """While structlog is imported: it takes rich along wherever that is installed, for tracebacks of a kind
    that nobody asks it for, and a function's start took an eighth longer.
    """
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # importing it fails, as if it were not there
    try:
        yield
    finally:
        del sys.modules["rich"]


def get_logger() -> Any:
    """A logger for a module: ``log.info("fetch.done", bytes=3)``."""
    return _Logger()


def before_first(configure: Callable[[], None]) -> None:
    """Have ``configure`` called before anything is logged: at once where structlog is there already."""
    _first.clear()  # the last call holds
    if "structlog" in sys.modules:
        configure()
    else:
        _first.append(configure)
