"""The bus's contract, for each home."""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from shared.errors import Conflict, NotFound, Unavailable, ValidationError
from shared.homes.bus import Bus, Delivery, Outgoing
from shared.homes.bus.embedded_bus import EmbeddedBus
from tests.toy import at_time

TOPIC = "steps-detect"
WAIT_S = 60.0
"""More than enough for a message, also from a process that has yet to start; the tests end sooner."""


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.emulator)])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Bus:
    made: Bus
    if request.param == "embedded":
        made = EmbeddedBus(tmp_path / "bus.sqlite3")
    else:
        project = request.getfixturevalue("google_project")
        from shared.homes.bus.google_bus import GoogleBus

        made = GoogleBus(project)
    made.subscribe(TOPIC, TOPIC)
    return made


def once_passed(bus: Bus, seconds: float) -> AbstractContextManager[None]:
    """The embedded bus's clock so much later; Pub/Sub's own has to be waited for."""
    return at_time(time.time() + seconds) if isinstance(bus, EmbeddedBus) else nullcontext()


def pull_one(bus: Bus, subscription: str = TOPIC) -> Delivery:
    [delivery] = bus.pull([subscription], wait_s=WAIT_S)
    return delivery


def pull_all(bus: Bus, count: int) -> list[Delivery]:
    """``count`` messages, in as many pulls as the bus makes of it."""
    deliveries: list[Delivery] = []
    while len(deliveries) < count:
        pulled = bus.pull([TOPIC], limit=count - len(deliveries), wait_s=WAIT_S)
        assert pulled, f"only {len(deliveries)} of {count} messages came"
        deliveries += pulled
    return deliveries


def test_delivers_what_was_published(bus: Bus) -> None:
    attributes = {"tenant": "t1", "topic": "ünï", "data": "", "timeout": "1"}
    before = time.time()
    message_id = bus.publish(TOPIC, b"\x00\xff{}", attributes)
    delivery = pull_one(bus)
    message = delivery.message
    assert (delivery.subscription, message.message_id) == (TOPIC, message_id)
    assert (message.data, message.attributes) == (b"\x00\xff{}", attributes)
    assert message.delivery_attempt == 1
    assert message.published_at == pytest.approx(before, abs=10)


def test_a_message_may_be_attributes_alone(bus: Bus) -> None:
    bus.publish(TOPIC, b"", {"eventType": "OBJECT_FINALIZE"})
    message = pull_one(bus).message
    assert (message.data, message.attributes) == (b"", {"eventType": "OBJECT_FINALIZE"})


def test_what_is_acknowledged_is_gone(bus: Bus) -> None:
    bus.publish(TOPIC, b"1", {})
    delivery = pull_one(bus)
    bus.ack(delivery)
    bus.ack(delivery)  # again, as a careful caller does
    bus.nack(delivery)
    assert bus.pull([TOPIC], wait_s=0.2) == []


def test_every_subscription_gets_a_copy(bus: Bus) -> None:
    bus.subscribe("results", "console")
    bus.subscribe("results", "webhooks")
    bus.subscribe("results", "webhooks")
    message_id = bus.publish("results", b"1", {})
    for subscription in ("console", "webhooks"):
        delivery = pull_one(bus, subscription)
        assert delivery.message.message_id == message_id
        bus.ack(delivery)
    assert bus.pull([TOPIC, "console", "webhooks"]) == []


def test_several_messages_are_published_at_once(bus: Bus) -> None:
    bus.subscribe("results", "results")
    bus.publish_all([Outgoing(topic, b"", {"n": "1"}) for topic in (TOPIC, "results", TOPIC)])
    pull_all(bus, 2)
    assert pull_one(bus, "results").message.attributes == {"n": "1"}


def test_pulls_from_several_subscriptions(bus: Bus) -> None:
    bus.subscribe("uploads", "uploads")
    bus.publish("uploads", b"1", {})
    [delivery] = bus.pull([TOPIC, "uploads"], wait_s=WAIT_S)
    assert delivery.subscription == "uploads"
    bus.ack(delivery)


def test_oldest_come_first(bus: Bus) -> None:
    for number in range(5):
        bus.publish(TOPIC, str(number).encode(), {})
    assert [delivery.message.data for delivery in pull_all(bus, 5)] == [
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
    ]


def test_comes_again_after_the_deadline(bus: Bus) -> None:
    bus.publish(TOPIC, b"1", {})
    first = pull_one(bus)
    bus.extend(first, ack_deadline_s=1)
    with once_passed(bus, 1.1):
        again = pull_one(bus)
        assert again.message.message_id == first.message.message_id
        assert again.ack_id != first.ack_id
        bus.ack(again)
        assert bus.pull([TOPIC]) == []


def test_comes_again_at_once_when_given_back(bus: Bus) -> None:
    bus.publish(TOPIC, b"1", {})
    first = pull_one(bus)
    bus.nack(first)
    again = pull_one(bus)
    assert again.message.message_id == first.message.message_id
    bus.ack(again)


def test_a_lapsed_ack_changes_nothing(bus: Bus) -> None:
    bus.publish(TOPIC, b"1", {})
    lapsed = pull_one(bus)
    bus.extend(lapsed, ack_deadline_s=1)
    with once_passed(bus, 1.1):
        current = pull_one(bus)
        bus.ack(lapsed)
        bus.nack(current)
        assert pull_one(bus).message.message_id == lapsed.message.message_id


def test_an_extended_lease_outlives_the_deadline(bus: Bus) -> None:
    bus.publish(TOPIC, b"1", {})
    delivery = pull_one(bus)
    bus.extend(delivery, ack_deadline_s=1)
    bus.extend(delivery, ack_deadline_s=30)
    with once_passed(bus, 1.5):
        assert bus.pull([TOPIC], wait_s=0 if isinstance(bus, EmbeddedBus) else 1.5) == []
    bus.ack(delivery)


def test_a_subscription_stays_with_its_topic(bus: Bus) -> None:
    with pytest.raises(Conflict):
        bus.subscribe("results", TOPIC)


def test_unknown_subscriptions_are_said(bus: Bus) -> None:
    with pytest.raises(NotFound):
        bus.pull(["nobody-made-it"])


@pytest.mark.parametrize("name", ["", "ab", "1ab", "a/b", "googol", "a" * 256])
def test_names_that_pubsub_refuses_are_refused(bus: Bus, name: str) -> None:
    with pytest.raises(ValidationError):
        bus.publish(name, b"1", {})
    with pytest.raises(ValidationError):
        bus.subscribe(TOPIC, name)


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        (b"", {}),
        (b"x" * 10_000_001, {}),
        (b"1", {"k": "ü" * 513}),
        (b"1", {"": "v"}),
        (b"1", {"k" * 257: "v"}),
        (b"1", {"googclient": "v"}),
        (b"1", {"k": "\ud800"}),
        (b"1", {str(number): "" for number in range(101)}),
    ],
)
def test_messages_that_pubsub_refuses_are_refused(
    bus: Bus, data: bytes, attributes: dict[str, str]
) -> None:
    with pytest.raises(ValidationError):
        bus.publish(TOPIC, data, attributes)


def test_the_largest_that_pubsub_takes_arrive(bus: Bus) -> None:
    attributes = {"k" * 256: "v" * 1_024, **{str(number): "" for number in range(99)}}
    bus.publish(TOPIC, b"1", attributes)
    assert pull_one(bus).message.attributes == attributes


@pytest.mark.emulator
def test_pubsub_counts_attempts_under_a_dead_letter_policy(google_project: str) -> None:
    from google.cloud.pubsub_v1 import SubscriberClient

    from shared.homes.bus.google_bus import GoogleBus

    bus = GoogleBus(google_project)
    bus.subscribe("steps-dead", "steps-dead")
    bus.subscribe("results", "unlimited")
    prefix = f"projects/{google_project}"
    dead = {"dead_letter_topic": f"{prefix}/topics/steps-dead", "max_delivery_attempts": 5}
    with SubscriberClient() as subscriber:
        subscriber.create_subscription(
            request={
                "name": f"{prefix}/subscriptions/limited",
                "topic": f"{prefix}/topics/results",
                "dead_letter_policy": dead,
            }
        )
    bus.publish("results", b"1", {})
    for attempt in (1, 2):
        delivery = pull_one(bus, "limited")
        assert delivery.message.delivery_attempt == attempt
        bus.nack(delivery)


@pytest.mark.emulator
def test_publishing_to_a_missing_topic_is_said(google_project: str) -> None:
    from shared.homes.bus.google_bus import GoogleBus

    with pytest.raises(Unavailable, match="nobody-made-it"):
        GoogleBus(google_project).publish("nobody-made-it", b"1", {})


@pytest.mark.emulator
def test_trouble_with_the_service_is_said(
    google_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.api_core.retry import Retry

    from shared.homes.bus import google_bus

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(google_bus, "RETRY", Retry(timeout=1))
    bus = google_bus.GoogleBus(google_project)
    with pytest.raises(Unavailable):
        bus.publish(TOPIC, b"1", {})
    with pytest.raises(Unavailable):
        bus.pull([TOPIC])
