"""Opening a run: which steps it plans and with which params, in one way for every cause.

An upload (``intake``), a request from outside (``open_requested_run``) and a back-fill (``staleness``)
differ in what they want, not in how it is planned: ``planned_steps``, ``base_params`` and ``agreed_params``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.asset import MediaInfo
from shared.contracts.context import RequestContext
from shared.contracts.ids import run_id
from shared.contracts.step import Run, StepRequest
from shared.homes.home import Home
from shared.homes.tenant_limits import tenant_settings
from shared.pipeline import BY_NAME, followers, step_named, with_followers, with_needs
from shared.runs import planning
from shared.runs.records import open_run
from shared.runs.views import list_runs
from shared.steps.preparing import load_asset
from shared.steps.storing import load_artifact


def planned_steps(
    wanted: Iterable[str],
    params: Mapping[str, Mapping[str, Any]],
    standing: Sequence[Run] = (),
    subject: Artifact | None = None,
    media: MediaInfo | None = None,
) -> tuple[str, ...]:
    """The wanted steps, what they need with these params, and what they want where a run of the recording
    had it. For a step that the recording (``media``) is not for, nothing is made: it will be skipped.

    So a phrase that is made again keeps its words. On an artifact (``subject``), what they need is made
    of it; of a document, such as a transcript that is edited, nothing can be.
    """
    if subject is not None:
        return tuple(wanted) if subject.is_document else with_needs(wanted, params)
    wanted = tuple(wanted)
    in_vain = {name for name in wanted if media and not step_named(name).accepts(media)}
    closed = with_needs([name for name in wanted if name not in in_vain], params)
    had = {name for run in standing for name in run.planned}
    wishes = {name for step in closed for name in step_named(step).wants} & had
    planned = {*with_needs((*closed, *sorted(wishes)), params), *in_vain}
    return tuple(name for name in BY_NAME if name in planned)


def base_params(
    home: Home, ctx: RequestContext, planned: Iterable[str], standing: Sequence[Run] = ()
) -> dict[str, Mapping[str, Any]]:
    """Planned step -> its params, so that only what is asked for changes: those with which the recording's
    newest run had it; of one that none had, the tenant's.

    Of other steps nothing is kept, or every run would carry what all before it asked for. Dry runs, and
    runs on one artifact of the recording, were about something else.
    """
    said: dict[str, Mapping[str, Any]] = {}
    for run in standing:
        if not run.dry_run and run.artifact_id is None:
            said = {**{name: {} for name in run.planned}, **run.params, **said}
    said = {**tenant_settings(home, ctx).get("params", {}), **said}
    return {name: said[name] for name in planned if said.get(name)}


def agreed_params(
    planned: Collection[str], params: Mapping[str, Mapping[str, Any]], asked: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """``params``, and what the table's rows share (``Step.shares``) said of each of the ``planned``.

    What is ``asked`` for now goes before what was said earlier, then the step whose param it is before
    those that read its artifacts.
    """
    agreed = {name: dict(said) for name, said in params.items()}
    rows = list(BY_NAME.values())
    for row in (*reversed(rows), *rows):  # up to what is read first, and down to all that read it
        readers = (other for other in followers(row.name, planned) if row.name in other.needs)
        group = [row.name, *(other.name for other in readers)]
        ranked = sorted(group, key=lambda name: name not in asked)
        for param in row.shares if row.name in planned else ():
            said = [agreed[name][param] for name in ranked if param in agreed.get(name, {})]
            for name in group if said else ():
                agreed[name] = {**agreed.get(name, {}), param: said[0]}
    return {**agreed}


def requested_run_id(message_id: str) -> str:
    """The run that a request from outside opens: the same message again opens the same run."""
    return run_id("request", message_id)


def open_requested_run(home: Home, request: StepRequest, identifier: str) -> Run:
    """Open a run for a request from outside: the step, what it needs, and what follows from it.

    The same ``identifier`` again gives the run that stands. What is known already is settled before
    this returns, without a message; the rest is asked for.

    On an artifact nothing follows, and what the step needs is made of that artifact. On a dry run
    nothing follows either, and what it needs is not made: it says what is missing.
    """
    ctx = request.context
    asset = load_asset(home, ctx, request.asset_id)
    subject = None
    if request.artifact_id is not None:
        subject = load_artifact(home.documents, ctx, request.artifact_id)
    alone = request.artifact_id is not None or request.dry_run
    wanted = (request.step,) if alone else with_followers(request.step)
    standing = list_runs(home.documents, ctx, asset.asset_id)
    planned = planned_steps(wanted, {request.step: request.params}, standing, subject, asset.media)
    params = {**base_params(home, ctx, planned, standing), request.step: request.params}
    run = Run(
        run_id=identifier,
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        user_id=ctx.user_id,
        source=f"reprocess {request.step}",
        asset_id=asset.asset_id,
        artifact_id=request.artifact_id,
        planned=planned,
        asked=(request.step,),
        params=agreed_params(planned, params, asked=(request.step,)),
        force=(request.step,) if request.force else (),
        dry_run=request.dry_run,
        created_at=time.time(),
    )
    run = open_run(home.documents, ctx, run)
    planning.start(home, ctx, run, asset, known_first=True)
    return run
