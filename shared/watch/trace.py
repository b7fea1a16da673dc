"""Traces: an upload and all that follows from it is one trace, across every function.

    probe ── claim, fetch, engine, store, settle, publish ──┐ traceparent, a message attribute
                                                            ├─> detect.hits ── claim, fetch, ...
                                                            └─> ...

Written with OpenTelemetry and carried on as W3C's ``traceparent``. Where ``OTEL_TRACES_EXPORTER`` is
``none`` nothing is imported and nothing is added to a message. With ``otlp`` the spans go where
``OTEL_EXPORTER_OTLP_ENDPOINT`` says, before the message is answered: an instance may be frozen
afterwards. Spans say no more of people than the log does: no tenants, names, or words of errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from shared.contracts.message import Message
from shared.errors import RushesError
from shared.settings import settings
from shared.spent import counted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

FLUSH_S = 2.0
"""A collector that is away delays the answer to a message by no more than this."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@contextmanager
def consuming(message: Message) -> Iterator[None]:
    """The span of one message's handling, below the span that published it."""
    provider = _provider()
    if provider is None:
        yield
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind
    from structlog.contextvars import bind_contextvars

    facts: dict[str, str | int] = {
        "messaging.system": "gcp_pubsub",
        "messaging.operation.type": "process",
        "messaging.message.id": message.message_id,
        "messaging.gcp_pubsub.message.delivery_attempt": message.delivery_attempt,
    }
    try:
        with provider.get_tracer("rushes").start_as_current_span(
            "process",
            context=extract(message.attributes),
            kind=SpanKind.CONSUMER,
            attributes=facts,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            bind_contextvars(**_log_fields(span))
            with _outcome_told(span):
                yield
    finally:
        provider.force_flush()


@contextmanager
def span(name: str) -> Iterator[None]:
    """One part of the work: ``claim``, ``fetch``, ``engine``, ``store``, ``settle``, ``publish``."""
    provider = _provider()
    if provider is None:
        with counted(name):
            yield
        return
    from structlog.contextvars import bound_contextvars

    with (
        counted(name),
        provider.get_tracer("rushes").start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as current,
        bound_contextvars(**_log_fields(current)),
        _outcome_told(current),
    ):
        yield


def name_span(step: str, **facts: str) -> None:
    """Call the message's span after its step, and note facts about it."""
    if _provider() is not None:
        from opentelemetry.trace import get_current_span

        current = get_current_span()
        current.update_name(f"process {step}")
        current.set_attributes({f"rushes.{name}": value for name, value in facts.items()})


def onward(attributes: Mapping[str, str]) -> dict[str, str]:
    """A message's attributes, with the current span as the parent of what follows.

    A message that is sent again stays in the trace that it is in.
    """
    carrier: dict[str, str] = {}
    if _provider() is not None:
        from opentelemetry.propagate import inject

        inject(carrier)
    return {**carrier, **attributes}


def log_fields_of_request(headers: Mapping[str, str]) -> dict[str, str]:
    """``trace`` and ``span_id`` for the log, as the request that carried a message names them."""
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return _named(found[1], found[2]) if found else {}


def _log_fields(current: Span) -> dict[str, str]:
    where = current.get_span_context()
    return _named(f"{where.trace_id:032x}", f"{where.span_id:016x}")


def _named(trace_id: str, span_id: str) -> dict[str, str]:
    return {"trace": f"projects/{settings().project}/traces/{trace_id}", "span_id": span_id}


@contextmanager
def _outcome_told(current: Span) -> Iterator[None]:
    """Mark the span with the error's code, not with its words, which may hold people's."""
    try:
        yield
    except BaseException as error:
        from opentelemetry.trace import StatusCode

        code = error.code if isinstance(error, RushesError) else type(error).__name__
        current.set_attribute("error.type", code)
        current.set_status(StatusCode.ERROR)
        raise


def _service() -> str:
    """Cloud Run names its services; ``OTEL_SERVICE_NAME`` goes before."""
    return os.environ.get("OTEL_SERVICE_NAME") or os.environ.get("K_SERVICE") or "rushes"


@cache
def _provider() -> TracerProvider | None:
    """What makes spans and sends them; ``None`` where nobody wants them."""
    if settings().traces == "none":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": _service()}))
    # Its own time limit holds: force_flush() does not keep to the one that it is given.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=FLUSH_S)))
    return provider
