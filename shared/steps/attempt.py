"""The way of every step: request, claim, fetch, engine, store, settle, publish.

Once, for all steps. Returning acknowledges the message; a ``Transient`` error turns it back.

    the step settles    done | degraded | skipped | cached | failed   -> acknowledged
    lease held          another worker is on it, and alive            -> comes again later
    transient error     claim released, attempt counted               -> comes again with backoff
    attempts exhausted  failed, and a dead letter                     -> acknowledged
    lease lost          nothing more is written                       -> comes again, finds the result
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.ids import run_id
from shared.contracts.step import Run, StepRecord, StepRequest, StepState
from shared.contracts.step_engine import (
    Backend,
    Job,
    Result,
)
from shared.errors import (
    AttemptsExhausted,
    LeaseLost,
    Permanent,
    RushesError,
    Transient,
    Unavailable,
    ValidationError,
)
from shared.folders import work_folder
from shared.homes.bus import Message
from shared.homes.home import Home
from shared.messages.dead_letters import bury
from shared.messages.delivery import one_of_ours
from shared.messages.events import request_from_message
from shared.runs import planning
from shared.runs.records import load_records, load_run, open_run, write_record
from shared.runs.results import publish_settled
from shared.runs.views import list_runs
from shared.steps.claims import Claim, Lease, known_result
from shared.steps.pipeline import Step, step_named, with_followers, with_needs
from shared.steps.preparing import Work, load_asset
from shared.steps.storing import ArtifactWriter, describe_backend, load_artifact
from shared.watch import trace
from shared.watch.log import bind

log = structlog.get_logger()


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
    asset = load_asset(home, ctx, request.asset_id)
    run = load_run(home.documents, ctx, request.run_id)
    _Attempt(home, ctx, row, request, run, asset, message).make()


def open_requested_run(home: Home, request: StepRequest, identifier: str) -> Run:
    """Open a run for a request from outside: the step, what it needs, and what follows from it.

    The same ``identifier`` again gives the run that stands. What is known already is settled before
    this returns, without a message; the rest is asked for.

    On an artifact nothing follows, and what the step needs is made of that artifact. On a dry run
    nothing follows either, and what it needs is not made: it says what is missing.

    What the steps want is planned where a run of the recording had it: a phrase keeps its words.
    The other steps keep the params of the recording's newest run, so that only this one changes.
    """
    ctx = request.context
    asset = load_asset(home, ctx, request.asset_id)
    if request.artifact_id is not None:
        load_artifact(home.documents, ctx, request.artifact_id)
    alone = request.artifact_id is not None or request.dry_run
    wanted = (request.step,) if alone else with_followers(request.step)
    standing = list_runs(home.documents, ctx, asset.asset_id)
    params = (
        standing[0].params if standing else planning.tenant_settings(home, ctx).get("params", {})
    )
    run = Run(
        run_id=identifier,
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        user_id=ctx.user_id,
        source=f"reprocess {request.step}",
        asset_id=asset.asset_id,
        artifact_id=request.artifact_id,
        planned=with_needs((*wanted, *_had_before(wanted, request, standing))),
        params={**params, request.step: request.params},
        force=(request.step,) if request.force else (),
        dry_run=request.dry_run,
        created_at=time.time(),
    )
    run = open_run(home.documents, ctx, run)
    _settle_known(home, ctx, run, asset)
    planning.start(home, ctx, run, asset)
    return run


def _settle_known(home: Home, ctx: RequestContext, run: Run, asset: Asset) -> None:
    """Settle those steps of a fresh run whose results, and whose inputs' results, are known."""
    for name in run.planned:
        row = step_named(name)
        records = load_records(home.documents, ctx, run.run_id)
        before = [records.get(other) for other in planning.awaited(row, run)]
        ready = all(record is not None and record.state.delivered for record in before)
        if name not in records and ready and row.accepts(asset.media):
            request = planning.request_for(run, row)
            nobodys = Message(message_id="", data=b"", attributes={})
            _Attempt(home, ctx, row, request, run, asset, nobodys).take_known()


def _had_before(
    wanted: Iterable[str], request: StepRequest, standing: Iterable[Run]
) -> Iterator[str]:
    if request.artifact_id is not None:
        return
    had = {name for run in standing for name in run.planned}
    for step in with_needs(wanted):
        yield from had.intersection(step_named(step).wants)


def requested_run_id(message_id: str) -> str:
    """The run that a request from outside opens: the same message again opens the same run."""
    return run_id("request", message_id)


@dataclass(frozen=True)
class _Attempt:
    """One delivery of one request."""

    home: Home
    ctx: RequestContext
    row: Step
    request: StepRequest
    run: Run
    asset: Asset
    message: Message

    def make(self) -> None:
        """Claim the work and do it, or take the result that is there; then move the run on."""
        bind(step=self.row.name, attempt=self.message.delivery_attempt, run_id=self.run.run_id)
        trace.name_span(self.row.name, run_id=self.run.run_id)
        self._settle_step()
        with trace.span("publish"):
            planning.advance(self.home, self.ctx, self.run, self.row.name)

    def take_known(self) -> None:
        """Take the result if there is one, and leave the run where it is."""
        try:
            work = Work.prepare(self.home, self.row, self.request, self.asset)
            claim = known_result(
                self.home.documents, self.ctx, work.claim(), force=self.request.force
            )
        except RushesError:  # for whoever does the step to say: here may lack what it leans on
            return
        if claim is not None:
            self._take_over_result(claim)

    def _settle_step(self) -> None:
        try:
            work = Work.prepare(self.home, self.row, self.request, self.asset)
            wanted = work.claim()
        except Permanent as error:
            error.locate(service=self.row.name, backend_version=None)
            self._settle_record(StepState.FAILED, error=error.to_json())
            log.warning("step.refused", outcome="failed", code=error.code, cache_key=None)
            return
        bind(cache_key=work.cache_key, backend_version=work.backend.version)
        with trace.span("claim"):
            taken = Lease.take(self.home.documents, self.ctx, wanted, force=self.request.force)
        if isinstance(taken, Claim):
            self._take_over_result(taken)
        elif taken.claim.attempts > self.home.settings.max_attempts:
            self._give_up(taken)
            work.scratch.erase()
        else:
            self._work_under(taken, work)

    # -- the claim is settled already --------------------------------------------------------

    def _take_over_result(self, claim: Claim) -> None:
        own = claim.run_id == self.run.run_id
        state = StepState(claim.outcome or "done")
        if claim.state == "failed":
            self._settle_record(StepState.FAILED, claim=claim, error=claim.error)
        else:
            if state is StepState.DONE and not own:
                state = StepState.CACHED
            self._settle_record(state, claim=claim, reason=claim.reason)
        outcome = "failed" if claim.state == "failed" else state.value
        log.info("step.result_taken", step=self.row.name, own=own, outcome=outcome)

    # -- the claim is ours -------------------------------------------------------------------

    def _work_under(self, lease: Lease, work: Work) -> None:
        started = time.monotonic()
        self._write_running(lease, 0.0)
        try:
            with lease.kept_alive(self.row.timeout_s), one_of_ours(*self._where(work.backend)):
                claim, made = self._compute(lease, work)
        except LeaseLost:
            if work.scratch.used and lease.erased():
                work.scratch.erase()
            raise
        except Transient as error:
            self._turn_back(lease, error)
            raise
        except SystemExit:
            self._turn_back(lease, Unavailable("the worker", "it was told to stop"))
            raise
        except Permanent as error:
            claim, made = lease.settle_failed(error), []
            log.warning("step.failed", code=error.code, generation=claim.generation)
        if work.scratch.used:
            work.scratch.erase()
        self._settle_claimed(claim, made)
        log.info(
            "step.settled",
            outcome=claim.outcome or claim.state,
            code=claim.error["code"] if claim.error else None,
            attempts=lease.claim.attempts,
            artifacts=len(made),
            duration_ms=round(1000 * (time.monotonic() - started)),
        )

    def _compute(self, lease: Lease, work: Work) -> tuple[Claim, list[Artifact]]:
        with work_folder() as folder:
            with trace.span("fetch"):
                job = work.job(folder, _ProgressTold(self, lease), work.scratch)
            with trace.span("engine"):
                result = work.engine.run(job, work.params, work.backend)
            writer = ArtifactWriter(
                self.home,
                self.ctx,
                lease,
                subject=_made_from(job),
                common_meta=describe_backend(self.row.name, work.backend, lease.claim.cache_key),
            )
            try:
                with trace.span("store"):
                    made = writer.store(result.outputs)
                with trace.span("settle"):
                    return self._settle(lease, result, made), made
            except LeaseLost:
                if lease.erased():
                    writer.discard()
                raise

    def _where(self, backend: Backend) -> tuple[str, str, str]:
        return self.row.name, backend.name, backend.version

    def _settle(self, lease: Lease, result: Result, made: list[Artifact]) -> Claim:
        identifiers = tuple(artifact.artifact_id for artifact in made)
        return lease.settle_done(result.state.value, reason=result.reason, artifact_ids=identifiers)

    # -- what becomes of it ------------------------------------------------------------------

    def _write_running(self, lease: Lease, progress: float) -> None:
        record = StepRecord(
            step=self.row.name,
            state=StepState.RUNNING,
            progress=progress,
            cache_key=lease.claim.cache_key,
            lease_generation=lease.claim.generation,
        )
        write_record(self.home.documents, self.ctx, self.run.run_id, record)

    def _turn_back(self, lease: Lease, error: Transient) -> None:
        lease.release(error)
        record = StepRecord(
            step=self.row.name,
            reason=f"will be tried again: {error.message}",
            lease_generation=lease.claim.generation,
        )
        write_record(self.home.documents, self.ctx, self.run.run_id, record)
        log.warning("step.turned_back", code=error.code, attempts=lease.claim.attempts)

    def _give_up(self, lease: Lease) -> None:
        last = dict(lease.claim.error) if lease.claim.error else None
        error = AttemptsExhausted(self.home.settings.max_attempts, last, service=self.row.name)
        bury(self.home, self.message, error, cache_key=lease.claim.cache_key)
        self._settle_claimed(lease.settle_failed(error), [])
        log.warning("step.given_up", outcome="failed", code=error.code)

    def _settle_claimed(self, claim: Claim, made: list[Artifact]) -> None:
        if claim.state == "failed":
            self._settle_record(StepState.FAILED, claim=claim, error=claim.error)
        else:
            state = StepState(claim.outcome or "done")
            self._settle_record(state, claim=claim, reason=claim.reason, made=made)

    def _settle_record(
        self,
        state: StepState,
        *,
        claim: Claim | None = None,
        made: list[Artifact] | None = None,
        **told: Any,
    ) -> None:
        record = StepRecord(step=self.row.name).settled(state, **told)
        if claim is not None:
            record = record.model_copy(
                update={
                    "cache_key": claim.cache_key,
                    "artifact_ids": claim.artifact_ids if claim.state == "done" else (),
                    "lease_generation": claim.generation,
                }
            )
        write_record(self.home.documents, self.ctx, self.run.run_id, record)
        with trace.span("publish"):
            publish_settled(self.home, self.ctx, self.run.run_id, record, made or ())


def _made_from(job: Job) -> tuple[str, ...]:
    """The asset, and the artifacts that were read."""
    named = (job.artifact_id,) if job.artifact_id else ()
    read = (file.artifact_id for files in job.inputs.values() for file in files)
    return (job.asset_id, *named, *read, *(name for name in job.sources if name != job.asset_id))


class _ProgressTold:
    """Writes progress into the run, at most twice a second, and stops an owner that lost its lease."""

    _EVERY_S = 0.5

    def __init__(self, attempt: _Attempt, lease: Lease) -> None:
        self._attempt = attempt
        self._lease = lease
        self._told_at = 0.0

    def __call__(self, fraction: float) -> None:
        self._lease.check()
        now = time.monotonic()
        if now - self._told_at >= self._EVERY_S:
            self._told_at = now
            self._attempt._write_running(self._lease, min(max(fraction, 0.0), 1.0))
