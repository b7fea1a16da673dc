"""One signed request to a tenant's address, which must not lead into our own network.

The name is resolved once, every address that it has is judged, and the connection goes to the first of
just these that takes it: a name that answers otherwise the second time (DNS rebinding) gains nothing.
Certificates are checked against the name. Redirects are not followed, for where they lead nobody has judged,
and the answer's body is not read, however much of it there is.

The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` are those of Standard Webhooks
(standardwebhooks.com, its specification's "webhook headers" and "signature scheme").
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from standardwebhooks import Webhook as Signer

from shared.errors import ValidationError
from shared.messages.webhooks import Webhook, check_url, is_public

TIMEOUT_S = 10.0
"""For the whole attempt, from the name's resolution to the answer's headers, of however many addresses. More
waits for slower receivers; one that hangs holds a worker up for so long."""


class Unreachable(Exception):
    """Nobody answered, or nobody that may be asked."""


def send(webhook: Webhook, event_id: str, body: str, *, private: bool) -> int:
    """POST the body, signed by the Standard Webhooks scheme; returns the HTTP status, whatever it is.

    ``private``: addresses that are not public, and plain HTTP, are allowed. Raises ``Unreachable``,
    after ``TIMEOUT_S`` at the latest: a receiver that drips its headers, or sends one ``100 Continue``
    after another, keeps every single read within any limit. Nothing is sent after that: a name's resolution
    cannot be broken off, so the thread may outlive it, but it connects to nobody any more.
    """
    attempt = _Attempt(webhook, event_id, body, private=private)
    attempt.start()
    attempt.join(TIMEOUT_S)
    return attempt.status()


class _Attempt(threading.Thread):
    """The request in a thread of its own, which ends when its connections are closed.

    Whoever waits first says that it is over and then hangs up; the thread first connects and then asks
    whether it is over. So a connection is either hung up or never written to.
    """

    def __init__(self, webhook: Webhook, event_id: str, body: str, *, private: bool) -> None:
        super().__init__(name="webhook", daemon=True)
        self._told = (webhook, event_id, body, private)
        self._answer: int | Exception | None = None
        self._ends_at_s = time.monotonic() + TIMEOUT_S
        self._over = False
        self.connections: list[Any] = []
        """All that were made, to be hung up from outside."""

    def run(self) -> None:
        webhook, event_id, body, private = self._told
        try:
            self._answer = _post(webhook, event_id, body, private=private, attempt=self)
        except Exception as error:  # noqa: BLE001 - handed to who waits
            self._answer = error

    def left_s(self) -> float:
        """Of its time, more than 0; raises ``Unreachable`` where there is none, or nobody waits any more."""
        left_s = self._ends_at_s - time.monotonic()
        if self._over or left_s <= 0:
            raise Unreachable(f"it took longer than {TIMEOUT_S:g} s")
        return left_s

    def status(self) -> int:
        """The answer's; raises ``Unreachable`` where there is none by now."""
        self._over = True
        if self._answer is None:
            for connection in self.connections:
                _hang_up(connection)
            raise Unreachable(f"it took longer than {TIMEOUT_S:g} s")
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _hang_up(connection: Any) -> None:
    """Shut its socket down, which ends a read that waits in another thread; closing alone would not."""
    held = getattr(connection, "sock", None)
    if held is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


def _post(webhook: Webhook, event_id: str, body: str, *, private: bool, attempt: _Attempt) -> int:
    """The whole attempt, in the thread of its own; the answer's status.

    The URL is checked here once more, for ``private`` may have been allowed when it was saved. The name's
    addresses are tried in turn until one takes the connection, each with an even share of the time that is
    left: a machine without a route to the first (IPv6, often) still reaches the next. Raises ``Unreachable``.
    """
    try:
        check_url(webhook.url, private=private)
    except ValidationError as error:
        raise Unreachable(error.message) from error
    parts = urlsplit(webhook.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _resolved(host, port, private=private)
    failed: Exception | None = None
    for number, address in enumerate(addresses):
        connect_s = attempt.left_s() / (len(addresses) - number)
        try:
            with _pool(parts.scheme, host, address, port, attempt) as pool:
                return _posted(pool, webhook, event_id, body, connect_s)
        except _NOT_CONNECTED as error:
            failed = error
    raise _no_answer(failed) from failed


_NOT_CONNECTED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""Nobody got anything yet, so another address may be asked."""


def _posted(pool: _Pool, webhook: Webhook, event_id: str, body: str, connect_s: float) -> int:
    """The answer's status. ``Host`` names the URL's host and port, though the connection goes to an address.

    Raises ``_NOT_CONNECTED`` where nothing was sent, otherwise ``Unreachable``.
    """
    parts = urlsplit(webhook.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "User-Agent": "rushes", "Content-Type": "application/json"}
    try:
        answer = pool.request(
            "POST",
            target,
            body=body.encode(),
            headers=headers | _signature(webhook.secret, event_id, body),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=connect_s, total=pool.attempt.left_s()),
        )
    except _NOT_CONNECTED:
        raise
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(error) from error
    answer.close()
    return int(answer.status)


def _no_answer(error: Exception | None) -> Unreachable:
    return Unreachable(f"it did not answer ({type(error).__name__})")


def _signature(secret: str, event_id: str, body: str) -> dict[str, str]:
    """The three headers: HMAC-SHA256 over ``id.timestamp.body`` (UTF-8), in base64 behind ``v1,``.

    The key is what stands behind ``whsec_``, in base64. The time is that of the attempt, in Unix seconds: a
    receiver may refuse old ones (replay), so each attempt is signed anew, under the same id.
    """
    now = datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(event_id, now, body),
    }


def _resolved(host: str, port: int, *, private: bool) -> list[str]:
    """The host's addresses as text, one at least, in the resolver's order (RFC 6724).

    Raises ``Unreachable`` if it has none, or any that is not public: a name that has both may be an attempt
    at the one behind the other. An IPv6 zone (``%eth0``) is left out of the judgement.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"its name is not known ({type(error).__name__})") from error
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    for address in addresses:
        if not private and not is_public(ipaddress.ip_address(address.split("%")[0])):
            raise Unreachable("it is not a public address")
    return addresses


def _pool(scheme: str, host: str, address: str, port: int, attempt: _Attempt) -> _Pool:
    """Connections to ``address`` alone; over TLS the name goes into SNI, and the certificate must bear it."""
    if scheme == "http":
        pool = _Pool(address, port)
    else:
        pool = _TlsPool(address, port, server_hostname=host, assert_hostname=host)
    pool.attempt = attempt
    return pool


class _Pool(urllib3.HTTPConnectionPool):
    """Tells the attempt of its connections, and asks it before anything is written to one."""

    attempt: _Attempt

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        self.attempt.connections.append(connection)
        return connection

    def _validate_conn(self, conn: Any) -> None:
        super()._validate_conn(conn)
        if conn.is_closed:  # over TLS it is connected by now
            conn.connect()
        self.attempt.left_s()


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    """The same over TLS."""
