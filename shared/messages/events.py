"""What messages mean: a recording has landed, a step is asked for.

The same upload may be announced by the bucket's own notification, by Eventarc, or by the sweep;
all become one ``Upload``, whose identity is bucket, key and generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.context import RequestContext
from shared.contracts.ids import object_from_outside
from shared.contracts.message import Message
from shared.contracts.model import refusal_of
from shared.contracts.step import StepRequest
from shared.contracts.upload import Upload
from shared.errors import ValidationError

_OBJECT_ATTRIBUTES = ("bucketId", "objectId", "objectGeneration")


def upload_from_message(message: Message) -> Upload | None:
    """The upload that a notification announces; ``None`` for what is not one.

    Not uploads: other event types, keys outside ``tenants/{tenant}/{env}/uploads/`` (our own
    outputs among them), folders, zero-size placeholders, audit logs that a sink sends here. Raises
    ``ValidationError`` for a message that is no notification, or an upload of an unknown or malformed
    tenant or env.
    """
    attributes = dict(message.attributes)
    if attributes.get("eventType", "OBJECT_FINALIZE") != "OBJECT_FINALIZE":
        return None
    resource = object_from_outside("message", message.data) if message.data else {}
    if "protoPayload" in resource:
        return None
    for name, field in zip(_OBJECT_ATTRIBUTES, ("bucket", "name", "generation"), strict=True):
        attributes.setdefault(name, str(resource.get(field, "")))
        if not attributes[name]:
            raise ValidationError(name, "is missing: this is no notification of an object")
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
    content = object_from_outside("message", data) if data else _from_attributes(message.attributes)
    try:
        request = StepRequest.model_validate(content)
    except PydanticError as error:
        raise refusal_of(error, "message") from None
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
        content["params"] = object_from_outside("message", content["params"])
    return content
