"""Where the time of one message goes: seconds by span, for the step's record; never in what is cached."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

QUEUE = "queue"
"""From being published to being handled, by two machines' clocks."""
DECODE, ENCODE = "decode", "encode"
"""While tools ran that read recordings, or wrote sound and pictures: beside the engine, and each other."""
SPANS = (QUEUE, "claim", "fetch", "engine", DECODE, ENCODE, "store", "publish", "settle")
"""As they follow one another. A step asks for what follows when its record is written: only probing,
which asks before, tells what publishing took."""
_spent: ContextVar[dict[str, float] | None] = ContextVar("spent", default=None)


@contextmanager
def counting(published_at: float | None) -> Iterator[None]:
    """Count what the spans within a message's handling take; threads count with it that run in a copy of
    its context. ``published_at``: seconds since 1970, if known.
    """
    waited = {} if published_at is None else {QUEUE: time.time() - published_at}
    token = _spent.set(waited)
    try:
        yield
    finally:
        _spent.reset(token)


@contextmanager
def counted(span: str) -> Iterator[None]:
    """Add what the context takes to the message's."""
    spent, begun = _spent.get(), time.monotonic()
    try:
        yield
    finally:
        if spent is not None:
            spent[span] = spent.get(span, 0.0) + time.monotonic() - begun


def spent_s() -> Mapping[str, float] | None:
    """Span -> seconds so far, to the millisecond; ``None`` where no message is handled."""
    spent = _spent.get()
    return {name: round(max(0.0, took), 3) for name, took in spent.items()} if spent else None
