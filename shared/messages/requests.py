"""A step request arrives: its run is opened, or its step is done and the run moved on."""

from __future__ import annotations

from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import StepRecord, StepRequest, StepState
from shared.errors import NotFound, ValidationError
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.homes.outbox import sent_together
from shared.lazy_log import get_logger
from shared.messages.events import request_from_message
from shared.pipeline import step_named
from shared.runs import planning
from shared.runs.opening import open_requested_run, requested_run_id
from shared.runs.records import undamaged_run
from shared.runs.results import publish_settled
from shared.steps.attempt import Attempt, Settled, settled_so
from shared.steps.part_attempt import PartAttempt
from shared.steps.part_files import PartFiles
from shared.steps.preparing import load_asset
from shared.steps.step_records import record_path, run_path, write_record
from shared.watch import trace

log = get_logger()


def handle_request(message: Message, home: Home, function: str) -> None:
    """Do what a step request asks. Raises ``Permanent`` only where no run can hold the error."""
    request = request_from_message(message)
    row = step_named(request.step)
    if row.function != function:
        raise ValidationError("step", f"{row.name} is not of the function {function}")
    if request.run_id is None:
        open_requested_run(home, request, requested_run_id(message.message_id))
        return
    ctx = request.context
    path = run_path(ctx, request.run_id)
    found = home.documents.get_all([path, record_path(ctx, request.run_id, row.name)])
    if path not in found:  # erased since: nobody waits, and nothing may be kept of it
        log.info("request.gone")
        return
    run = undamaged_run(found.pop(path))
    records = [record for _, record in readable(found.values(), StepRecord)]
    settled = settled_so(records[0]) if records else None
    if settled is not None and request.part is not None:  # a late one
        PartFiles(home, ctx, request.asset_id, digest(request.part.of)).forget(request.part)
        return
    if settled is None:
        settled = _attempt(home, row, request, message)
    if settled is None:
        return
    with trace.span("publish"), sent_together(home) as held:
        told = settled.record, settled.made, settled.told_before
        publish_settled(held, ctx, run.run_id, *told)
        planning.advance(held, ctx, run, row.name)


def _attempt(home: Home, row: Step, request: StepRequest, message: Message) -> Settled | None:
    ctx, run_id = request.context, str(request.run_id)
    try:
        asset = load_asset(home, ctx, request.asset_id)
    except NotFound as error:  # erased, or being erased
        gone = error.locate(service=row.name, backend_version=None).to_json()
        record = StepRecord(step=row.name).settled(StepState.FAILED, error=gone)
        write_record(home.documents, ctx, run_id, record)
        return Settled(record)
    kind = Attempt if request.part is None else PartAttempt
    return kind(home, row, request, run_id, asset, message).make()
