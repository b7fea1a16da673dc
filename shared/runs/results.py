"""What the ``results`` topic tells the console, webhooks and users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, digest, digest_of_json
from shared.contracts.step import StepRecord, StepState
from shared.contracts.topics import FOR_WEBHOOKS, RESULTS_TOPIC
from shared.errors import NotFound
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.steps.storing import artifact_path

_TOLD = {"artifact_id", "kind", "uri", "content_type", "sha256", "bytes"}
"""What is told of an artifact: of thousands, a message would not hold the meta."""


def webhook_path(ctx: RequestContext) -> str:
    """Where the tenant's and env's wish to be told lives."""
    return f"{ctx.document_prefix}settings/webhooks"


def publish_settled(
    home: Home,
    ctx: RequestContext,
    run_id: str,
    record: StepRecord,
    made: Iterable[Artifact] = (),
    told_before: Sequence[str] = (),
) -> None:
    """Publish ``step.finished`` or ``step.failed``, with the artifacts that are new: one message a step.

    ``told_before``: the ids of those that may have been told already, which are read. The event id derives
    from what happened, so a repeated delivery repeats the id. Raises ``NotFound`` for one that is gone.
    """
    named = [artifact_path(ctx, identifier) for identifier in told_before]
    found = home.documents.get_all([webhook_path(ctx), *named], fields=_TOLD)
    again = [_told_again(found, path) for path in named]
    event = {
        "type": "step.failed" if record.state is StepState.FAILED else "step.finished",
        "tenant_id": ctx.tenant_id,
        "env": ctx.env,
        "run_id": run_id,
        **record.model_dump(mode="json", exclude={"spent_s"}),
        "artifacts": [*(one.model_dump(mode="json", include=_TOLD) for one in made), *again],
    }
    told = canonical_json(event)
    attributes = {
        "tenant": ctx.tenant_id,
        "env": ctx.env,
        "step": record.step,
        "type": event["type"],
        "event_id": digest_of_json(told)[:32],
    }
    if webhook_path(ctx) in found:
        attributes[FOR_WEBHOOKS] = "1"
    home.bus.publish(RESULTS_TOPIC, told.encode(), attributes)


def _told_again(found: Mapping[str, Document], path: str) -> dict[str, Any]:
    if path not in found:
        raise NotFound("artifact", path.rpartition("/")[2])
    data = found[path].data
    return {name: data[name] for name in _TOLD}


def created_event_id(run_id: str, step: str, artifact_id: str) -> str:
    """Of ``artifact.created``, which webhooks make of a step's message: the same however often it is told."""
    return digest("artifact.created", run_id, step, artifact_id)[:32]
