"""The bus in one SQLite file, for the threads and processes of one machine.

A message is one row for each subscription of its topic, and the row is gone once it is settled:

    publish --> due --pull--> leased (ack_id, until due_at) --ack--> deleted
                 ^                |
                 +--nack, lapse---+

What is published is durable when that returns. Leases, acks and nacks outlive their process, and where the
machine's power goes a moment later the message comes again, as it may anyway.

``due_at`` is by this machine's clock, so that leases outlive a restart of the machine. What is due later
than anything can be was written when that clock stood ahead, and is due now.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.contracts.message import Message
from shared.errors import Conflict, LeaseLost, NotFound
from shared.homes.bus import Delivery, Outgoing
from shared.homes.bus.bus_checks import check_message, checked_topic
from shared.homes.sqlite import Database
from shared.watch.trace import onward

FIRST_NAP_S = 0.005
LONGEST_NAP_S = 0.1
LONGEST_DELAY_S = 60.0
"""No message is put off for longer, unless its subscription's deadline is."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriptions (
  name TEXT PRIMARY KEY,
  topic TEXT NOT NULL,
  ack_deadline_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  subscription TEXT NOT NULL,
  message_id TEXT NOT NULL,
  data BLOB NOT NULL,
  attributes TEXT NOT NULL,
  published_at REAL NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  due_at REAL NOT NULL,
  ack_id TEXT UNIQUE
);
CREATE TABLE IF NOT EXISTS filters (
  subscription TEXT PRIMARY KEY,
  attribute TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS due ON messages (subscription, sequence, due_at)
"""


_RECEIVERS = """
SELECT name FROM subscriptions LEFT JOIN filters ON subscription = name
WHERE topic = :topic
  AND (attribute IS NULL OR json_extract(:attributes, '$."' || attribute || '"') IS NOT NULL)
"""
_PUBLISH = f"""
INSERT INTO messages (subscription, message_id, data, attributes, published_at, due_at)
SELECT name, :id, :data, :attributes, :now, :now FROM ({_RECEIVERS})
"""


class EmbeddedBus:
    """``shared.homes.bus.Bus`` over SQLite. A message on a topic that nobody subscribed is dropped."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Put a message on a topic, durably, before returning; returns its id."""
        return self._publish([Outgoing(topic, data, attributes)])[0]

    def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Put several on their topics, all or none of them."""
        self._publish(messages)

    def _publish(self, messages: Sequence[Outgoing]) -> list[str]:
        for message in messages:
            checked_topic(message.topic)
            check_message(message.data, message.attributes)
        ids = [secrets.token_hex(16) for _ in messages]
        now = time.time()
        rows = [
            {
                "topic": message.topic,
                "id": message_id,
                "data": message.data,
                "attributes": json.dumps(onward(message.attributes)),
                "now": now,
            }
            for message_id, message in zip(ids, messages, strict=True)
        ]
        with self._database.read() as connection:
            rows = [row for row in rows if connection.execute(_RECEIVERS, row).fetchone()]
        if rows:
            with self._database.write() as connection:
                connection.executemany(_PUBLISH, rows)
        return ids

    def subscribe(
        self,
        topic: str,
        subscription: str,
        *,
        ack_deadline_s: float = 60,
        having: str | None = None,
    ) -> None:
        """Make sure that the subscription exists; raises ``Conflict`` if it is another topic's."""
        row = (checked_topic(subscription), checked_topic(topic), ack_deadline_s)
        with self._database.write() as connection:
            done = connection.execute(
                "INSERT INTO subscriptions VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET ack_deadline_s = excluded.ack_deadline_s WHERE topic = excluded.topic",
                row,
            )
            if not done.rowcount:
                raise Conflict(f"the subscription {subscription!r} is another topic's")
            connection.execute("DELETE FROM filters WHERE subscription = ?", (subscription,))
            if having is not None:
                connection.execute("INSERT INTO filters VALUES (?, ?)", (subscription, having))

    def pull(
        self, subscriptions: Sequence[str], *, limit: int = 1, wait_s: float = 0
    ) -> list[Delivery]:
        """Up to ``limit`` messages, oldest first, waiting at most ``wait_s`` for the first."""
        names = tuple(dict.fromkeys(subscriptions))
        deadline_s, nap_s = time.monotonic() + wait_s, FIRST_NAP_S
        while not (deliveries := self._take(names, limit)):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                break
            time.sleep(min(nap_s, left_s))
            nap_s = min(2 * nap_s, LONGEST_NAP_S)
        return deliveries

    def ack(self, delivery: Delivery) -> None:
        """Done with it: it does not come again. A lapsed delivery's ack changes nothing."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                "DELETE FROM messages WHERE ack_id = ? AND due_at > ?",
                (delivery.ack_id, time.time()),
            )

    def nack(self, delivery: Delivery, *, delay_s: float = 0) -> None:
        """Give it back: it comes again, not before ``delay_s``, which is ``LONGEST_DELAY_S`` at most."""
        now = time.time()
        with self._database.write(durable=False) as connection:
            connection.execute(
                "UPDATE messages SET ack_id = NULL, due_at = ? WHERE ack_id = ? AND due_at > ?",
                (now + min(delay_s, LONGEST_DELAY_S), delivery.ack_id, now),
            )

    def extend(self, delivery: Delivery, *, ack_deadline_s: float) -> None:
        """Keep it for another ``ack_deadline_s`` from now, the longest delay or its subscription's deadline
        at most. Raises ``LeaseLost`` if it lapsed.
        """
        now = time.time()
        with self._database.write(durable=False) as connection:
            done = connection.execute(
                "UPDATE messages SET due_at = ? + min(?, max(?, subscriptions.ack_deadline_s))"
                " FROM subscriptions WHERE name = subscription AND ack_id = ? AND due_at > ?",
                (now, ack_deadline_s, LONGEST_DELAY_S, delivery.ack_id, now),
            )
        if not done.rowcount:
            raise LeaseLost(delivery.message.delivery_attempt)

    def _take(self, names: Sequence[str], limit: int) -> list[Delivery]:
        with self._database.read() as connection:  # idle workers don't hold up those who write
            _check_known(connection, names)
            if not _due(connection, names, 1, time.time()):
                return []
        with self._database.write(durable=False) as connection:
            # Of now that nobody else writes: to an earlier look, a lease since then would be too far ahead.
            now = time.time()
            return [_lease(connection, one, now) for one in _due(connection, names, limit, now)]


def _check_known(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    known = {name for (name,) in connection.execute("SELECT name FROM subscriptions")}
    for name in names:
        if name not in known:
            raise NotFound("subscription", name)


def _due(connection: sqlite3.Connection, names: Sequence[str], limit: int, now: float) -> list[int]:
    """The sequence numbers of the oldest messages that may be delivered."""
    query = (
        "SELECT sequence FROM messages JOIN subscriptions ON name = subscription"
        " WHERE subscription = :name AND (due_at <= :now OR due_at > :now + max(:longest, ack_deadline_s))"
        " ORDER BY sequence LIMIT :limit"
    )
    told = {"now": now, "longest": LONGEST_DELAY_S, "limit": limit}
    found = [row[0] for name in names for row in connection.execute(query, {"name": name, **told})]
    return sorted(found)[:limit]


def _lease(connection: sqlite3.Connection, sequence: int, now: float) -> Delivery:
    ack_id = secrets.token_hex(16)
    query = (
        "UPDATE messages SET attempt = attempt + 1, ack_id = ?, due_at = ? + ack_deadline_s"
        " FROM subscriptions WHERE sequence = ? AND name = subscription"
        " RETURNING subscription, message_id, data, attributes, attempt, published_at"
    )
    [row] = connection.execute(query, (ack_id, now, sequence)).fetchall()
    subscription, message_id, data, attributes, attempt, published_at = row
    message = Message(message_id, data, json.loads(attributes), attempt, published_at)
    return Delivery(subscription, message, ack_id)
