"""What a tenant keeps here: timelines, clips, settings, the webhook; and dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import ConfigDict, Field
from pydantic_core import to_json

from functions.api.answers import Paged, PreconditionFailed, answer, etag_of, if_match, merged
from functions.api.idempotency import OneTime
from functions.api.identity import Caller
from shared.contracts.clip import Clip
from shared.contracts.context import RequestContext
from shared.contracts.ids import NAME_PATTERN, StepName
from shared.contracts.model import RequestBody
from shared.editing.clips import register_clip
from shared.editing.timelines import (
    StoredTimeline,
    delete_timeline,
    load_timeline,
    store_timeline,
)
from shared.errors import Conflict, NotFound
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.homes.tenant_limits import max_input_bytes, settings_path, tenant_settings
from shared.messages.dead_letters import DeadLetter, redrive
from shared.messages.webhooks import (
    SECRET_PATTERN,
    Delivery,
    EventType,
    Webhook,
    check_url,
    load_webhook,
    replay,
    save_webhook,
    shown_webhook,
)
from shared.pipeline import PROBE, step_named, with_needs
from shared.runs.results import webhook_path
from shared.steps.preparing import check_params

Id = Annotated[str, Path(pattern=NAME_PATTERN)]
TimelineBody = Annotated[dict[str, Any], Body(title="Timeline")]
"""Checked when it is stored, whole; the OpenAPI document shows ``Timeline``."""


class PipelineSettings(RequestBody):
    """What runs on every upload of the tenant and env, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[StepName, ...] | None = Field(None, description="`null`: the default steps.")
    params: dict[StepName, dict[str, Any]] = Field(default_factory=dict)


class WebhookWish(RequestBody):
    """Where to tell what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(max_length=2000)
    events: tuple[EventType, ...] = ("run.finished", "step.failed")
    secret: str | None = Field(None, pattern=SECRET_PATTERN)


def routes(home: Home) -> APIRouter:
    """The endpoints of what is kept."""
    router = APIRouter()
    for section in (_timelines, _clips, _pipeline, _webhooks, _letters):
        router.routes.extend(section(home).routes)
    return router


def _timelines(home: Home) -> APIRouter:
    router = APIRouter(tags=["timelines"])
    documents = home.documents

    @router.get("/timelines")
    def timelines(request: Request, ctx: Caller, page: Paged) -> Response:
        """The stored timelines, by id."""
        found, following = page.of(home, f"{ctx.document_prefix}timelines")
        return answer(request, merged([_row(one) for one in found], "timelines", following))

    @router.post("/timelines", status_code=201)
    def add(request: Request, ctx: Caller, once: OneTime, body: TimelineBody) -> Response:
        """Store a timeline under a new id."""
        once.check(documents, body)
        stored, _ = store_timeline(documents, ctx, once.identifier("tml"), body)
        return _shown(request, stored, status=201)

    @router.get("/timelines/{timeline_id}")
    def timeline(request: Request, ctx: Caller, timeline_id: Id) -> Response:
        """One timeline."""
        return _shown(request, load_timeline(documents, ctx, timeline_id))

    @router.put("/timelines/{timeline_id}")
    def put(request: Request, ctx: Caller, timeline_id: Id, body: TimelineBody) -> Response:
        """Store it, in place of what stands; `If-Match` protects what somebody else has changed."""
        wanted = if_match(request)
        try:
            stored, new = store_timeline(documents, ctx, timeline_id, body, if_version=wanted)
        except Conflict as error:
            raise _precondition(error, wanted) from None
        return _shown(request, stored, status=201 if new else 200)

    @router.delete("/timelines/{timeline_id}", status_code=204)
    def delete(request: Request, ctx: Caller, timeline_id: Id) -> Response:
        """Remove it."""
        wanted = if_match(request)
        try:
            delete_timeline(documents, ctx, timeline_id, if_version=wanted)
        except Conflict as error:
            raise _precondition(error, wanted) from None
        return Response(status_code=204)

    return router


def _row(document: Document) -> dict[str, Any]:
    links = {"self": f"/timelines/{document.id}"}
    return {"timeline_id": document.id, "name": document.data["name"], "links": links}


def _shown(request: Request, stored: StoredTimeline, *, status: int = 200) -> Response:
    content = {
        "timeline_id": stored.timeline_id,
        "timeline": stored.content,
        "links": {"self": f"/timelines/{stored.timeline_id}"},
    }
    return answer(request, content, status=status, ETag=f'"{stored.version}"')


def _precondition(error: Conflict, wanted: str | None) -> Conflict:
    return PreconditionFailed(error.message) if wanted is not None else error


def _clips(home: Home) -> APIRouter:
    router = APIRouter(tags=["clips"])

    @router.post("/clips", status_code=201)
    def clip(request: Request, ctx: Caller, body: Clip) -> Response:
        """Register a window of a recording; the same again is the same id."""
        clip_id = register_clip(home.documents, ctx, body)
        links = {"semantic_timeline": f"/audio/semantic-timeline/by-clip/{clip_id}"}
        content = {"clip_id": clip_id, **body.model_dump(mode="json"), "links": links}
        return answer(request, content, status=201, Location=f"/clips/{clip_id}")

    return router


def _pipeline(home: Home) -> APIRouter:
    router = APIRouter(tags=["settings"])

    @router.get("/settings")
    def everything(request: Request, ctx: Caller) -> Response:
        """All that the tenant and env has set: what runs on every upload; where it is told, or `null`."""
        told = load_webhook(home.documents, ctx, home.settings.webhook_keys)
        webhook = shown_webhook(told) if told else None
        return answer(request, {"pipeline": _shown_settings(home, ctx), "webhook": webhook})

    @router.get("/settings/pipeline")
    def settings(request: Request, ctx: Caller) -> Response:
        """What runs on every upload."""
        return answer(request, _shown_settings(home, ctx))

    @router.put("/settings/pipeline")
    def change(request: Request, ctx: Caller, body: PipelineSettings) -> Response:
        """Change what runs on every upload."""
        with_needs(name for name in (*(body.steps or ()), *body.params) if name != PROBE)
        for step in {*(body.steps or ()), *body.params} - {
            PROBE
        }:  # an effect, say, that is not named
            check_params(home, step_named(step), body.params.get(step, {}))
        path = settings_path(ctx)
        standing = home.documents.get(path)
        wanted = if_match(request)
        if wanted is not None and f'"{wanted}"' != etag_of(to_json(_shown_settings(home, ctx))):
            raise PreconditionFailed("the settings have changed")
        kept = {
            name: value
            for name, value in (standing.data.items() if standing else ())
            if name not in PipelineSettings.model_fields
        }
        told = body.model_dump(mode="json")
        if told["steps"] is None:
            del told["steps"]
        _write(home, path, {**kept, **told}, standing)
        return answer(request, _shown_settings(home, ctx))

    return router


def _shown_settings(home: Home, ctx: RequestContext) -> dict[str, Any]:
    standing = tenant_settings(home, ctx)
    return {
        "steps": standing.get("steps"),
        "params": standing.get("params", {}),
        "max_input_bytes": max_input_bytes(home, ctx),
    }


def _write(home: Home, path: str, data: Mapping[str, Any], standing: Document | None) -> None:
    if standing is None:
        home.documents.create(path, data)
    else:
        home.documents.update(path, data, version=standing.version)


def _webhooks(home: Home) -> APIRouter:
    router = APIRouter(tags=["webhooks"])
    documents = home.documents

    @router.get("/settings/webhooks")
    def webhook(request: Request, ctx: Caller) -> Response:
        """Where the tenant is told, without the secret."""
        found = load_webhook(documents, ctx, home.settings.webhook_keys)
        if found is None:
            raise NotFound("setting", "webhooks")
        return answer(request, shown_webhook(found))

    @router.put("/settings/webhooks")
    def set_webhook(request: Request, ctx: Caller, body: WebhookWish) -> Response:
        """Say where to tell what; the answer alone shows the secret."""
        check_url(body.url, private=home.settings.webhook_private)
        wanted = Webhook.model_validate(body.model_dump(exclude_none=True))
        save_webhook(documents, ctx, wanted, home.settings.webhook_keys)
        return answer(request, wanted.model_dump(mode="json"))

    @router.delete("/settings/webhooks", status_code=204)
    def unset_webhook(ctx: Caller) -> Response:
        """Tell nobody any more."""
        if not documents.delete(webhook_path(ctx)):
            raise NotFound("setting", "webhooks")
        return Response(status_code=204)

    @router.get("/webhooks/deliveries")
    def deliveries(request: Request, ctx: Caller, page: Paged) -> Response:
        """What was told or is to be told, that of the newest runs first."""
        found, following = page.of(home, f"{ctx.document_prefix}webhook_deliveries")
        rows = [Delivery.model_validate(document.data).model_dump() for document in found]
        return answer(request, merged(rows, "deliveries", following))

    @router.post("/webhooks/deliveries/{delivery_id}/replay", status_code=202)
    def again(request: Request, ctx: Caller, once: OneTime, delivery_id: Id) -> Response:
        """Tell it once more, under the same event id."""
        once.act(documents, lambda: replay(documents, home.bus, ctx, delivery_id))
        return answer(request, {"delivery_id": delivery_id}, status=202)

    return router


def _letters(home: Home) -> APIRouter:
    router = APIRouter(tags=["dead letters"])
    documents = home.documents

    @router.get("/dead-letters")
    def letters(request: Request, ctx: Caller, page: Paged) -> Response:
        """What was given up, by id."""
        found, following = page.of(home, f"{ctx.document_prefix}dead_letters")
        rows = [_letter(document) for document in found]
        return answer(request, merged(rows, "dead_letters", following))

    @router.get("/dead-letters/{letter_id}")
    def letter(request: Request, ctx: Caller, letter_id: Id) -> Response:
        """One of them."""
        return answer(request, _letter(_load_letter(home, ctx, letter_id)))

    @router.post("/dead-letters/{letter_id}/redrive", status_code=202)
    def send_again(request: Request, ctx: Caller, once: OneTime, letter_id: Id) -> Response:
        """Send it again, its remembered failure forgotten."""
        buried = DeadLetter.model_validate(_load_letter(home, ctx, letter_id).data)
        once.act(documents, lambda: redrive(home, ctx, buried))
        return answer(request, _letter(_load_letter(home, ctx, letter_id)), status=202)

    return router


def _load_letter(home: Home, ctx: RequestContext, letter_id: str) -> Document:
    document = home.documents.get(f"{ctx.document_prefix}dead_letters/{letter_id}")
    if document is None:
        raise NotFound("dead letter", letter_id)
    return document


def _letter(document: Document) -> dict[str, Any]:
    return DeadLetter.model_validate(document.data).model_dump(mode="json", exclude={"data_base64"})
