"""Planning a run and moving it on: which steps it has, and what follows when one settles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.asset import Asset
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import NOT_MADE, Run, StepRecord, StepRequest, StepState
from shared.homes.home import Home
from shared.pipeline import ACTIVITY, BY_NAME, PROBE, followers, with_needs
from shared.runs.records import load_run
from shared.runs.results import publish_settled
from shared.spent import counting
from shared.steps.attempt import Attempt
from shared.steps.preparing import publish_request
from shared.steps.step_records import load_records, plan_records, write_record
from shared.steps.storing import load_artifact

_NOBODYS = Message(message_id="", data=b"", attributes={})


def start(
    home: Home, ctx: RequestContext, run: Run, asset: Asset, *, known_first: bool = False
) -> None:
    """Record each planned step, skip those that the recording is not for, ask for the first ones.

    ``known_first``: of a recording that has been worked on, what is known is settled here and now, without
    a message; so is what follows from it.
    May be repeated: what has been asked for and has settled is told again, which changes nothing. Steps
    whose records are gone since belong to a run that is being erased.
    """
    rows = [BY_NAME[name] for name in run.planned if name != PROBE]
    first = [_first_record(row, run, asset) for row in rows]
    plan_records(home.documents, ctx, run.run_id, first)
    records = load_records(home.documents, ctx, run.run_id)
    rows = [row for row in rows if row.name in records]
    known_of = asset if known_first else None
    for row in rows:
        if not awaited(row, run) and not records[row.name].state.settled:
            _settle_or_ask(home, ctx, run, row, known_of)
    for row in rows:
        if records[row.name].state.settled:
            advance(home, ctx, run, row.name, known_of)


def awaited(row: Step, run: Run) -> tuple[str, ...]:
    """The steps that must have settled before this one begins."""
    return tuple(name for name in row.reads if name in run.planned)


def _first_record(row: Step, run: Run, asset: Asset) -> StepRecord:
    record = StepRecord(step=row.name)
    if not row.accepts(asset.media):
        return record.settled(StepState.SKIPPED, reason=f"no {row.takes}")
    return record


def _settle_or_ask(
    home: Home, ctx: RequestContext, run: Run, row: Step, known_of: Asset | None
) -> None:
    """``known_of``: the recording, where its step is to be settled if what it gives is known already."""
    if known_of is not None:
        standing = load_records(home.documents, ctx, run.run_id, (row.name,)).get(row.name)
        if standing is None or standing.state.settled:  # erased, or settled by another way
            return
        attempt = Attempt(home, row, request_for(run, row), run.run_id, known_of, _NOBODYS)
        with counting(None):  # what the message has taken so far is not the step's
            known = attempt.take_known()
        if known is not None:
            publish_settled(home, ctx, run.run_id, known.record)
            advance(home, ctx, run, row.name, known_of)
            return
    if run.dry_run and row.name != run.planned[-1]:
        _skip(home, ctx, run, row, NOT_MADE, known_of)
    else:
        ask_for(home, run, row)


def ask_for(home: Home, run: Run, row: Step) -> None:
    """Publish the request for one step of a run."""
    publish_request(home, request_for(run, row))


def request_for(run: Run, row: Step) -> StepRequest:
    """The request for one step of a run whose asset is known."""
    assert run.asset_id is not None
    return StepRequest(
        tenant_id=run.tenant_id,
        env=run.env,
        user_id=run.user_id,
        step=row.name,
        asset_id=run.asset_id,
        artifact_id=run.artifact_id,
        run_id=run.run_id,
        params=run.params.get(row.name, {}),
        force=row.name in run.force,
    )


def advance(
    home: Home, ctx: RequestContext, run: Run, settled: str, known_of: Asset | None = None
) -> None:
    """After ``settled`` has: ask for each step for which all that it reads is now settled.

    Whichever of several settles last asks; two that settle at once may both ask, which the
    claim makes harmless. Steps whose needs did not deliver are skipped, and so on down; so are those
    that listen to what the recording does not hold, unless somebody asked for them.
    """
    following = followers(settled, run.planned)
    concerned = {name for row in following for name in (row.name, *awaited(row, run), ACTIVITY)}
    records = load_records(home.documents, ctx, run.run_id, sorted(concerned))
    for row in following:
        before = [records.get(name) for name in awaited(row, run)]
        if row.name not in records:  # the run is being erased
            continue
        if not all(record is not None and record.state.settled for record in before):
            continue
        if records[row.name].state.settled:
            advance(home, ctx, run, row.name, known_of)
            continue
        begin(home, ctx, run, row, records, known_of)


def begin(
    home: Home,
    ctx: RequestContext,
    run: Run,
    row: Step,
    records: Mapping[str, StepRecord],
    known_of: Asset | None = None,
) -> None:
    """Ask for a step whose time has come, or skip it. ``records``: of what it reads, and of activity."""
    needed = [records[name] for name in row.needs if name in run.planned]
    missing = [record for record in needed if not record.state.delivered]
    enough = row.partial and len(missing) < len(needed)
    if reason := _nothing_for(home, ctx, run, row, records.get(ACTIVITY)):
        _skip(home, ctx, run, row, reason, known_of)
    elif not missing or enough or run.dry_run:
        _settle_or_ask(home, ctx, run, row, known_of)
    else:
        reason = ", ".join(f"{need.step} {need.state.value}" for need in missing)
        _skip(home, ctx, run, row, reason, known_of)


def _nothing_for(
    home: Home, ctx: RequestContext, run: Run, row: Step, activity: StepRecord | None
) -> str | None:
    """``no music``: why a step that nobody asked for has nothing to do in this recording."""
    if row.listens_to is None or row.name in with_needs(run.asked):
        return None
    for identifier in activity.artifact_ids if activity else ():
        artifact = load_artifact(home.documents, ctx, identifier)
        if artifact.kind == AudioActivity.kind and row.listens_to not in artifact.meta["holds"]:
            return f"no {row.listens_to}"
    return None


def _skip(
    home: Home, ctx: RequestContext, run: Run, row: Step, reason: str, known_of: Asset | None
) -> None:
    record = StepRecord(step=row.name).settled(StepState.SKIPPED, reason=reason)
    write_record(home.documents, ctx, run.run_id, record)
    publish_settled(home, ctx, run.run_id, record)
    advance(home, ctx, run, row.name, known_of)


def fail_step(
    home: Home, ctx: RequestContext, run_id: str, step: str, error: Mapping[str, Any]
) -> None:
    """Fail a step that nobody will settle any more, unless it has settled; raises ``NotFound``."""
    run = load_run(home.documents, ctx, run_id)
    standing = load_records(home.documents, ctx, run_id, (step,)).get(step, StepRecord(step=step))
    if not standing.state.settled:
        record = standing.settled(StepState.FAILED, error=error)
        write_record(home.documents, ctx, run_id, record)
        publish_settled(home, ctx, run_id, record)
        advance(home, ctx, run, step)
