"""Messages that are published together: one write, or one request a topic, instead of one for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from shared.homes.bus import Outgoing
from shared.homes.home import Home
from shared.watch.trace import onward


@contextmanager
def sent_together(home: Home) -> Iterator[Home]:
    """A home whose messages are held, and published when the context ends, with an error too.

    For what follows a write that stands already: whoever dies in between is asked again, as is one who
    dies between two messages. Their ids are not known before they are sent: ``publish`` returns "".
    """
    held = _Held(home.bus)
    try:
        yield replace(home, bus=held)
    finally:
        home.bus.publish_all(held.messages)


class _Held:
    """The bus, but for publishing."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.messages: list[Outgoing] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        self.messages.append(Outgoing(topic, data, onward(attributes)))
        return ""

    def publish_all(self, messages: Sequence[Outgoing]) -> None:
        for one in messages:
            self.publish(one.topic, one.data, one.attributes)
