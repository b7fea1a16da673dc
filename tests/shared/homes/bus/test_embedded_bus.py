"""The embedded bus alone: what no other home's bus has, and what only here can be watched."""

import itertools
import os
import signal
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from shared.errors import LeaseLost
from shared.homes.bus import Outgoing
from shared.homes.bus.embedded_bus import LONGEST_DELAY_S, EmbeddedBus
from tests.contract.test_bus import TOPIC, WAIT_S, pull_one
from tests.toy import at_time


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedBus:
    made = EmbeddedBus(tmp_path / "bus.sqlite3")
    made.subscribe(TOPIC, TOPIC)
    return made


def test_a_subscription_may_want_an_attribute(embedded: EmbeddedBus) -> None:
    """Pub/Sub does; its emulator takes the filter, and delivers everything."""
    bus = embedded
    bus.subscribe("results", "some", having="webhook")
    bus.subscribe("results", "every")
    bus.publish("results", b"plain", {"step": "detect.hits"})
    bus.publish("results", b"marked", {"step": "detect.hits", "webhook": "1"})
    assert pull_one(bus, "some").message.data == b"marked"
    assert pull_one(bus, "every").message.data == b"plain"


def test_attempts_are_counted(embedded: EmbeddedBus) -> None:
    embedded.publish(TOPIC, b"1", {})
    for attempt in (1, 2, 3):
        delivery = pull_one(embedded)
        assert delivery.message.delivery_attempt == attempt
        embedded.nack(delivery)


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
    embedded.publish(TOPIC, b"2", {})
    assert synced() == 2, "FULL again"


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


def test_a_waiting_pull_looks_less_and_less_often(
    embedded: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once while work is on its way, ten times a second of a night in which nothing comes."""
    naps = [5.0]
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(time, "sleep", naps.append)
    assert embedded.pull([TOPIC], wait_s=0.5) == []
    doubled = [0.005, 0.01, 0.02, 0.04, 0.08]
    assert naps[1:] == pytest.approx([*doubled, 0.1, 0.1, 0.1, 0.045])


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
