"""The bus: messages on topics, delivered at least once. Adapters: ``embedded``, ``google``.

A topic fans out to its subscriptions; here each topic that has a consumer has one subscription of
the same name. In Google Cloud and on the emulators messages are pushed to the functions, so
``pull`` serves the embedded workers, tests and onlookers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.message import Message


@dataclass(frozen=True)
class Delivery:
    """A pulled message and the handle that settles it."""

    subscription: str
    message: Message
    ack_id: str


@dataclass(frozen=True)
class Outgoing:
    """A message that is to be published."""

    topic: str
    data: bytes
    attributes: Mapping[str, str]


class Bus(Protocol):
    """Topics and subscriptions. Trouble with the service is ``shared.errors.Unavailable``."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Put a message on a topic, durably, before returning; returns its id."""

    def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Put several on their topics, durably, before returning; those of a topic at once.

        Where the service fails midway, some may have been published.
        """

    def subscribe(
        self,
        topic: str,
        subscription: str,
        *,
        ack_deadline_s: float = 60,
        having: str | None = None,
    ) -> None:
        """Make sure that topic and subscription exist.

        ``having``: of the messages published from now on it gets those alone that have this attribute.
        """

    def pull(
        self, subscriptions: Sequence[str], *, limit: int = 1, wait_s: float = 0
    ) -> list[Delivery]:
        """Up to ``limit`` messages, oldest first, waiting at most ``wait_s`` for the first.

        A message not settled within the ack deadline is delivered again, to anyone.
        """

    def ack(self, delivery: Delivery) -> None:
        """Done with it: it does not come again. A lapsed delivery's ack changes nothing."""

    def nack(self, delivery: Delivery, *, delay_s: float = 0) -> None:
        """Give it back: it comes again, not before ``delay_s`` where the bus can delay."""

    def extend(self, delivery: Delivery, *, ack_deadline_s: float) -> None:
        """Keep it for another ``ack_deadline_s`` from now. Raises ``LeaseLost`` if it lapsed."""
