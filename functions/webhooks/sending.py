"""One signed request to a tenant's address, which must not lead into our own network.

The name is resolved once, every address that it has is judged, and the connection goes to one of
just these: a name that answers otherwise the second time gains nothing. Certificates are checked
against the name. Redirects are not followed and the answer's body is not read.
"""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

import urllib3
from standardwebhooks import Webhook as Signer

from shared.errors import ValidationError
from shared.messages.webhooks import Webhook, check_url, is_public

TIMEOUT_S = 10.0


class Unreachable(Exception):
    """Nobody answered, or nobody that may be asked."""


def send(webhook: Webhook, event_id: str, body: str, *, private: bool) -> int:
    """POST the body, signed by the Standard Webhooks scheme; returns the HTTP status.

    ``private``: addresses that are not public, and plain HTTP, are allowed. Raises ``Unreachable``.
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
    now = datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(event_id, now, body),
    }


def _resolved(host: str, port: int, *, private: bool) -> str:
    """One address of the host; raises ``Unreachable`` if it has none, or any that is not public."""
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
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port)
    return urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host)
