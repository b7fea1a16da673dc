"""One path a step, made from the pipeline table; each body is the step's own params model.

Engines are imported when their first request comes (or the OpenAPI document is asked for), so that a
cold start does not pay for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Body, Request, Response
from pydantic import ConfigDict, Field
from pydantic import ValidationError as PydanticError

from functions.api.answers import answer
from functions.api.following import Wait, until_finished
from functions.api.idempotency import Once, OneTime
from functions.api.identity import Caller, check_claimed
from shared import pipeline
from shared.contracts.context import RequestContext
from shared.contracts.ids import Name
from shared.contracts.model import RequestBody, refusal_of
from shared.contracts.row import Step
from shared.contracts.shot_list import ShotList
from shared.contracts.step import StepRequest, StepState
from shared.editing.timelines import first_asset, load_timeline
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.pipeline import BY_NAME, KINDS, PROBE, PROBE_TITLE, step_named
from shared.runs.opening import open_requested_run
from shared.runs.stored_json import public_run
from shared.runs.views import public_artifact
from shared.steps.preparing import check_request, load_asset
from shared.steps.step_records import load_records
from shared.steps.storing import load_artifact

DRY_RUN = "/video/render/dry-run"
_LARGEST_CONTENT = 1_000_000

Params = Annotated[dict[str, Any], Body()]


class Asked(RequestBody):
    """What stands beside the params."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset_id: Name = Field(description="Which recording.")
    artifact_id: Name | None = Field(None, description="Work on this artifact of it instead.")
    force: bool = Field(False, description="Compute again although the result is known.")
    tenant_id: str | None = Field(None, description="Accepted if it is the identity's.")
    env: str | None = Field(None, description="Accepted if it is the identity's.")
    user_id: str | None = Field(None, description="Accepted if it is the identity's.")


class Reprocess(Asked):
    """Any step, by name."""

    step: str
    params: dict[str, Any] = Field(default_factory=dict)


def routes(home: Home) -> APIRouter:
    """An endpoint for each row of the table, the dry run, and reprocessing."""
    router = APIRouter(tags=["steps"])
    for row in pipeline.STEPS:
        _add(router, home, row.path, row.name, {})
    if "render.video" in BY_NAME:
        _add(router, home, DRY_RUN, "render.video", {"dry_run": True})

    @router.post("/reprocess")
    async def reprocess(
        request: Request, ctx: Caller, once: OneTime, body: Reprocess, wait: Wait = 0
    ) -> Response:
        """Do any step again, and what follows from it."""
        check_claimed(ctx, body.model_dump())
        return await _ask(request, home, once, (step_named(body.step), body, body.params), wait)

    @router.get("/pipeline")
    def table(request: Request, ctx: Caller) -> Response:
        """The steps, where each is asked for, and what people call them and what they make."""
        return answer(
            request,
            {
                "first": {"step": PROBE, "title": PROBE_TITLE},
                "steps": [_shown_row(row) for row in pipeline.STEPS],
                "kinds": [asdict(kind) for kind in KINDS.values()],
            },
        )

    return router


def _add(router: APIRouter, home: Home, path: str, step: str, fixed: Mapping[str, Any]) -> None:
    async def ask(
        request: Request,
        ctx: Caller,
        once: OneTime,
        body: Params,
        wait: Wait = 0,
    ) -> Response:
        check_claimed(ctx, body)
        found = await anyio.to_thread.run_sync(_told_apart, home, ctx, step, body)
        asked, params = found
        return await _ask(request, home, once, (step_named(step), asked, {**params, **fixed}), wait)

    name = f"{step}{'.dry_run' if fixed else ''}"
    summary = f"Ask for {step}" + (": the plan alone" if fixed else "")
    extra = {"x-rushes-step": step, "x-rushes-fixed": list(fixed)}
    router.post(path, name=name, summary=summary, openapi_extra=extra)(ask)


def _told_apart(
    home: Home, ctx: RequestContext, step: str, body: Mapping[str, Any]
) -> tuple[Asked, dict[str, Any]]:
    """What was asked for, and the step's params."""
    params = {name: value for name, value in body.items() if name not in Asked.model_fields}
    beside = {name: value for name, value in body.items() if name in Asked.model_fields}
    if step == "render.audio":
        _find_timeline(home, ctx, params)
        if beside.get("asset_id") is None and isinstance(params.get("timeline"), dict):
            beside["asset_id"] = first_asset(home.documents, ctx, params["timeline"])
    try:
        return Asked.model_validate(beside), params
    except PydanticError as error:
        raise refusal_of(error, "body") from None


def _find_timeline(home: Home, ctx: RequestContext, params: dict[str, Any]) -> None:
    timeline_id = params.pop("timeline_id", None)
    if timeline_id is None:
        return
    if "timeline" in params or not isinstance(timeline_id, str):
        raise ValidationError("timeline_id", "must be an id, and stands in place of timeline")
    params["timeline"] = load_timeline(home.documents, ctx, timeline_id).content


async def _ask(
    request: Request,
    home: Home,
    once: Once,
    wanted: tuple[Step, Asked, Mapping[str, Any]],
    wait_s: float,
) -> Response:
    row, asked, params = wanted
    ctx = once.ctx
    step_request = StepRequest(
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        user_id=ctx.user_id,
        step=row.name,
        asset_id=asked.asset_id,
        artifact_id=asked.artifact_id,
        params=params,
        force=asked.force,
    )

    def begin() -> str:
        _check(home, ctx, step_request)
        once.check(home.documents, step_request.model_dump(mode="json"))
        return open_requested_run(home, step_request, once.identifier("run")).run_id

    run_id = await anyio.to_thread.run_sync(begin)
    await until_finished(request, ctx, run_id, wait_s)
    return await anyio.to_thread.run_sync(_shown, request, home, ctx, run_id, row)


def _check(home: Home, ctx: RequestContext, step_request: StepRequest) -> None:
    asset = load_asset(home, ctx, step_request.asset_id)
    if step_request.artifact_id is not None:
        artifact = load_artifact(home.documents, ctx, step_request.artifact_id)
        if artifact.asset_id != asset.asset_id:
            raise ValidationError("artifact_id", "is an artifact of another asset")
    check_request(home, step_request)


def _shown(request: Request, home: Home, ctx: RequestContext, run_id: str, row: Step) -> Response:
    """The run, with the asked step's result once it has settled."""
    run = public_run(home, ctx, run_id)
    record = load_records(home.documents, ctx, run_id, (row.name,)).get(row.name)
    settled = record is not None and record.state.settled
    result = None
    if record is not None and record.state.delivered and record.artifact_ids:
        cached = record.state is StepState.CACHED
        result = _result(home, ctx, row, record.artifact_ids, cached=cached)
    shown = {**run, "result": result, **_as_of_old(row.name, result)}
    if settled:
        return answer(request, shown)
    return answer(request, shown, status=202, Location=f"/runs/{run_id}")


def _result(
    home: Home, ctx: RequestContext, row: Step, artifact_ids: tuple[str, ...], *, cached: bool
) -> dict[str, Any]:
    """The step's main artifact: of its first kind, or the summary of all of that kind."""
    first, *others = (kind.name for kind in row.produces)
    kind = f"{first}s" if f"{first}s" in others else first
    made = [load_artifact(home.documents, ctx, name) for name in artifact_ids]
    main = next((artifact for artifact in made if artifact.kind == kind), made[0])
    shown = public_artifact(main)
    shown["meta"] = {**main.meta, "cache_hit": cached}
    if main.content_type == "application/json" and main.bytes <= _LARGEST_CONTENT:
        shown["content"] = json.loads(b"".join(home.objects.read(main.key)))
    return shown


def _as_of_old(step: str, result: Mapping[str, Any] | None) -> dict[str, Any]:
    """What users of the semantic timeline and of origins have always read at the top."""
    if result is None:
        return {}
    if step == "transcribe.semantics":
        identifier = result["artifact_id"]
        return {
            "audio_semantic_artifact_id": identifier,
            "uri": result["uri"],
            "meta": result["meta"],
        }
    if step == "render.origin":
        found = ShotList.model_validate(result["content"]).content() if "content" in result else {}
        return {"shots": found.get("shots", []), "meta": found.get("meta", {})}
    return {}


def _shown_row(row: Step) -> dict[str, Any]:
    return {
        "step": row.name,
        "title": row.title,
        "path": row.path,
        "takes": row.takes,
        "produces": [kind.name for kind in row.produces],
        "needs": list(row.needs),
        "default": row.default,
        "timeout_s": row.timeout_s,
        "machine": row.machine,
    }
