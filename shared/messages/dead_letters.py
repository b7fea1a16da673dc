"""Dead letters: what was given up, with the reason, kept so that it can be sent again.

Whoever gives a message up publishes it to the dead topic (``bury``); Pub/Sub does the same with
what no function could even receive. The sweep function records both as documents (``keep``), where
the operator lists them and sends them again (``redrive``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ConfigDict

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.contracts.model import Model
from shared.contracts.step import StepRecord
from shared.contracts.topics import UPLOADS_TOPIC, steps_topic
from shared.errors import NotFound, Permanent, ValidationError
from shared.homes.documents import Documents
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.messages.events import request_from_message, upload_from_message
from shared.pipeline import BY_NAME, PROBE, followers
from shared.runs.planning import fail_step
from shared.runs.records import change_run, load_run, open_upload_run, upload_run_id
from shared.steps.claims import forgive
from shared.steps.step_records import load_records, record_path

UNATTRIBUTED = "unattributed/letters/dead_letters"
"""The collection of letters that name no valid tenant: for the operator alone."""
KEPT_S = 90 * 24 * 3600
"""So long after it was buried a letter is kept, where the document store removes what expires."""
LARGEST_BASE64 = 800_000
"""A letter is a document. No request is as large; what is was never one of ours."""
TOO_LARGE = {"code": "undeliverable", "message": "the message is too large to be kept"}
_FORWARDED = "CloudPubSubDeadLetter"


class DeadLetter(Model):
    """One message that was given up."""

    model_config = ConfigDict(frozen=True)

    letter_id: str
    code: str
    error: Mapping[str, Any] | None = None
    step: str | None = None
    asset_id: str | None = None
    """Whose request it was, so that it goes with the asset."""
    topic: str | None = None
    """Where it would be sent again; ``None``: nobody would understand it."""
    cache_key: str | None = None
    """Of the claim that remembers the failure."""
    data_base64: str
    attributes: Mapping[str, str]
    buried_at: float
    """Unix seconds."""
    expires_at: float | None = None
    """Unix seconds; ``None``: nobody knows when it was buried."""
    redriven: int = 0


def keep(home: Home, message: Message) -> DeadLetter:
    """Record what arrived on the dead topic, and fail the step whose request it was.

    The same message again lands on its own record.
    """
    letter = _letter(message)
    _tell_run(home, letter)
    collection = _collection(_named(letter.data_base64, letter.attributes))
    home.documents.put(f"{collection}/{letter.letter_id}", letter.model_dump(mode="json"))
    return letter


def _letter(message: Message) -> DeadLetter:
    if any(name.startswith(_FORWARDED) for name in message.attributes):
        attributes = {
            name: value
            for name, value in message.attributes.items()
            if not name.startswith(_FORWARDED)
        }
        content: dict[str, Any] = {
            "data_base64": base64.b64encode(message.data).decode(),
            "attributes": attributes,
        }
        code = "undeliverable"
    else:
        content = _content(message.data)
        code = message.attributes.get("code", "unknown")
    if len(content["data_base64"]) > LARGEST_BASE64:
        content |= {"data_base64": "", "error": TOO_LARGE, "attributes": {}}
    named = _named(content["data_base64"], content["attributes"])
    return DeadLetter(
        letter_id=digest(content["data_base64"], content["attributes"])[:32],
        code=code,
        step=named.get("step"),
        asset_id=named.get("asset"),
        topic=_topic(named),
        buried_at=message.published_at or 0.0,
        expires_at=message.published_at and message.published_at + KEPT_S,
        **content,
    )


def _content(data: bytes) -> dict[str, Any]:
    """What ``bury`` wrote; of anything else the message itself, for nothing is buried twice."""
    try:
        told = json.loads(data)
        return {name: told[name] for name in ("error", "cache_key", "data_base64", "attributes")}
    except (ValueError, KeyError, TypeError):
        return {"data_base64": base64.b64encode(data).decode(), "attributes": {}}


_IN_DATA = {
    "tenant": "tenant_id",
    "env": "env",
    "step": "step",
    "asset": "asset_id",
    "objectId": "name",
}
"""Attribute -> where a request, or a notification, says the same."""


def _named(data_base64: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Whose message it is and what it asks for: by its attributes, and what they lack by its data, for either
    is enough where it is worked on.
    """
    data = _json_object(data_base64) or {}
    said = {name: data.get(field) for name, field in _IN_DATA.items()}
    if "bucket" not in data:  # a request has no object
        del said["objectId"]
    return {**{name: text for name, text in said.items() if isinstance(text, str)}, **attributes}


def _json_object(data_base64: str) -> dict[str, Any] | None:
    """What the message says beside its attributes; ``None`` where that is no JSON object."""
    try:
        told = json.loads(base64.b64decode(data_base64) or b"{}")
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _tell_run(home: Home, letter: DeadLetter) -> None:
    """A run must not wait for ever for what was given up before its step could be recorded."""
    message = Message("", base64.b64decode(letter.data_base64), letter.attributes)
    error = letter.error or {"code": letter.code, "message": "no function could receive it"}
    try:
        if letter.topic == UPLOADS_TOPIC:
            upload = upload_from_message(message)
            if upload is not None:
                open_upload_run(home.documents, upload, upload.name, at=letter.buried_at)
                fail_step(home, upload.ctx, upload_run_id(upload), PROBE, error)
        elif letter.topic is not None:
            request = request_from_message(message)
            if request.run_id is not None:
                fail_step(home, request.context, request.run_id, request.step, error)
    except Permanent:  # it names no run: the letter is all that can be kept
        return


def _topic(attributes: Mapping[str, str]) -> str | None:
    if "objectId" in attributes:
        return UPLOADS_TOPIC
    row = BY_NAME.get(attributes.get("step", ""))
    return steps_topic(row.function) if row else None


def _collection(attributes: Mapping[str, str]) -> str:
    tenant, env = attributes.get("tenant"), attributes.get("env")
    if "objectId" in attributes:
        parts = [*attributes["objectId"].split("/"), "", ""]
        tenant, env = parts[1], parts[2]
    try:
        return f"{RequestContext.of(tenant, env).document_prefix}dead_letters"
    except ValidationError:
        return UNATTRIBUTED


def dead_letters(documents: Documents, ctx: RequestContext | None) -> Iterator[DeadLetter]:
    """A tenant's dead letters, or with ``None`` those that name no valid tenant; not damaged ones."""
    collection = f"{ctx.document_prefix}dead_letters" if ctx else UNATTRIBUTED
    yield from (letter for _, letter in readable(documents.list(collection), DeadLetter))


def what_to_do(letter: DeadLetter) -> str | None:
    """Why a letter would be given up again however often it is sent, and what to do instead; ``None``: send
    it again.
    """
    if letter.error == TOO_LARGE:
        return "its content was too large to be kept: whoever sent it has to send it again, smaller"
    named = _named(letter.data_base64, letter.attributes)
    attributed = _collection(named) != UNATTRIBUTED
    is_json = _json_object(letter.data_base64) is not None
    if "objectId" in named:
        astray = f"the object {named['objectId']} lies in no tenant's folder"
        told = "it is not JSON" if attributed else astray
        instead = "upload the recording again, or copy it below tenants/TENANT/ENV/uploads/"
    elif letter.topic is None:
        step = letter.step or "none"
        told = f"it {'' if is_json else 'is not JSON, and '}names no step of this release ({step})"
        instead = "ask for a step that there is: `rushes reprocess ASSET --step S`"
    elif attributed:
        told, instead = (
            "it is not JSON",
            f"ask again: `rushes reprocess ASSET --step {letter.step}`",
        )
    else:
        told = "it names no tenant and env that can be"
        instead = "ask again as a tenant: `rushes reprocess ASSET --step S --tenant T --env E`"
    helps = attributed and is_json and letter.topic is not None
    return None if helps else f"{told}: {instead}"


def redrive(home: Home, ctx: RequestContext, letter: DeadLetter) -> None:
    """Send a dead letter again, its remembered failure forgotten.

    Raises ``ValidationError`` for a letter that would be given up again, with what to do instead.
    """
    instead = what_to_do(letter)
    if instead is not None or letter.topic is None:
        raise ValidationError("letter", f"sending it again would not help: {instead}")
    _forget_failure(home.documents, ctx, letter)
    home.bus.publish(letter.topic, base64.b64decode(letter.data_base64), letter.attributes)
    home.documents.put(
        f"{ctx.document_prefix}dead_letters/{letter.letter_id}",
        letter.model_copy(update={"redriven": letter.redriven + 1}).model_dump(mode="json"),
    )


def _forget_failure(documents: Documents, ctx: RequestContext, letter: DeadLetter) -> None:
    """Let the step, and what was skipped for its sake, be asked for afresh."""
    if letter.cache_key:
        forgive(documents, ctx, letter.cache_key)
    try:
        run_id, given_up = _run_and_step(letter)
        run = load_run(documents, ctx, run_id)
    except Permanent:  # it names no run, or one that is gone: the message alone is sent again
        return
    records = load_records(documents, ctx, run_id)
    ahead = [given_up]
    while ahead:
        step = ahead.pop()
        if step in records and not records[step].state.delivered:
            fresh = StepRecord(step=step, lease_generation=records[step].lease_generation)
            documents.put(record_path(ctx, run_id, step), fresh.model_dump(mode="json"))
        ahead.extend(row.name for row in followers(step, run.planned))
    with suppress(NotFound):
        change_run(documents, ctx, run_id)  # whoever keeps how it ended reads it again


def _run_and_step(letter: DeadLetter) -> tuple[str, str]:
    """Which run waits for the letter, and for which step of it; raises ``NotFound``."""
    data = base64.b64decode(letter.data_base64)
    if letter.topic == UPLOADS_TOPIC:
        upload = upload_from_message(Message("", data, letter.attributes))
        if upload is not None:
            return upload_run_id(upload), PROBE
    run_id = json.loads(data or "{}").get("run_id") or letter.attributes.get("run")
    if not run_id or letter.step is None:
        raise NotFound("run of the letter", letter.letter_id)
    return str(run_id), letter.step
