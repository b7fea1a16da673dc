"""A home of many recordings, written as documents alone: to see what grows with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, digest
from shared.contracts.step import Run, StepRecord, StepRequest, StepState
from shared.homes.documents.document_checks import split_path
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.pipeline import PROBE
from shared.steps.claims import Claim, Recall
from tests.bench.bench_api import artifact_of, asset_of

STEPS = (PROBE, "detect.activity", "detect.hits", "detect.loops", "transcribe.semantics")
DOCUMENTS_EACH = 2 + 2 * len(STEPS) + len(STEPS) - 1


def fill(documents: EmbeddedDocuments, ctx: RequestContext, recordings: int) -> int:
    """Write so many recordings with a run, artifacts and claims each; returns how many documents."""
    at = time.time() - 3600
    rows = [
        (*split_path(path), canonical_json(data), at)
        for number in range(recordings)
        for path, data in _documents(ctx, number)
    ]
    with documents._database.write() as connection:  # one transaction: a commit each takes minutes
        connection.executemany(
            "INSERT INTO documents (collection, id, data, updated_at) VALUES (?, ?, ?, ?)", rows
        )
    return len(rows)


def _documents(ctx: RequestContext, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    asset = asset_of(number).model_copy(update={"asset_id": f"ast_{digest(number)[:32]}"})
    run = Run(
        run_id=f"run_{digest('run', number)[:32]}",
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        source="take.wav",
        asset_id=asset.asset_id,
        planned=STEPS,
        created_at=1e9 + number,
    )
    prefix = ctx.document_prefix
    yield f"{prefix}assets/{asset.asset_id}", asset.model_dump(mode="json")
    yield f"{prefix}runs/{run.run_id}", run.model_dump(mode="json")
    for step in STEPS:
        made = f"art_{digest(number, step)[:32]}"
        key = "|".join((ctx.tenant_id, ctx.env, asset.asset_id, step, "{}", "v1"))
        record = StepRecord(step=step, cache_key=key, artifact_ids=(made,)).settled(StepState.DONE)
        yield f"{prefix}runs/{run.run_id}/steps/{step}", record.model_dump(mode="json")
        yield f"{prefix}cache/{digest(key)}", _claim(ctx, run, step, key, made)
        if step != PROBE:
            artifact = artifact_of(0, 10).model_copy(
                update={"artifact_id": made, "asset_id": asset.asset_id}
            )
            yield f"{prefix}artifacts/{made}", artifact.model_dump(mode="json")


def _claim(ctx: RequestContext, run: Run, step: str, key: str, made: str) -> dict[str, Any]:
    request = StepRequest(
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        step=step,
        asset_id=run.asset_id or "",
        run_id=run.run_id,
    )
    recall = Recall(topic="steps-detect", data=request.model_dump_json(), attributes={})
    claim = Claim(
        cache_key=key,
        step=step,
        asset_id=run.asset_id,
        run_id=run.run_id,
        state="done",
        outcome="done",
        lease_s=30,
        artifact_ids=(made,),
        backend_version="v1",
        recall=None if step == PROBE else recall,
    )
    return claim.model_dump(mode="json")
