"""The runtime log: one line an outcome, JSON as Cloud Logging reads it, readable on a terminal.

``structlog.get_logger()`` logs, an event in the past tense and its facts::

    log.info("step.settled", outcome="done", duration_ms=1250)

Around a message, ``message_context`` and ``bind`` add what every line of it should say: event id,
step, run, cache key, attempt, how long it had waited (``queue_ms``), and a digest of the tenant, by which
one's waiting is told from another's. Neither tenants nor names nor what is said in a recording get into
it: ``PRIVATE`` keys are dropped wherever they stand, exceptions are told without their words, and a cache
key (some name their tenant) is shown as the hash under which its document lives. The counters and charts
of docs/observability.md are read off these lines.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.errors import ValidationError
from shared.lazy_log import without_rich

with without_rich():
    import structlog
    from structlog.contextvars import bind_contextvars as bind
    from structlog.contextvars import bound_contextvars as bound
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["PRIVATE", "bind", "bind_tenant", "bound", "configure", "message_context"]

PRIVATE = frozenset(
    {"tenant_id", "tenant", "user_id", "user", "key", "uri", "source"}
    | {"file", "filename", "path", "name", "text", "transcript", "transcription"}
    | {
        "args",
        "kwargs",
        "caused_by",
    }  # what stamina says of a retry: a service's words may name keys
)
"""Keys whose values say who somebody is or what they recorded."""

_TALKATIVE = ("google", "urllib3", "botocore", "boto3", "numba", "matplotlib", "faster_whisper")
_CLOUD_NAMES = {"trace": "trace", "span_id": "spanId"}
_DIGEST_CHARS = 12
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
        structlog.processors.ExceptionRenderer(_traceback),
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
    bind(
        event_id=message.message_id,
        attempt=message.delivery_attempt,
        execution_id=outside.get("execution_id", secrets.token_hex(6)),
        **{name: outside[name] for name in ("trace", "span_id") if name in outside},
    )
    if "tenant" in message.attributes:
        bind_tenant(message.attributes["tenant"], message.attributes.get("env", ""))
    if message.published_at is not None:
        bind(queue_ms=max(0, round(1000 * (time.time() - message.published_at))))
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        bind(**outside)


def bind_tenant(tenant_id: str, env: str) -> None:
    """Have every line say whose it is by a digest: one tenant's waiting is told from another's, and whoever
    knows a tenant's name finds its lines, but nobody reads the name off them.
    """
    bind(tenant_digest=digest(tenant_id, env)[:_DIGEST_CHARS])


def _traceback(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Where it was raised, and its type: its words may hold a file's name or what it says.

    Those stand in the step's record or the dead letter, which are the tenant's.
    """
    lines = []
    _, error, trace = exc_info
    while True:
        frames = "".join(traceback.format_tb(trace))
        kind = type(error)
        lines.append(f"{frames}{kind.__module__}.{kind.__qualname__}")
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            break
        error, trace = cause, cause.__traceback__
    return "\ncaused:\n".join(reversed(lines))


def _rendered(on_terminal: bool) -> list[Processor]:
    if on_terminal:
        return [structlog.dev.ConsoleRenderer(timestamp_key="time")]
    return [_cloud_names, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _cloud_names(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The names under which Cloud Logging finds what it knows of."""
    severity = str(event.pop("level", "info")).upper()
    known = {"severity": severity, "message": event.pop("event", "")}
    for name, cloud_name in _CLOUD_NAMES.items():
        if name in event:
            known[f"logging.googleapis.com/{cloud_name}"] = event.pop(name)
    if "execution_id" in event:
        labels = {"execution_id": event.pop("execution_id")}
        known["logging.googleapis.com/labels"] = labels
    return {**known, **event}


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
