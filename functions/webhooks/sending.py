"""One signed request to a tenant's address, which must not lead into our own network.

The name is resolved once, every address that it has is judged, and the connection goes to one of
just these: a name that answers otherwise the second time (DNS rebinding) gains nothing. Certificates
are checked against the name. Redirects are not followed, for where they lead nobody has judged, and the
answer's body is not read, however much of it there is.

The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` are those of Standard Webhooks
(standardwebhooks.com, its specification's "webhook headers" and "signature scheme").
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from standardwebhooks import Webhook as Signer

from shared.errors import ValidationError
from shared.messages.webhooks import Webhook, check_url, is_public

TIMEOUT_S = 10.0
"""For the whole attempt, from the name's resolution to the answer's headers. More waits for slower
receivers; one that hangs holds a worker up for so long."""


class Unreachable(Exception):
    """Nobody answered, or nobody that may be asked."""


def send(webhook: Webhook, event_id: str, body: str, *, private: bool) -> int:
    """POST the body, signed by the Standard Webhooks scheme; returns the HTTP status, whatever it is.

    ``private``: addresses that are not public, and plain HTTP, are allowed. Raises ``Unreachable``,
    after ``TIMEOUT_S`` at the latest: a receiver that drips its headers, or sends one ``100 Continue``
    after another, keeps every single read within any limit. A name's resolution cannot be broken off: where
    that is what took too long, the thread still sends once the name is known, and nobody hears the answer.
    """
    attempt = _Attempt(webhook, event_id, body, private=private)
    attempt.start()
    attempt.join(TIMEOUT_S)
    return attempt.status()


class _Attempt(threading.Thread):
    """The request in a thread of its own, which ends when its connections are closed."""

    def __init__(self, webhook: Webhook, event_id: str, body: str, *, private: bool) -> None:
        super().__init__(name="webhook", daemon=True)
        self._told = (webhook, event_id, body, private)
        self._answer: int | Exception | None = None
        self._pool: urllib3.HTTPConnectionPool | None = None

    def run(self) -> None:
        webhook, event_id, body, private = self._told
        try:
            self._answer = _post(webhook, event_id, body, private=private, opened=self._keep)
        except Exception as error:  # noqa: BLE001 - handed to who waits
            self._answer = error

    def _keep(self, pool: urllib3.HTTPConnectionPool) -> None:
        self._pool = pool

    def status(self) -> int:
        """The answer's; raises ``Unreachable`` where there is none by now."""
        if self._answer is None:
            for connection in getattr(self._pool, "made", ()):
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


def _post(
    webhook: Webhook,
    event_id: str,
    body: str,
    *,
    private: bool,
    opened: Callable[[urllib3.HTTPConnectionPool], None],
) -> int:
    """The whole attempt, in the thread of its own; the answer's status.

    ``opened`` gets the pool before anything is sent, so that it can be hung up from outside. The URL is
    checked here once more, for ``private`` may have been allowed when it was saved. ``Host`` names the
    URL's host and port, though the connection goes to an address. Raises ``Unreachable``.
    """
    try:
        check_url(webhook.url, private=private)
    except ValidationError as error:
        raise Unreachable(error.message) from error
    parts = urlsplit(webhook.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolved(host, port, private=private)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "User-Agent": "rushes", "Content-Type": "application/json"}
    with _pool(parts.scheme, host, address, port) as pool:
        opened(pool)
        try:
            answer = pool.request(
                "POST",
                target,
                body=body.encode(),
                headers=headers | _signature(webhook.secret, event_id, body),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=TIMEOUT_S),
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"it did not answer ({type(error).__name__})") from error
        answer.close()
        return int(answer.status)


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


def _resolved(host: str, port: int, *, private: bool) -> str:
    """One address of the host, the resolver's first, as text.

    Raises ``Unreachable`` if it has none, or any that is not public: a name that has both may be an attempt
    at the one behind the other. An IPv6 zone (``%eth0``) is left out of the judgement.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"its name is not known ({type(error).__name__})") from error
    addresses = [str(row[4][0]) for row in found]
    for address in addresses:
        if not private and not is_public(ipaddress.ip_address(address.split("%")[0])):
            raise Unreachable("it is not a public address")
    return addresses[0]


def _pool(scheme: str, host: str, address: str, port: int) -> urllib3.HTTPConnectionPool:
    """Connections to ``address`` alone; over TLS the name goes into SNI, and the certificate must bear it."""
    if scheme == "http":
        return _Pool(address, port)
    return _TlsPool(address, port, server_hostname=host, assert_hostname=host)


class _Pool(urllib3.HTTPConnectionPool):
    """Knows its connections, so that they can be hung up from outside."""

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        self.made = [*getattr(self, "made", ()), connection]
        return connection


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    """The same over TLS."""
