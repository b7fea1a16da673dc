"""From a message on ``results`` to deliveries: which there are, how often each was tried.

    (absent) --> pending --2xx--> delivered          told once; the same event again changes nothing
                 |   ^  \\--12th attempt--> failed    kept, to be replayed
                 +---+  no 2xx: the message comes again, and is tried once its pause is over

Pauses double from a second to ten minutes: 1, 2, 4 ... 512, 600 s, so that the twelfth attempt comes 27
minutes after the first at the earliest. They are the delivery's own, because each last message of
a run finds that the run has finished, and they all would try. Beside them each receiver has its own pause
(``_Receiver``), by the same rule over its failures in a row: while it lasts, no delivery is tried.

An attempt is noted before it is made and once more after it: a worker that dies in between has used it up,
and the receiver may get the event twice, under one id.

What is sent is read from the run when it is sent, so that it is what ``GET /runs/{id}`` says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from functions.webhooks.sending import Unreachable, send
from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, digest
from shared.contracts.message import Message
from shared.contracts.model import Model
from shared.contracts.step import Run
from shared.errors import Conflict, NotFound, Unavailable, ValidationError
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.messages.webhooks import (
    REPLAY,
    Delivery,
    Webhook,
    delivery_path,
    load_delivery,
    load_webhook,
)
from shared.runs.records import finished, load_run
from shared.runs.results import created_event_id
from shared.runs.stored_json import public_run
from shared.runs.views import public_artifact
from shared.steps.step_records import load_records
from shared.steps.storing import load_artifact

MAX_ATTEMPTS = 12
"""After so many a delivery has failed, until it is replayed. More bridge a longer outage; each is one more
message that comes again."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
"""Where doubling ends: longer ones would tell a receiver that is back later, shorter ones cost more tries."""

log = get_logger()


def tell(message: Message, home: Home) -> None:
    """Tell what the message says, unless it has been told or nobody wants to know.

    Raises ``Unavailable`` to have the message come again, where any of its deliveries still waits: the others
    are told all the same, and found as told then. Raises ``ValidationError`` for a message without a valid
    tenant and env, without an event, or for a replay without its delivery.
    """
    ctx = RequestContext.of(message.attributes.get("tenant"), message.attributes.get("env"))
    webhook = load_webhook(home.documents, ctx, home.settings.webhook_keys)
    if webhook is None:
        return
    try:
        due = list(_due(message, home, ctx, webhook))
    except NotFound:
        log.info("webhook.gone")  # erased since: there is nothing left to tell
        return
    waiting = [delivery for delivery in due if not _tell_one(home, ctx, webhook, delivery)]
    if waiting:
        raise Unavailable("the webhook", waiting[0].error or "it did not answer")


def _due(message: Message, home: Home, ctx: RequestContext, webhook: Webhook) -> Iterator[Delivery]:
    """What of this message is to be told, as its records stand or anew.

    One for each new artifact, one for the step, and one for the run where it has finished, as far as the
    webhook's ``events`` ask for them. A replay is the one delivery that it names. Raises ``NotFound``
    where the run, or that delivery, is gone, ``ValidationError`` for what is neither.
    """
    if message.attributes.get("type") == REPLAY:
        named = message.attributes.get("delivery")
        if named is None:
            raise ValidationError("message", "is a replay that names no delivery")
        yield load_delivery(home.documents, ctx, named)
        return
    event = _event(message)
    run = load_run(home.documents, ctx, event["run_id"])
    if "artifact.created" in webhook.events:
        for artifact in event.get("artifacts", ()):
            yield _standing(home, ctx, _created(run, event["step"], artifact["artifact_id"]))
    if event["type"] in webhook.events:
        event_id = message.attributes.get("event_id") or digest(event)[:32]
        what = {"step": event["step"]}
        yield _standing(
            home, ctx, Delivery.of(event_id, event["type"], run.run_id, run.created_at, **what)
        )
    if "run.finished" in webhook.events:
        records = load_records(home.documents, ctx, run.run_id)
        if finished(run, records):
            event_id = _finish_id(run.run_id, records)
            yield _standing(
                home, ctx, Delivery.of(event_id, "run.finished", run.run_id, run.created_at)
            )


def _created(run: Run, step: str, artifact_id: str) -> Delivery:
    event_id = created_event_id(run.run_id, step, artifact_id)
    return Delivery.of(
        event_id, "artifact.created", run.run_id, run.created_at, step=step, artifact_id=artifact_id
    )


def _event(message: Message) -> Mapping[str, Any]:
    """The message's data, which name at least a type, a run and a step; raises ``ValidationError``."""
    try:
        event = json.loads(message.data)
        if {"type", "run_id", "step"} <= event.keys():
            return dict(event)
    except (ValueError, AttributeError):
        pass
    raise ValidationError("message", "is none of the events that are told")


def _finish_id(run_id: str, records: Mapping[str, Any]) -> str:
    """The same for the same end of a run; a redriven step gives it another end."""
    ends = {name: record.model_dump(mode="json") for name, record in records.items()}
    return digest("run.finished", run_id, ends)[:32]


def _standing(home: Home, ctx: RequestContext, fresh: Delivery) -> Delivery:
    """The delivery of that id as it was left; ``fresh`` itself where there is none yet."""
    document = home.documents.get(delivery_path(ctx, fresh.delivery_id))
    return Delivery.model_validate(document.data) if document else fresh


def _tell_one(home: Home, ctx: RequestContext, webhook: Webhook, delivery: Delivery) -> bool:
    """Try once, and record it; ``False`` if it must be tried again.

    ``True`` also for one that has been delivered or given up before. It is not tried, and no attempt is
    counted, within its own pause or its receiver's. Any status from 200 to 299 is an answer; a redirect,
    which nobody follows, is none.
    """
    if delivery.state != "pending":
        return True
    if delivery.told_at is not None and _too_soon(delivery.told_at, _pause_s(delivery)):
        return False
    body = canonical_json(
        {
            "type": delivery.type,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": _data(home, ctx, delivery),
        }
    )
    if not _may_try(home, ctx):
        return False
    tried: dict[str, Any] = {"attempts": delivery.attempts + 1, "told_at": time.time()}
    begun = delivery.model_copy(update=tried)  # before it is sent: a worker may not live to note it
    home.documents.put(delivery_path(ctx, begun.delivery_id), begun.model_dump(mode="json"))
    try:
        status = send(webhook, delivery.event_id, body, private=home.settings.webhook_private)
        tried |= {"status": status}
        ok, refused = 200 <= status < 300, f"it answered {status}"
    except Unreachable as error:
        ok, refused = False, str(error)
    _note_receiver(home, ctx, ok=ok)
    if ok:
        tried |= {"state": "delivered", "error": None}
    else:
        given_up = tried["attempts"] >= MAX_ATTEMPTS
        tried |= {"error": refused, "state": "failed" if given_up else "pending"}
    told = delivery.model_copy(update=tried)
    home.documents.put(delivery_path(ctx, told.delivery_id), told.model_dump(mode="json"))
    log.info("webhook.told", outcome=told.state, attempts=told.attempts, status=told.status)
    return told.state != "pending"


def _too_soon(tried_at: float, pause_s: float) -> bool:
    """A try in the future was noted by a clock that stood ahead: nobody waits for it."""
    return 0 <= time.time() - tried_at < pause_s


def _pause_s(delivery: Delivery) -> float:
    """After its last attempt; none before the first, or before a replay."""
    return _pause_after_s(delivery.attempts)


def _pause_after_s(failures: int) -> float:
    """Seconds after so many failures in a row: 0 after none, then doubling from the first pause on."""
    return float(min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S)) if failures else 0.0


class _Receiver(Model):
    """How a tenant's receiver has been of late: one that fails is tried by one worker at a time."""

    failures: int = 0
    """In a row."""
    tried_at: float = 0.0
    """Unix seconds."""


def _receiver_path(ctx: RequestContext) -> str:
    return f"{ctx.document_prefix}settings/webhook_receiver"


def _may_try(home: Home, ctx: RequestContext) -> bool:
    """Whether the receiver answers, as far as is known; of one that did not, whether it is our turn.

    Hundreds of events wait for a receiver that holds its callers up, and would hold every worker.
    """
    document = home.documents.get(_receiver_path(ctx))
    known = _Receiver.model_validate(document.data) if document else _Receiver()
    if document is None or not known.failures:
        return True
    if _too_soon(known.tried_at, _pause_after_s(known.failures)):
        return False
    ours = known.model_copy(update={"tried_at": time.time()})
    try:
        home.documents.update(document.path, ours.model_dump(), version=document.version)
    except Conflict:
        return False
    return True


def _note_receiver(home: Home, ctx: RequestContext, *, ok: bool) -> None:
    """Count the receiver's failures, or forget them; one that has none and answers costs no write.

    Written whatever stands there: of two failures at once one may not be counted, which shortens a pause.
    """
    document = home.documents.get(_receiver_path(ctx))
    known = _Receiver.model_validate(document.data) if document else _Receiver()
    if ok and not known.failures:
        return
    now = _Receiver(failures=0 if ok else known.failures + 1, tried_at=time.time())
    home.documents.put(_receiver_path(ctx), now.model_dump())


def _data(home: Home, ctx: RequestContext, delivery: Delivery) -> dict[str, Any]:
    """What stands under ``data``: the artifact, the run with the one step, or the whole run."""
    if delivery.artifact_id is not None:
        return public_artifact(load_artifact(home.documents, ctx, delivery.artifact_id))
    run = public_run(home, ctx, delivery.run_id)
    if delivery.step is not None:
        run["steps"] = [step for step in run["steps"] if step["step"] == delivery.step]
    return run
