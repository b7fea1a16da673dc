"""The runtime log: one line an outcome, JSON as Cloud Logging reads it, readable on a terminal.

``structlog.get_logger()`` logs, an event in the past tense and its facts::

    log.info("step.settled", outcome="done", duration_ms=1250)

Around a message, ``message_context`` and ``bind`` add what every line of it should say: event id,
step, cache key, attempt. Neither tenants nor names nor what is said in a recording get into it:
``PRIVATE`` keys are dropped wherever they stand, and a cache key (some name their tenant) is shown as the
hash under which its document lives.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars as bind
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.bus import Message
from shared.contracts.ids import digest
from shared.errors import ValidationError

__all__ = ["PRIVATE", "bind", "configure", "message_context"]

PRIVATE = frozenset(
    {"tenant_id", "tenant", "user_id", "user", "key", "uri", "source"}
    | {"file", "filename", "path", "name", "text", "transcript", "transcription"}
)
"""Keys whose values say who somebody is or what they recorded."""

_TALKATIVE = ("google", "urllib3", "botocore", "boto3", "numba", "matplotlib", "faster_whisper")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to ``stream`` (standard error).

    May be called again: the last call holds. Raises ``ValidationError`` for an unknown level.
    """
    if level.upper() not in _LEVELS:
        raise ValidationError("log_level", f"{level!r} is unknown; known: {', '.join(_LEVELS)}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        _drop_private,
        _hash_cache_key,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def message_context(message: Message) -> Iterator[None]:
    """Every line inside names the message; whatever is bound inside ends with it."""
    outside = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    bind(event_id=message.message_id, attempt=message.delivery_attempt)
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        bind(**outside)


def _rendered(on_terminal: bool) -> list[Processor]:
    if on_terminal:
        return [structlog.dev.ConsoleRenderer(timestamp_key="time")]
    return [_cloud_names, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _cloud_names(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The names under which Cloud Logging finds severity and message."""
    severity = str(event.pop("level", "info")).upper()
    return {"severity": severity, "message": event.pop("event", ""), **event}


def _drop_private(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return dict(_without_private(event))


def _without_private(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_private(v) for k, v in value.items() if k not in PRIVATE}
    if isinstance(value, list | tuple):
        return [_without_private(item) for item in value]
    return value


def _hash_cache_key(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if isinstance(event.get("cache_key"), str):
        event["cache_key"] = digest(event["cache_key"])
    return event
