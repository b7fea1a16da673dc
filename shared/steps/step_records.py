"""How each step of a run stands: a document for each, so that workers never contend for one."""

from __future__ import annotations

from collections.abc import Iterable

from shared.contracts.context import RequestContext
from shared.contracts.step import StepRecord, StepState
from shared.errors import Conflict
from shared.homes.documents import Document, Documents
from shared.homes.documents.readable import readable


def run_path(ctx: RequestContext, run_id: str) -> str:
    """Where a run lives."""
    return f"{ctx.document_prefix}runs/{run_id}"


def record_path(ctx: RequestContext, run_id: str, step: str) -> str:
    """Where one step of a run lives."""
    return f"{run_path(ctx, run_id)}/steps/{step}"


def load_records(
    documents: Documents, ctx: RequestContext, run_id: str, steps: Iterable[str] | None = None
) -> dict[str, StepRecord]:
    """Step -> its record; of these ``steps`` alone, where they are named: each is paid for."""
    found: Iterable[Document]
    if steps is None:
        found = documents.list(f"{run_path(ctx, run_id)}/steps")
    else:
        found = documents.get_all([record_path(ctx, run_id, step) for step in steps]).values()
    return {document.id: record for document, record in readable(found, StepRecord)}


def plan_records(
    documents: Documents, ctx: RequestContext, run_id: str, records: Iterable[StepRecord]
) -> None:
    """Write the first record of each step that has none, unless their run is gone."""
    contents = {
        record_path(ctx, run_id, record.step): record.model_dump(mode="json") for record in records
    }
    made = documents.create_all(contents)
    if documents.get(run_path(ctx, run_id)) is None:
        for path in made:
            documents.delete(path)


def _create(documents: Documents, ctx: RequestContext, run_id: str, record: StepRecord) -> bool:
    """Write a first record; ``False`` where its run is gone: of what was erased nothing may come back."""
    path = record_path(ctx, run_id, record.step)
    documents.create(path, record.model_dump(mode="json"))
    if documents.get(run_path(ctx, run_id)) is None:
        documents.delete(path)
        return False
    return True


def write_record(
    documents: Documents, ctx: RequestContext, run_id: str, record: StepRecord
) -> bool:
    """Write how a step stands; ``False`` where a settled state or a newer owner's word stands, or the
    run is gone.

    How a step has settled is final, but for a redrive, which puts it back. Before that a late word of
    an owner that lost its lease never replaces its successor's.
    """
    path = record_path(ctx, run_id, record.step)
    while True:
        document = documents.get(path)
        try:
            if document is None:
                return _create(documents, ctx, run_id, record)
            standing = StepRecord.model_validate(document.data)
            if _outranked(standing, record):
                return False
            told = _going_on(standing, record)
            documents.update(path, told.model_dump(mode="json"), version=document.version)
        except Conflict:
            continue
        return True


def _outranked(standing: StepRecord, record: StepRecord) -> bool:
    """Generations are one claim's: those of another backend version's say nothing beside it.

    Nor need whoever settles a step compare any: it has settled the claim, or there is none.
    """
    if standing.state.settled:
        return True
    if record.state.settled or record.cache_key not in (None, standing.cache_key):
        return False
    return standing.lease_generation > record.lease_generation


def _going_on(standing: StepRecord, record: StepRecord) -> StepRecord:
    """Of parts that are done side by side, whoever tells last need not be the farthest."""
    if not (record.parts and record.state is StepState.RUNNING):
        return record
    if (standing.parts, standing.cache_key) != (record.parts, record.cache_key):
        return record
    done = max(standing.parts_done, record.parts_done)
    return record.model_copy(
        update={"parts_done": done, "progress": max(standing.progress, record.progress)}
    )
