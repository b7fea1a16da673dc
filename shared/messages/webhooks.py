"""Where a tenant wants to be told, and what has been sent there.

The setting is the document ``settings/webhooks``, its secret sealed (Fernet) where this home has a
``RUSHES_WEBHOOK_KEY``: who reads the documents can't sign. Each thing told is a document of
``webhook_deliveries``, whose id puts the newest runs first.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field

from shared.contracts.context import RequestContext
from shared.contracts.ids import Name, StepName, checked_name
from shared.contracts.model import Model
from shared.contracts.topics import FOR_WEBHOOKS, RESULTS_TOPIC
from shared.errors import NotFound, Unavailable, ValidationError
from shared.homes.bus import Bus
from shared.homes.documents import Documents
from shared.runs.results import webhook_path

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

EventType = Literal["run.finished", "step.finished", "step.failed", "artifact.created"]
SECRET_PATTERN = r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$"
_LONGEST_URL = 2_000
KEPT_S = 30 * 86_400.0
"""So long a delivery is kept, where the document store removes what expires."""
SEALED = "sealed_secret"
Keys = tuple[str, ...]
"""Fernet keys, the newest first; the others still open what they sealed."""
REPLAY = "webhook.replay"
"""The type of the message that asks for one more delivery."""


class Webhook(Model):
    """A tenant's and env's wish to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(max_length=_LONGEST_URL)
    events: tuple[EventType, ...] = ("run.finished", "step.failed")
    secret: str = Field(
        default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        pattern=SECRET_PATTERN,
    )
    """What deliveries are signed with: ``whsec_`` and 24 to 64 bytes in base64."""


class Delivery(Model):
    """One event, told or to be told."""

    model_config = ConfigDict(frozen=True)

    delivery_id: Name
    event_id: str
    type: EventType
    run_id: Name
    step: StepName | None = None
    artifact_id: Name | None = None
    state: Literal["pending", "delivered", "failed"] = "pending"
    attempts: int = 0
    status: int | None = None
    """The receiver's last HTTP status."""
    error: str | None = None
    """Why the last attempt failed."""
    told_at: float | None = None
    """Unix seconds of the last attempt."""
    expires_at: float | None = None
    """Unix seconds."""

    @classmethod
    def of(cls, event_id: str, kind: EventType, run_id: str, begun_at: float, **what: str) -> Self:
        """A new one; ``begun_at`` (Unix seconds) is its run's."""
        newest_first = 9_999_999_999 - int(begun_at)
        identifier = f"{newest_first:010d}_{event_id}"
        made = cls(delivery_id=identifier, event_id=event_id, type=kind, run_id=run_id, **what)
        return made.model_copy(update={"expires_at": begun_at + KEPT_S})


def load_webhook(documents: Documents, ctx: RequestContext, keys: Keys) -> Webhook | None:
    """The tenant's webhook, if it has one; raises ``Unavailable`` where no key opens its secret."""
    document = documents.get(webhook_path(ctx))
    if document is None:
        return None
    data = dict(document.data)
    if SEALED in data:
        data["secret"] = _opened(data.pop(SEALED), keys)
    return Webhook.model_validate(data)


def save_webhook(documents: Documents, ctx: RequestContext, webhook: Webhook, keys: Keys) -> None:
    """Put it in its place, its secret sealed with the first of the keys; its receiver begins afresh."""
    documents.delete(f"{ctx.document_prefix}settings/webhook_receiver")
    data = webhook.model_dump(mode="json")
    if keys:
        data[SEALED] = _safe(keys).encrypt(data.pop("secret").encode()).decode()
    documents.put(webhook_path(ctx), data)


def _opened(token: str, keys: Keys) -> str:
    from cryptography.fernet import InvalidToken

    if not keys:
        raise Unavailable("RUSHES_WEBHOOK_KEY", "it is not set, and this tenant's secret is sealed")
    try:
        return _safe(keys).decrypt(token).decode()
    except InvalidToken:
        reason = "none of its keys sealed this tenant's secret"
        raise Unavailable("RUSHES_WEBHOOK_KEY", reason) from None


def _safe(keys: Keys) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def delivery_path(ctx: RequestContext, identifier: str) -> str:
    """Where a delivery lives; raises ``ValidationError`` for what is no id."""
    return f"{ctx.document_prefix}webhook_deliveries/{checked_name('delivery_id', identifier)}"


def load_delivery(documents: Documents, ctx: RequestContext, identifier: str) -> Delivery:
    """The delivery; raises ``NotFound``."""
    document = documents.get(delivery_path(ctx, identifier))
    if document is None:
        raise NotFound("delivery", identifier)
    return Delivery.model_validate(document.data)


def replay(documents: Documents, bus: Bus, ctx: RequestContext, identifier: str) -> Delivery:
    """Have it sent once more, under the same event id; raises ``NotFound``."""
    fresh = load_delivery(documents, ctx, identifier).model_copy(
        update={"state": "pending", "attempts": 0}
    )
    documents.put(delivery_path(ctx, identifier), fresh.model_dump(mode="json"))
    attributes = {"tenant": ctx.tenant_id, "env": ctx.env, "type": REPLAY, "delivery": identifier}
    bus.publish(RESULTS_TOPIC, b"", {**attributes, FOR_WEBHOOKS: "1"})
    return fresh


_ALLOWED = "; RUSHES_WEBHOOK_PRIVATE=true also allows http:// and private addresses"


def check_url(url: str, *, private: bool) -> None:
    """Refuse an address that webhooks must not go to, as far as its text shows.

    ``https``, a host, neither user nor fragment; with ``private`` also ``http``, and addresses that
    are not public. What a name resolves to is judged by whoever connects. Raises ``ValidationError``.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValidationError("url", str(error)) from None
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise ValidationError("url", f"must begin with https://{_ALLOWED}")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise ValidationError("url", "must name a host, and neither user, password nor fragment")
    if not url.isascii() or any(ord(char) <= 32 for char in url):
        raise ValidationError("url", "must be plain ASCII without spaces")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            address = ipaddress.ip_address("127.0.0.1")
        else:
            return
    if not (private or is_public(address)):
        raise ValidationError("url", f"is not a public address{_ALLOWED}")


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = tuple(
    ipaddress.ip_network(name)
    for name in ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2001:db8::/32")
)
"""IPv4 in disguises that no public receiver has: compatible (RFC 4291 2.5.5.1), translated (RFC 2765),
NAT64 for local use (RFC 8215), Teredo (RFC 4380); and what documents use."""


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Can it be reached from anywhere, and is it one machine? Also of the IPv4 inside an IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _TRANSLATED):
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        return address.is_global and not address.is_multicast and not address.is_site_local
    return address.is_global and not address.is_multicast


def shown_webhook(webhook: Webhook) -> Mapping[str, object]:
    """As it may be read again: without the secret."""
    return webhook.model_dump(mode="json", exclude={"secret"})
