"""Topics and push subscriptions on the Pub/Sub emulator, of the same shape as terraform's."""

from __future__ import annotations

from collections.abc import Mapping

from google.api_core.exceptions import AlreadyExists
from google.cloud import pubsub_v1
from google.protobuf.duration_pb2 import Duration

from shared.contracts.topics import DEAD_TOPIC, SUBSCRIBED_WITH
from shared.homes.home import consumed_topics

ACK_DEADLINE_S = 60
MAX_DELIVERIES = 100
"""Pub/Sub's most: the net for a function that cannot even start. Attempts at the work itself are
counted by the runtime, and deliveries turned back because another worker is on it are none."""
_BACKOFF_S = (1, 60)
"""Shorter than in the cloud (10 and 600): people are watching."""


def create_topics(project: str, addresses: Mapping[str, str]) -> None:
    """Make every topic, and its push subscription.

    ``addresses``: function -> where it is served. What a function could not even receive goes to
    the dead topic after ``MAX_DELIVERIES``.
    """
    consumed = consumed_topics()
    publisher = pubsub_v1.PublisherClient()
    for topic in consumed:
        _create_topic(publisher, f"projects/{project}/topics/{topic}")
    with pubsub_v1.SubscriberClient() as subscriber:
        for topic, function in consumed.items():
            subscription = _subscription(project, topic)
            subscription.push_config = pubsub_v1.types.PushConfig(push_endpoint=addresses[function])
            if topic != DEAD_TOPIC:
                subscription.dead_letter_policy = pubsub_v1.types.DeadLetterPolicy(
                    dead_letter_topic=f"projects/{project}/topics/{DEAD_TOPIC}",
                    max_delivery_attempts=MAX_DELIVERIES,
                )
            _create_subscription(subscriber, subscription)


def _create_topic(publisher: pubsub_v1.PublisherClient, name: str) -> None:
    try:
        publisher.create_topic(name=name)
    except AlreadyExists:
        return


def _subscription(project: str, topic: str) -> pubsub_v1.types.Subscription:
    shortest, longest = _BACKOFF_S
    having = SUBSCRIBED_WITH.get(topic)
    return pubsub_v1.types.Subscription(
        name=f"projects/{project}/subscriptions/{topic}",
        topic=f"projects/{project}/topics/{topic}",
        ack_deadline_seconds=ACK_DEADLINE_S,
        filter=f"attributes:{having}" if having else "",
        retry_policy=pubsub_v1.types.RetryPolicy(
            minimum_backoff=Duration(seconds=shortest), maximum_backoff=Duration(seconds=longest)
        ),
    )


def _create_subscription(
    subscriber: pubsub_v1.SubscriberClient, subscription: pubsub_v1.types.Subscription
) -> None:
    try:
        subscriber.create_subscription(request=subscription)
    except AlreadyExists:
        return
