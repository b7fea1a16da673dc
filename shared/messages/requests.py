"""A step request arrives: its run is opened, or its step is done and the run moved on."""

from __future__ import annotations

from shared.contracts.message import Message
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.messages.events import request_from_message
from shared.pipeline import step_named
from shared.runs import planning
from shared.runs.opening import open_requested_run, requested_run_id
from shared.runs.records import load_run
from shared.runs.results import publish_settled
from shared.steps.attempt import Attempt, settled_before
from shared.steps.preparing import load_asset
from shared.watch import trace


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
    run = load_run(home.documents, ctx, request.run_id)
    settled = settled_before(home, ctx, run.run_id, row.name)
    if settled is None:
        asset = load_asset(home, ctx, request.asset_id)
        settled = Attempt(home, row, request, run.run_id, asset, message).make()
    with trace.span("publish"):
        publish_settled(home, ctx, run.run_id, settled.record, settled.made)
        planning.advance(home, ctx, run, row.name)
