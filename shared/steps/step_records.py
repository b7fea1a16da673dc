"""How each step of a run stands: a document for each, so that workers never contend for one."""

from __future__ import annotations

from shared.contracts.context import RequestContext
from shared.contracts.step import StepRecord
from shared.errors import Conflict
from shared.homes.documents import Document, Documents
from shared.homes.documents.readable import readable


def run_path(ctx: RequestContext, run_id: str) -> str:
    """Where a run lives."""
    return f"{ctx.document_prefix}runs/{run_id}"


def record_path(ctx: RequestContext, run_id: str, step: str) -> str:
    """Where one step of a run lives."""
    return f"{run_path(ctx, run_id)}/steps/{step}"


def load_records(documents: Documents, ctx: RequestContext, run_id: str) -> dict[str, StepRecord]:
    """Step -> its record."""
    found = documents.list(f"{run_path(ctx, run_id)}/steps")
    return {document.id: record for document, record in readable(found, StepRecord)}


def plan_record(documents: Documents, ctx: RequestContext, run_id: str, record: StepRecord) -> None:
    """Write a step's first record unless it has one."""
    try:
        documents.create(record_path(ctx, run_id, record.step), record.model_dump(mode="json"))
    except Conflict:
        return


def write_record(
    documents: Documents, ctx: RequestContext, run_id: str, record: StepRecord
) -> bool:
    """Write how a step stands; ``False`` where a newer owner's word or a settled state stands.

    A late word of an owner that lost its lease never replaces its successor's, and progress never
    replaces a result.
    """
    path = record_path(ctx, run_id, record.step)
    while True:
        document = documents.get(path)
        try:
            if document is None:
                documents.create(path, record.model_dump(mode="json"))
            elif _outranked(document, record):
                return False
            else:
                documents.update(path, record.model_dump(mode="json"), version=document.version)
        except Conflict:
            continue
        return True


def _outranked(document: Document, record: StepRecord) -> bool:
    standing = StepRecord.model_validate(document.data)
    if standing.lease_generation != record.lease_generation:
        return standing.lease_generation > record.lease_generation
    if standing.state.settled:
        return not record.state.settled or standing == record
    return False
