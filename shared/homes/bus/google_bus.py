"""The bus in Pub/Sub, or on its emulator where ``PUBSUB_EMULATOR_HOST`` is set."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from google.api_core.exceptions import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
)
from google.api_core.exceptions import NotFound as GoogleNotFound

from shared.contracts.message import Message
from shared.errors import Conflict, LeaseLost, NotFound, Unavailable
from shared.homes.bus import Delivery, Outgoing
from shared.homes.bus.bus_checks import check_message, checked_topic
from shared.homes.google_errors import google_errors
from shared.homes.google_retry import RETRY, TIMEOUT_S
from shared.watch.trace import onward

SERVICE = "Pub/Sub"
SHORTEST_PULL_S = 1.0
"""A pull needs a round trip, even where nobody wants to wait."""
LONGEST_PULL_S = 10.0
MOST_AT_ONCE = 20
"""Messages in a request, which may have 10 MB: a step request has 0.4 MB at most."""
NAP_S = 0.05
"""After an empty answer: the emulator gives it at once, however long one is ready to wait."""


class GoogleBus:
    """``shared.homes.bus.Bus`` over Pub/Sub, where topics exist before anything is published to them.

    The service cannot delay a single message: ``nack`` ignores ``delay_s``, and the subscription's
    retry policy decides. It tells a lapsed delivery only where delivery is exactly-once: elsewhere
    ``extend`` and ``ack`` of a lapsed one may pass, or take effect if nobody else has pulled it.
    The emulator takes a subscription's filter, and delivers everything all the same.
    The delivery attempt is counted only under a dead-letter policy, and is 1 elsewhere.
    """

    def __init__(self, project: str) -> None:
        self._project = project

    @cached_property
    def _publisher(self) -> Any:
        from google.cloud.pubsub_v1 import PublisherClient

        return PublisherClient()

    @cached_property
    def _subscriber(self) -> Any:
        from google.cloud.pubsub_v1 import SubscriberClient

        return SubscriberClient()

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Put a message on a topic and wait until the service has it; returns its id."""
        return self._publish(topic, [Outgoing(topic, data, attributes)])[0]

    def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Put several on their topics: a request for each topic and ``MOST_AT_ONCE``."""
        by_topic: dict[str, list[Outgoing]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        for topic, held in by_topic.items():
            for start in range(0, len(held), MOST_AT_ONCE):
                self._publish(topic, held[start : start + MOST_AT_ONCE])

    def _publish(self, topic: str, messages: Sequence[Outgoing]) -> list[str]:
        for message in messages:
            check_message(message.data, message.attributes)
        told = [{"data": one.data, "attributes": onward(one.attributes)} for one in messages]
        request = {"topic": self._topic(topic), "messages": told}
        with google_errors(SERVICE):
            try:
                # The client's own publish() batches in a thread, and takes attributes as keyword
                # arguments: one called "topic" would clash.
                answer = self._publisher._gapic_publish(
                    request=request, retry=RETRY, timeout=TIMEOUT_S
                )
            except GoogleNotFound:  # no fault of the message's, which must not be given up for it
                raise Unavailable(SERVICE, f"there is no topic {topic!r}") from None
        return [str(name) for name in answer.message_ids]

    def subscribe(
        self,
        topic: str,
        subscription: str,
        *,
        ack_deadline_s: float = 60,
        having: str | None = None,
    ) -> None:
        """Make sure that topic and subscription exist; ``Conflict`` if it is another topic's.

        A subscription that is there keeps the filter with which it was made.
        """
        name, full_name = self._topic(topic), self._subscription(subscription)
        request = {
            "name": full_name,
            "topic": name,
            "ack_deadline_seconds": math.ceil(ack_deadline_s),
            "filter": f"attributes:{having}" if having else "",
        }
        with google_errors(SERVICE):
            with suppress(AlreadyExists):
                self._publisher.create_topic(request={"name": name}, retry=RETRY, timeout=TIMEOUT_S)
            try:
                self._subscriber.create_subscription(
                    request=request, retry=RETRY, timeout=TIMEOUT_S
                )
            except AlreadyExists:
                self._check_topic(full_name, name)

    def pull(
        self, subscriptions: Sequence[str], *, limit: int = 1, wait_s: float = 0
    ) -> list[Delivery]:
        """Up to ``limit`` messages of the first subscription that has any.

        Takes up to ``SHORTEST_PULL_S`` for each, also where ``wait_s`` is less.
        """
        deadline_s = time.monotonic() + wait_s
        longest_s = LONGEST_PULL_S if len(subscriptions) == 1 else SHORTEST_PULL_S
        while True:
            for name in subscriptions:
                left_s = deadline_s - time.monotonic()
                timeout_s = max(SHORTEST_PULL_S, min(left_s, longest_s))
                if deliveries := self._pull_one(name, limit, timeout_s):
                    return deliveries
            if time.monotonic() + NAP_S >= deadline_s:
                return []
            time.sleep(NAP_S)

    def ack(self, delivery: Delivery) -> None:
        """Done with it: it does not come again."""
        request = {
            "subscription": self._subscription(delivery.subscription),
            "ack_ids": [delivery.ack_id],
        }
        with google_errors(SERVICE), suppress(FailedPrecondition):  # lapsed: it comes again
            self._subscriber.acknowledge(request=request, retry=RETRY, timeout=TIMEOUT_S)

    def nack(self, delivery: Delivery, *, delay_s: float = 0) -> None:
        """Give it back: it comes again when the subscription's retry policy says."""
        with google_errors(SERVICE), suppress(FailedPrecondition):  # lapsed: it comes anyway
            self._modify_deadline(delivery, 0)

    def extend(self, delivery: Delivery, *, ack_deadline_s: float) -> None:
        """Keep it for another ``ack_deadline_s`` from now, rounded up to whole seconds."""
        with google_errors(SERVICE):
            try:
                self._modify_deadline(delivery, math.ceil(ack_deadline_s))
            except (FailedPrecondition, InvalidArgument):
                raise LeaseLost(delivery.message.delivery_attempt) from None

    def _topic(self, name: str) -> str:
        return f"projects/{self._project}/topics/{checked_topic(name)}"

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{checked_topic(name)}"

    def _check_topic(self, subscription: str, topic: str) -> None:
        request = {"subscription": subscription}
        found = self._subscriber.get_subscription(request=request, retry=RETRY, timeout=TIMEOUT_S)
        if found.topic != topic:
            raise Conflict(f"the subscription {subscription!r} is another topic's")

    def _pull_one(self, name: str, limit: int, timeout_s: float) -> list[Delivery]:
        request = {"subscription": self._subscription(name), "max_messages": limit}
        with google_errors(SERVICE):
            try:
                answer = self._subscriber.pull(request=request, retry=None, timeout=timeout_s)
            except DeadlineExceeded:  # how the service says that there is nothing
                return []
            except GoogleNotFound:
                raise NotFound("subscription", name) from None
        return [_delivery(name, received) for received in answer.received_messages]

    def _modify_deadline(self, delivery: Delivery, seconds: int) -> None:
        request = {
            "subscription": self._subscription(delivery.subscription),
            "ack_ids": [delivery.ack_id],
            "ack_deadline_seconds": seconds,
        }
        self._subscriber.modify_ack_deadline(request=request, retry=RETRY, timeout=TIMEOUT_S)


def _delivery(subscription: str, received: Any) -> Delivery:
    message = Message(
        message_id=received.message.message_id,
        data=received.message.data,
        attributes=dict(received.message.attributes),
        delivery_attempt=received.delivery_attempt or 1,
        published_at=received.message.publish_time.timestamp(),
    )
    return Delivery(subscription, message, received.ack_id)
