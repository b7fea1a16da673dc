"""Runs: what was planned for one upload or request, and how each step of it stands.

A run's document is written once and its steps are documents of their own, so that workers never
contend for one. The run's state is read off its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.context import RequestContext
from shared.contracts.ids import run_id as derived_run_id
from shared.contracts.model import refusal_of
from shared.contracts.step import Run, StepRecord, StepState
from shared.contracts.upload import Upload
from shared.errors import BackendFailed, Conflict, NotFound
from shared.homes.documents import Document, Documents
from shared.homes.documents.readable import readable
from shared.pipeline import PROBE
from shared.steps.step_records import record_path, run_path


def load_run(documents: Documents, ctx: RequestContext, run_id: str) -> Run:
    """The run; raises ``NotFound``, and ``BackendFailed`` for a document that cannot be read."""
    document = documents.get(run_path(ctx, run_id))
    if document is None:
        raise NotFound("run", run_id)
    return undamaged_run(document)


def read_run(ctx: RequestContext, document: Document) -> Run:
    """The run that a document holds, to be shown: one that cannot be read says so in ``damaged``."""
    try:
        return Run.model_validate_json(document.text)
    except PydanticError as error:
        created_at = document.data.get("created_at")
        return Run(
            run_id=document.id,
            tenant_id=ctx.tenant_id,
            env=ctx.env,
            source="(damaged)",
            created_at=created_at if isinstance(created_at, int | float) else document.updated_at,
            damaged=refusal_of(error, "document").message,
        )


def undamaged_run(document: Document) -> Run:
    """The run that a document holds; raises ``BackendFailed`` where it cannot be read."""
    try:
        return Run.model_validate_json(document.text)
    except PydanticError as error:
        raise BackendFailed("the run's document", refusal_of(error, "document").message) from None


def open_run(documents: Documents, ctx: RequestContext, run: Run) -> Run:
    """Write the run unless it stands already; returns the one that stands."""
    try:
        documents.create(run_path(ctx, run.run_id), run.model_dump(mode="json"))
    except Conflict:
        return load_run(documents, ctx, run.run_id)
    return run


def upload_run_id(upload: Upload) -> str:
    """The run that this object change opens."""
    return derived_run_id(
        "upload", upload.ctx.tenant_id, upload.ctx.env, upload.key, upload.generation
    )


def open_upload_run(documents: Documents, upload: Upload, name: str, *, at: float) -> Run:
    """Open the run of an upload, which is to be probed; ``at``: Unix seconds."""
    run = Run(
        run_id=upload_run_id(upload),
        tenant_id=upload.ctx.tenant_id,
        env=upload.ctx.env,
        source=name,
        planned=(PROBE,),
        created_at=at,
    )
    return open_run(documents, upload.ctx, run)


def change_run(documents: Documents, ctx: RequestContext, run_id: str, **changes: Any) -> Run:
    """Change fields of a run, checked as a whole; raises ``NotFound`` and ``ValidationError``."""
    while True:
        document = documents.get(run_path(ctx, run_id))
        if document is None:
            raise NotFound("run", run_id)
        run = Run.model_validate({**undamaged_run(document).model_dump(), **changes})
        try:
            documents.update(document.path, run.model_dump(mode="json"), version=document.version)
        except Conflict:
            continue
        return run


def run_state(records: list[StepRecord]) -> str:
    """``queued, running, done, degraded, failed``: the worst of its steps, once all are settled."""
    states = {record.state for record in records}
    if not states or states == {StepState.QUEUED}:
        return StepState.QUEUED.value
    if not all(state.settled for state in states):
        return StepState.RUNNING.value
    for worst in (StepState.FAILED, StepState.DEGRADED):
        if worst in states:
            return worst.value
    return StepState.DONE.value


def records_of(
    documents: Documents, ctx: RequestContext, runs: Sequence[Run]
) -> list[dict[str, StepRecord]]:
    """Of each run step -> its record; those of all runs are read in one call."""
    paths = [record_path(ctx, run.run_id, step) for run in runs for step in run.planned]
    found = documents.get_all(paths)
    standing = []
    for run in runs:
        own = (found.get(record_path(ctx, run.run_id, step)) for step in run.planned)
        rows = readable((one for one in own if one is not None), StepRecord)
        standing.append({document.id: record for document, record in rows})
    return standing


def finished(run: Run, records: Mapping[str, StepRecord]) -> bool:
    """Is every planned step settled?"""
    return bool(run.planned) and all(
        name in records and records[name].state.settled for name in run.planned
    )
