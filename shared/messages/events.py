"""What arrives: Pub/Sub's push envelope, Eventarc's CloudEvents, and what they say of an object.

The same upload may be announced by the bucket's own notification, by Eventarc, or by the sweep;
all become one ``Upload``, whose identity is bucket, key and generation.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.contracts.upload import Upload
from shared.errors import ValidationError

FINALIZED = "google.cloud.storage.object.v1.finalized"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_OBJECT_ATTRIBUTES = ("bucketId", "objectId", "objectGeneration")


def message_from_push(body: bytes, headers: Mapping[str, str]) -> Message:
    """The message in a push request, whichever of the three forms it has.

    Pub/Sub's wrapped envelope ``{"message": {...}, "deliveryAttempt": n}``; a CloudEvent around the
    same, binary or structured; Eventarc's storage event, turned into the notification's attributes.
    Raises ``ValidationError``.
    """
    content = _json_object(body)
    lower = {name.lower(): value for name, value in headers.items()}
    if "specversion" in content and "data" in content:  # a structured CloudEvent
        lower |= {f"ce-{name}": str(value) for name, value in content.items() if name != "data"}
        content = _object("data", content["data"])
    if lower.get("ce-type") == FINALIZED:
        return _from_storage_event(content, lower)
    if "message" not in content:
        raise ValidationError("body", "is neither a Pub/Sub push envelope nor a CloudEvent")
    return _from_envelope(content)


def _from_envelope(envelope: Mapping[str, Any]) -> Message:
    message = _object("message", envelope["message"])
    attributes = _object("message.attributes", message.get("attributes") or {})
    published = message.get("publishTime") or message.get("publish_time")
    try:
        data = base64.b64decode(message.get("data") or "", validate=True)
        attempt = int(envelope.get("deliveryAttempt") or 1)
        published_at = datetime.fromisoformat(published).timestamp() if published else None
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValidationError("message", str(error)) from None
    return Message(
        message_id=str(message.get("messageId") or message.get("message_id") or ""),
        data=data,
        attributes={str(name): str(value) for name, value in attributes.items()},
        delivery_attempt=attempt,
        published_at=published_at,
    )


def _from_storage_event(resource: Mapping[str, Any], headers: Mapping[str, str]) -> Message:
    return Message(
        message_id=headers.get("ce-id", ""),
        data=json.dumps(resource).encode(),
        attributes={
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": str(resource.get("bucket") or headers.get("ce-bucket", "")),
            "objectId": str(resource.get("name", "")),
            "objectGeneration": str(resource.get("generation", "")),
        },
    )


def upload_from_message(message: Message) -> Upload | None:
    """The upload that a notification announces; ``None`` for what is not one.

    Not uploads: other event types, keys outside ``tenants/{tenant}/{env}/uploads/`` (our own
    outputs among them), folders, zero-size placeholders. Raises ``ValidationError`` for a message
    that is no notification, or an upload of an unknown or malformed tenant or env.
    """
    attributes = dict(message.attributes)
    resource = _json_object(message.data) if message.data else {}
    for name, field in zip(_OBJECT_ATTRIBUTES, ("bucket", "name", "generation"), strict=True):
        attributes.setdefault(name, str(resource.get(field, "")))
        if not attributes[name]:
            raise ValidationError(name, "is missing: this is no notification of an object")
    if attributes.get("eventType", "OBJECT_FINALIZE") != "OBJECT_FINALIZE":
        return None
    key = attributes["objectId"]
    parts = key.split("/", 4)
    if len(parts) < 5 or parts[0] != "tenants" or parts[3] != "uploads":
        return None
    if not parts[4] or key.endswith(("/", "_$folder$")) or str(resource.get("size")) == "0":
        return None
    try:
        generation = int(attributes["objectGeneration"])
    except ValueError:
        raise ValidationError("objectGeneration", "is not a number") from None
    return Upload(RequestContext.of(parts[1], parts[2]), attributes["bucketId"], key, generation)


def request_from_message(message: Message) -> StepRequest:
    """The step request in a message: its JSON, or where that is empty its attributes alone.

    As attributes: ``tenant, env, step, asset`` and, where wanted, ``artifact, run, user, force,
    params`` (JSON). Raises ``ValidationError`` naming the field, or ``CrossTenant`` where the
    attributes name another tenant or env than the JSON.
    """
    data = message.data
    content = _json_object(data) if data else _from_attributes(message.attributes)
    try:
        request = StepRequest.model_validate(content)
    except PydanticError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "message"
        raise ValidationError(field, first["msg"]) from None
    names = {"tenant": "tenant_id", "env": "env"}
    request.context.check_payload(
        {field: message.attributes.get(name) for name, field in names.items()}
    )
    return request


def _from_attributes(attributes: Mapping[str, str]) -> dict[str, Any]:
    renamed = {
        "tenant": "tenant_id",
        "asset": "asset_id",
        "artifact": "artifact_id",
        "run": "run_id",
        "user": "user_id",
    }
    known = {*renamed, "env", "step", "force", "params"}
    content: dict[str, Any] = {
        renamed.get(name, name): value for name, value in attributes.items() if name in known
    }
    if "params" in content:
        content["params"] = _json_object(content["params"])
    return content


def _json_object(text: bytes | str) -> dict[str, Any]:
    try:
        return _object("message", json.loads(text))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValidationError("message", f"is not JSON: {error}") from None


def _object(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValidationError(field, "is not a JSON object")
    return value
