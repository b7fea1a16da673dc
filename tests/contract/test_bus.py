"""The bus's contract, for each home."""

import itertools
import os
import signal
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from shared.errors import Conflict, LeaseLost, NotFound, Unavailable, ValidationError
from shared.homes.bus import Bus, Delivery, Outgoing
from shared.homes.bus.embedded_bus import LONGEST_DELAY_S, EmbeddedBus
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


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedBus:
    made = EmbeddedBus(tmp_path / "bus.sqlite3")
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


def test_a_subscription_may_want_an_attribute(embedded: EmbeddedBus) -> None:
    """Pub/Sub does; its emulator takes the filter, and delivers everything."""
    bus = embedded
    bus.subscribe("results", "some", having="webhook")
    bus.subscribe("results", "every")
    bus.publish("results", b"plain", {"step": "detect.hits"})
    bus.publish("results", b"marked", {"step": "detect.hits", "webhook": "1"})
    assert pull_one(bus, "some").message.data == b"marked"
    assert pull_one(bus, "every").message.data == b"plain"


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


def test_attempts_are_counted(embedded: EmbeddedBus) -> None:
    embedded.publish(TOPIC, b"1", {})
    for attempt in (1, 2, 3):
        delivery = pull_one(embedded)
        assert delivery.message.delivery_attempt == attempt
        embedded.nack(delivery)


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


def test_nobody_listening_drops_the_message(embedded: EmbeddedBus) -> None:
    embedded.publish("results", b"1", {})
    embedded.subscribe("results", "results")
    assert embedded.pull(["results"]) == []


def test_only_what_is_published_is_synced(embedded: EmbeddedBus) -> None:
    """Leases and acks lost with the power come again; a synced commit for each is most of a step's wait."""

    def synced() -> int:
        with embedded._database.read() as connection:
            return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    embedded.publish_all([Outgoing(TOPIC, b"1", {})] * 2)
    assert synced() == 2, "FULL"
    embedded.ack(pull_one(embedded))
    assert synced() == 1, "NORMAL"


def test_a_delay_is_kept(embedded: EmbeddedBus) -> None:
    embedded.publish(TOPIC, b"1", {})
    embedded.nack(pull_one(embedded), delay_s=0.4)
    given_back = time.monotonic()
    assert embedded.pull([TOPIC]) == []
    pull_one(embedded)
    assert time.monotonic() - given_back > 0.3


def test_what_a_clock_ahead_has_put_off_is_not_waited_for(embedded: EmbeddedBus) -> None:
    with at_time(time.time() + 3600):
        embedded.publish(TOPIC, b"1", {})
        embedded.publish(TOPIC, b"2", {})
    leased = embedded.pull([TOPIC])
    assert [one.message.data for one in leased] == [b"1"]
    assert [one.message.data for one in embedded.pull([TOPIC], limit=9)] == [b"2"]
    assert embedded.pull([TOPIC], limit=9) == [], "a lease by the right clock is one"


def test_no_message_is_put_off_for_longer_than_the_longest_delay(embedded: EmbeddedBus) -> None:
    embedded.publish(TOPIC, b"1", {})
    embedded.nack(pull_one(embedded), delay_s=3600)
    now = time.time()
    with at_time(now + 1):
        assert embedded.pull([TOPIC]) == []
    with at_time(now + LONGEST_DELAY_S + 1):
        embedded.extend(pull_one(embedded), ack_deadline_s=3600)
    with at_time(now + LONGEST_DELAY_S + 2):
        assert embedded.pull([TOPIC]) == []
    with at_time(now + 3 * LONGEST_DELAY_S):
        assert pull_one(embedded).message.delivery_attempt == 3


def test_a_lapsed_lease_is_lost(embedded: EmbeddedBus) -> None:
    embedded.subscribe(TOPIC, TOPIC, ack_deadline_s=0)
    embedded.publish(TOPIC, b"1", {})
    lapsed = pull_one(embedded)
    with pytest.raises(LeaseLost):
        embedded.extend(lapsed, ack_deadline_s=30)
    embedded.ack(lapsed)
    current = pull_one(embedded)
    assert current.message.delivery_attempt == 2
    with pytest.raises(LeaseLost):
        embedded.extend(lapsed, ack_deadline_s=30)


def test_a_waiting_pull_wakes_up(embedded: EmbeddedBus) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pull_one, embedded)
        embedded.publish(TOPIC, b"1", {})
        assert waiting.result(timeout=WAIT_S).message.data == b"1"


def pull_and_hang(bus: EmbeddedBus, pulled: Connection) -> None:
    bus.extend(pull_one(bus), ack_deadline_s=1)
    pulled.send("pulled")
    signal.pause()


@pytest.mark.heavy
def test_a_killed_workers_message_comes_again(embedded: EmbeddedBus) -> None:
    message_id = embedded.publish(TOPIC, b"1", {})
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    worker = spawn.Process(target=pull_and_hang, args=(embedded, theirs), daemon=True)
    worker.start()
    assert ours.poll(60), "the worker did not pull"
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    again = pull_one(embedded)
    assert (again.message.message_id, again.message.delivery_attempt) == (message_id, 2)


def work_off(bus: EmbeddedBus) -> list[str]:
    """Hold one message till told to go, then work off what comes; returns the ids in order."""
    held = pull_one(bus)
    bus.publish("ready", b"1", {})
    bus.ack(pull_one(bus, "begin"))
    bus.ack(held)
    ids = [held.message.message_id]
    while deliveries := bus.pull([TOPIC], limit=3, wait_s=2):
        for delivery in deliveries:
            ids.append(delivery.message.message_id)
            bus.ack(delivery)
    return ids


@pytest.mark.heavy
def test_no_message_is_delivered_twice_under_its_lease(embedded: EmbeddedBus) -> None:
    embedded.subscribe("ready", "ready")
    embedded.subscribe("begin", "begin")
    published = [embedded.publish(TOPIC, b"1", {}) for _ in range(500)]
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        working = [pool.submit(work_off, embedded) for _ in range(4)]
        for _ in working:
            embedded.ack(pull_one(embedded, "ready"))
        for _ in working:
            embedded.publish("begin", b"1", {})
        pulled = [worker.result(timeout=120) for worker in working]
    assert Counter(itertools.chain(*pulled)) == Counter(published)
