"""Steps that nobody asks for any more: their message was lost before anybody claimed the work.

Pub/Sub keeps a message until it is acknowledged or its retention ends, so this happens where a
subscription was purged, sought forward or made anew, or where an emulator, which keeps nothing, was
started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import ValidationError as PydanticError

from shared.contracts.context import RequestContext
from shared.contracts.row import Step
from shared.contracts.step import Run, StepRecord, StepState
from shared.errors import BackendFailed, NotFound
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.pipeline import BY_NAME, PROBE
from shared.runs import planning
from shared.runs.records import load_run
from shared.steps.claims import load_claim
from shared.steps.preparing import load_asset
from shared.steps.step_records import load_records, write_record

log = get_logger()

STALLED_S = 6 * 3600.0
"""A step that waits longer is asked for once more, and again after as long: a backlog of hours makes
a message more for each, which finds the work claimed or done."""


def resume_stalled(home: Home, *, grace_s: float = STALLED_S) -> int:
    """Ask again for what the runs with long-queued steps wait for; returns how many such runs.

    A run of which any queued step was written of late is left alone, and so is one whose queued steps
    wait for steps that somebody works on: those are found by their claims, and not asked for.
    """
    newest: dict[str, Document] = {}
    for document in home.documents.list_group("steps", where={"state": StepState.QUEUED.value}):
        run = document.path.rsplit("/", 2)[0]
        if run not in newest or newest[run].updated_at < document.updated_at:
            newest[run] = document
    stalled = [one for one in newest.values() if one.read_at - one.updated_at >= grace_s]
    resumed = sum(_resume(home, document) for document in stalled)
    log.info("sweep.stalled", resumed=resumed)
    return resumed


def _resume(home: Home, document: Document) -> bool:
    """Ask for what the run of this step's record lacks; ``False``: nothing, or it is gone or damaged.

    A run not all of whose steps have records, since whoever planned it ended midway, is planned once more.
    """
    _, tenant, _, env, _, run_id, _, _ = document.path.split("/")
    ctx = RequestContext.of(tenant, env)
    try:
        record = StepRecord.model_validate(document.data)
        run = load_run(home.documents, ctx, run_id)
        asset = load_asset(home, ctx, run.asset_id or "")
        records = load_records(home.documents, ctx, run_id)
        planned = set(run.planned) <= set(records)
        lost = _lost(home, ctx, run, records)
    except NotFound:  # erased meanwhile
        return False
    except (BackendFailed, PydanticError):  # damaged, which the log says: the others go on
        log.error("document.damaged", model="Run")
        return False
    if planned and not lost:
        return False
    # The time makes it a change, so that the next round leaves this run alone for as long again.
    asked = f"asked for again at {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    write_record(home.documents, ctx, run_id, record.model_copy(update={"reason": asked}))
    if planned:
        for row in lost:
            planning.begin(home, ctx, run, row, records)
    else:
        planning.start(home, ctx, run, asset)
    return True


def _lost(
    home: Home, ctx: RequestContext, run: Run, records: Mapping[str, StepRecord]
) -> list[Step]:
    """The steps that could begin and have not, and those that have without a claim that is still open."""
    lost = []
    for row in (BY_NAME[name] for name in run.planned if name in records and name != PROBE):
        record = records[row.name]
        if record.state is StepState.RUNNING:
            claim = load_claim(home.documents, ctx, record.cache_key) if record.cache_key else None
            if claim is None or claim.settled:
                lost.append(row)
        elif not record.state.settled:
            before = [records.get(name) for name in planning.awaited(row, run)]
            if all(one is not None and one.state.settled for one in before):
                lost.append(row)
    return lost
