"""What the ``results`` topic tells the console, webhooks and users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, digest
from shared.contracts.step import StepRecord, StepState
from shared.contracts.topics import RESULTS_TOPIC
from shared.homes.home import Home


def publish_settled(
    home: Home, ctx: RequestContext, run_id: str, record: StepRecord, made: Iterable[Artifact] = ()
) -> None:
    """Publish ``step.finished`` or ``step.failed``, after ``artifact.created`` for what is new.

    The event id derives from what happened, so a repeated delivery repeats the id.
    """
    for artifact in made:
        content = {"run_id": run_id, "step": record.step, **artifact.model_dump(mode="json")}
        _publish(home, ctx, "artifact.created", content)
    failed = record.state is StepState.FAILED
    content = {"run_id": run_id, **record.model_dump(mode="json")}
    _publish(home, ctx, "step.failed" if failed else "step.finished", content)


def _publish(home: Home, ctx: RequestContext, kind: str, content: dict[str, Any]) -> None:
    event = {"type": kind, "tenant_id": ctx.tenant_id, "env": ctx.env, **content}
    attributes = {
        "tenant": ctx.tenant_id,
        "env": ctx.env,
        "step": str(content["step"]),
        "type": kind,
        "event_id": digest(event)[:32],
    }
    home.bus.publish(RESULTS_TOPIC, canonical_json(event).encode(), attributes)
