"""Loggers that import structlog when something is first logged: a command that lists things logs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_first: list[Callable[[], None]] = []


class _Logger:
    """structlog's logger, as it is configured by then."""

    def __getattr__(self, method: str) -> Any:
        import structlog

        while _first:
            _first.pop()()
        return getattr(structlog.get_logger(), method)


def get_logger() -> Any:
    """A logger for a module: ``log.info("fetch.done", bytes=3)``."""
    return _Logger()


def before_first(configure: Callable[[], None]) -> None:
    """Have ``configure`` called before anything is logged: at once where structlog is there already."""
    if "structlog" in sys.modules:
        configure()
    else:
        _first[:] = [configure]
