"""What a push request brings: Pub/Sub's envelope, Pub/Sub without one, CloudEvents, batches of them.

    the request ──> its events (a batch has several) ──> a message each, or None: nothing to do

    {"message": {...}, "subscription": ...}       Pub/Sub's wrapper
    data as the body, metadata as headers         Pub/Sub without it (``--push-no-wrapper``)
    ce-* headers, data as the body                a CloudEvent in binary mode
    {"specversion": ..., "data"|"data_base64"}    ... in structured mode
    [{"specversion": ...}, ...]                   ... several at once

A CloudEvent that was published to a topic (its ``ce-`` attributes, or itself as the data) counts as one.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.contracts.ids import checked_object, digest, json_from_outside, object_from_outside
from shared.contracts.message import Message
from shared.errors import ValidationError
from shared.lazy_log import get_logger

FINALIZED = "google.cloud.storage.object.v1.finalized"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_OTHERS = "google."
"""Google's other events (an object deleted, archived or described anew, audit logs) ask for nothing."""
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_METADATA = "x-goog-pubsub-"
_ATTRIBUTES = {
    name.lower(): name
    for name in (
        *("bucketId", "objectId", "objectGeneration", "eventType", "payloadFormat", "eventTime"),
        *("notificationConfig", "overwroteGeneration", "overwrittenByGeneration"),
        *("tenant", "env", "step", "asset", "artifact", "run", "user", "force", "params"),
        *("type", "event_id", "delivery", "code", "sweep", "traceparent", "tracestate"),
        "CloudPubSubDeadLetterSourceDeliveryCount",
        "CloudPubSubDeadLetterSourceSubscription",
        "CloudPubSubDeadLetterSourceSubscriptionProject",
        "CloudPubSubDeadLetterSourceTopicPublishTime",
    )
}
"""What our messages' attributes are called; as headers they lost the case of their letters."""

log = get_logger()


@dataclass(frozen=True)
class Event:
    """One event of a push, as if it had been pushed alone."""

    body: bytes
    headers: Mapping[str, str]
    """By their names in lower case."""


def events_of_push(body: bytes, headers: Mapping[str, str]) -> list[Event]:
    """The events of a batch, or the one that any other push is; raises ``ValidationError``."""
    lower = {name.lower(): value for name, value in headers.items()}
    if not _media_type(lower).startswith(_BATCH) and not body.lstrip().startswith(b"["):
        return [Event(body, lower)]
    batch = json_from_outside("message", body)
    if not isinstance(batch, list):
        raise ValidationError("body", "is no batch of CloudEvents: a JSON array of them")
    lower["content-type"] = _STRUCTURED
    return [Event(json.dumps(event).encode(), lower) for event in batch]


def message_of(event: Event) -> Message | None:
    """Its message; ``None`` for an event of Google's that asks for nothing.

    Raises ``ValidationError`` for what none of the forms above fits.
    """
    event = _in_binary_mode(event)
    kind = event.headers.get("ce-type")
    if kind == FINALIZED:
        return _from_storage_event(event)
    if kind is not None and kind != PUBLISHED and kind.startswith(_OTHERS):
        log.info("event.ignored", event_type=kind)
        return None
    if kind is None and any(name.startswith(_METADATA) for name in event.headers):
        return _published(_unwrapped(event, event.headers))
    content = object_from_outside("message", event.body)
    if "message" in content:
        return _published(_from_envelope(content))
    if kind is not None:
        raise ValidationError("type", f"CloudEvents of the type {kind!r} mean nothing here")
    if not {"bucket", "name"} <= content.keys() and "step" not in content:
        raise ValidationError(
            "body", "is neither a Pub/Sub push, wrapped or not, nor a CloudEvent that is known here"
        )
    return _unwrapped(event, {})


def _in_binary_mode(event: Event) -> Event:
    """A structured CloudEvent as its data and ``ce-`` headers; any other event as it is."""
    structured = _media_type(event.headers).startswith(_STRUCTURED)
    if not structured and b'"specversion"' not in event.body:
        return event
    content = object_from_outside("message", event.body)
    if not structured and not {"specversion", "type"} <= content.keys():
        return event
    told = {
        f"ce-{name}": str(value)
        for name, value in content.items()
        if name not in ("data", "data_base64")
    }
    if "ce-type" not in told:
        raise ValidationError("type", "is missing from the CloudEvent")
    kept = {name: value for name, value in event.headers.items() if name != "content-type"}
    kept["content-type"] = str(content.get("datacontenttype", "application/json"))
    return Event(_data_of(content), {**kept, **told})


def _data_of(content: Mapping[str, Any]) -> bytes:
    data, encoded = content.get("data"), content.get("data_base64")
    if data is None and encoded is not None:
        return _from_base64("data_base64", encoded)
    if isinstance(data, str):
        return data.encode(errors="replace")
    return b"" if data is None else json.dumps(data).encode()


def _from_envelope(envelope: Mapping[str, Any]) -> Message:
    message = checked_object("message", envelope["message"])
    attributes = checked_object("message.attributes", message.get("attributes") or {})
    return Message(
        message_id=str(message.get("messageId") or message.get("message_id") or ""),
        data=_from_base64("message.data", message.get("data") or ""),
        attributes={str(name): str(value) for name, value in attributes.items()},
        delivery_attempt=_attempt(envelope.get("deliveryAttempt")),
        published_at=_time(message.get("publishTime") or message.get("publish_time")),
    )


def _unwrapped(event: Event, headers: Mapping[str, str]) -> Message:
    """Data and, where the subscription writes metadata, its headers.

    Where it does not, the message is known by its data: the same again is the same message.
    """
    attributes = {}
    for header, value in headers.items():
        name = header.removeprefix(_METADATA)
        known = _ATTRIBUTES.get(name) or _ATTRIBUTES.get(name.replace("-", "_"))
        if known:
            attributes[known] = _as_utf8(value)
    return Message(
        message_id=headers.get(f"{_METADATA}message-id") or f"data-{digest(event.body.hex())[:32]}",
        data=event.body,
        attributes=attributes,
        delivery_attempt=_attempt(headers.get(f"{_METADATA}delivery-attempt")),
        published_at=_time(headers.get(f"{_METADATA}publish-time")),
    )


def _published(message: Message) -> Message | None:
    """The message, or what the CloudEvent means that was published in it."""
    headers = {name.lower(): value for name, value in message.attributes.items()}
    if "ce-type" not in headers and not _media_type(headers).startswith(_STRUCTURED):
        return message
    meant = message_of(Event(message.data, headers))
    return meant and replace(
        meant,
        message_id=message.message_id,
        delivery_attempt=message.delivery_attempt,
        published_at=message.published_at,
    )


def _from_storage_event(event: Event) -> Message:
    if "protobuf" in _media_type(event.headers):
        raise ValidationError(
            "datacontenttype", "is protobuf: set the trigger's to application/json"
        )
    resource = object_from_outside("message", event.body)
    return Message(
        message_id=event.headers.get("ce-id", ""),
        data=json.dumps(resource).encode(),
        attributes={
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": str(resource.get("bucket") or event.headers.get("ce-bucket", "")),
            "objectId": str(resource.get("name", "")),
            "objectGeneration": str(resource.get("generation", "")),
        },
    )


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").strip().lower()


def _as_utf8(value: str) -> str:
    """A header's text: WSGI hands its bytes over as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _from_base64(field: str, text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValidationError(field, f"is not base64: {error}") from None


def _attempt(value: object) -> int:
    try:
        return int(value or 1)  # type: ignore[call-overload, no-any-return]
    except (ValueError, TypeError, OverflowError):
        raise ValidationError("deliveryAttempt", "is not a number") from None


def _time(published: object) -> float | None:
    """Unix seconds."""
    if not published:
        return None
    try:
        return datetime.fromisoformat(str(published)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValidationError("publishTime", str(error)) from None
