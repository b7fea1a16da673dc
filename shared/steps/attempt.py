"""One attempt at a step: claim, fetch, engine, store, settle.

Once, for all steps. It returns how the step settled, and its caller tells that and moves the run on;
a ``Transient`` error turns the message back.

    the step settles    done | degraded | skipped | cached | failed   -> acknowledged
    lease held          another worker is on it, and alive            -> comes again later
    transient error     claim released, attempt counted               -> comes again with backoff
    attempts exhausted  failed, and a dead letter                     -> acknowledged
    lease lost          nothing more is written                       -> comes again, finds the result
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import StepRecord, StepRequest, StepState
from shared.contracts.step_engine import Backend, Job, Result
from shared.errors import (
    AttemptsExhausted,
    LeaseLost,
    NotFound,
    Permanent,
    RushesError,
    Transient,
    Unavailable,
)
from shared.folders import work_folder
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.steps.burying import bury
from shared.steps.claims import Claim, Lease, known_result
from shared.steps.guarding import one_of_ours
from shared.steps.preparing import Work, load_asset
from shared.steps.step_records import load_records, write_record
from shared.steps.storing import (
    ArtifactWriter,
    describe_backend,
    load_artifacts,
    remove_unfinished,
)
from shared.watch import trace
from shared.watch.log import bind

log = get_logger()


@dataclass(frozen=True)
class Settled:
    """How a step of a run settled."""

    record: StepRecord
    made: tuple[Artifact, ...] = ()
    """What is new by it; nothing where a result was there already."""


def settled_before(home: Home, ctx: RequestContext, run_id: str, step: str) -> Settled | None:
    """How the step of this run has settled, if it has: that is final, whatever comes again.

    A duplicate would otherwise be done by whatever version of the code it finds, or with what has
    been made since. What the run made counts as new once more: whoever settled it may have died
    before telling.
    """
    record = load_records(home.documents, ctx, run_id, (step,)).get(step)
    if record is None or not record.state.settled:
        return None
    return Settled(record, _own_artifacts(home, ctx, record))


def _own_artifacts(home: Home, ctx: RequestContext, record: StepRecord) -> tuple[Artifact, ...]:
    """What the run itself made. Another run's were told by that run."""
    if record.state not in (StepState.DONE, StepState.DEGRADED):
        return ()
    return tuple(load_artifacts(home.documents, ctx, record.artifact_ids))


@dataclass(frozen=True)
class Attempt:
    """One delivery of one request of a run."""

    home: Home
    row: Step
    request: StepRequest
    run_id: str
    asset: Asset
    message: Message

    @property
    def ctx(self) -> RequestContext:
        """Whose work it is."""
        return self.request.context

    def make(self) -> Settled | None:
        """Claim the work and do it, or take the result that is there.

        ``None``: the asset was erased meanwhile, and nobody is left to be told. Raises ``Transient`` to
        have the message come again.
        """
        bind(step=self.row.name, attempt=self.message.delivery_attempt, run_id=self.run_id)
        trace.name_span(self.row.name, run_id=self.run_id)
        try:
            work = Work.prepare(self.home, self.row, self.request, self.asset)
            wanted = work.claim()
        except Permanent as error:
            error.locate(service=self.row.name, backend_version=None)
            log.warning("step.refused", outcome="failed", code=error.code, cache_key=None)
            return self._settled(StepState.FAILED, error=error.to_json())
        bind(cache_key=work.cache_key, backend_version=work.backend.version)
        with trace.span("claim"):
            taken = Lease.take(self.home.documents, self.ctx, wanted, force=self.request.force)
        if isinstance(taken, Claim):
            return self._take_over_result(taken)
        config = self.home.settings
        if taken.worn_out(config.max_attempts, config.patience_s):
            given_up = self._give_up(taken)
            work.scratch.erase()
            return given_up
        return self._work_under(taken, work)

    def take_known(self) -> Settled | None:
        """Take the result, if there is one."""
        try:
            work = Work.prepare(self.home, self.row, self.request, self.asset)
            claim = known_result(
                self.home.documents, self.ctx, work.claim(), force=self.request.force
            )
        except RushesError:  # for whoever does the step to say: here may lack what it leans on
            return None
        return self._take_over_result(claim) if claim is not None else None

    # -- the claim is settled already --------------------------------------------------------

    def _take_over_result(self, claim: Claim) -> Settled:
        own = claim.run_id == self.run_id
        record = self._settled_by(claim, cached=not own).record
        log.info("step.result_taken", step=self.row.name, own=own, outcome=record.state.value)
        return Settled(record, _own_artifacts(self.home, self.ctx, record) if own else ())

    # -- the claim is ours -------------------------------------------------------------------

    def _erased(self) -> bool:
        try:
            load_asset(self.home, self.ctx, self.asset.asset_id)
        except NotFound:
            return True
        return False

    def _nothing_left(self, lease: Lease) -> None:
        """What was written behind the erasure's back goes, too."""
        lease.forget()
        log.info("step.erased")

    def _work_under(self, lease: Lease, work: Work) -> Settled | None:
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
            if self._erased():
                self._nothing_left(lease)
                return None
            remove_unfinished(self.home, self.ctx, lease.claim)
            claim, made = lease.settle_failed(error), []
            log.warning("step.failed", code=error.code, generation=claim.generation)
        if work.scratch.used:
            work.scratch.erase()
        settled = self._settled_by(claim, made)
        log.info(
            "step.settled",
            outcome=claim.outcome or claim.state,
            code=claim.error["code"] if claim.error else None,
            attempts=lease.claim.attempts,
            artifacts=len(made),
            duration_ms=round(1000 * (time.monotonic() - started)),
        )
        return settled

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
                common_meta={
                    **describe_backend(self.row.name, work.backend, lease.claim.cache_key),
                    **self._describe_sound(job),
                },
            )
            try:
                with trace.span("store"):
                    made = writer.store(result.outputs)
                with trace.span("settle"):
                    load_asset(self.home, self.ctx, self.asset.asset_id)
                    return self._settle(lease, result, made), made
            except (LeaseLost, NotFound):  # another's by now, or erased: nothing of it may stay
                writer.discard()
                raise

    def _describe_sound(self, job: Job) -> dict[str, Any]:
        """What of the recording's sound was worked on, and what was left out."""
        if self.row.takes != "audio" or not job.media.has_audio:
            return {}
        return {"sound": job.media.heard.to_meta()}

    def _where(self, backend: Backend) -> tuple[str, str, str]:
        return self.row.name, backend.name, backend.version

    def _settle(self, lease: Lease, result: Result, made: list[Artifact]) -> Claim:
        remove_unfinished(self.home, self.ctx, lease.claim, made)
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
        write_record(self.home.documents, self.ctx, self.run_id, record)

    def _turn_back(self, lease: Lease, error: Transient) -> None:
        lease.release(error)
        record = StepRecord(
            step=self.row.name,
            reason=f"will be tried again: {error.message}",
            cache_key=lease.claim.cache_key,
            lease_generation=lease.claim.generation,
        )
        write_record(self.home.documents, self.ctx, self.run_id, record)
        log.warning("step.turned_back", code=error.code, attempts=lease.claim.attempts)

    def _give_up(self, lease: Lease) -> Settled:
        last = dict(lease.claim.error) if lease.claim.error else None
        error = AttemptsExhausted(lease.claim.attempts - 1, last, service=self.row.name)
        bury(self.home, self.message, error, cache_key=lease.claim.cache_key)
        remove_unfinished(self.home, self.ctx, lease.claim)
        settled = self._settled_by(lease.settle_failed(error))
        log.warning("step.given_up", outcome="failed", code=error.code)
        return settled

    def _settled_by(
        self, claim: Claim, made: list[Artifact] | None = None, *, cached: bool = False
    ) -> Settled:
        """``cached``: another run's work."""
        if claim.state == "failed":
            return self._settled(StepState.FAILED, claim, error=claim.error)
        state = StepState(claim.outcome or "done")
        if cached and state is StepState.DONE:
            state = StepState.CACHED
        return self._settled(state, claim, made, reason=claim.reason)

    def _settled(
        self,
        state: StepState,
        claim: Claim | None = None,
        made: list[Artifact] | None = None,
        **told: Any,
    ) -> Settled:
        record = StepRecord(step=self.row.name).settled(state, **told)
        if claim is not None:
            record = record.model_copy(
                update={
                    "cache_key": claim.cache_key,
                    "artifact_ids": claim.artifact_ids if claim.state == "done" else (),
                    "lease_generation": claim.generation,
                }
            )
        if not write_record(self.home.documents, self.ctx, self.run_id, record):
            standing = settled_before(self.home, self.ctx, self.run_id, self.row.name)
            return standing or Settled(record)  # what people see is told, not what came too late
        return Settled(record, tuple(made or ()))


def _made_from(job: Job) -> tuple[str, ...]:
    """The asset, and the artifacts that were read."""
    named = (job.artifact_id,) if job.artifact_id else ()
    read = (file.artifact_id for files in job.inputs.values() for file in files)
    return (job.asset_id, *named, *read, *(name for name in job.sources if name != job.asset_id))


class _ProgressTold:
    """Writes progress into the run where it can be seen, and stops an owner that lost its lease.

    Firestore sustains one write a second to a document, and asks money for each.
    """

    _EVERY_S: ClassVar = {"embedded": 0.5, "google": 2.0}
    _LEAST_STEP = 0.02

    def __init__(self, attempt: Attempt, lease: Lease) -> None:
        self._attempt = attempt
        self._lease = lease
        self._told_at = 0.0
        self._told = 0.0

    def __call__(self, fraction: float) -> None:
        self._lease.check()
        now, fraction = time.monotonic(), min(max(fraction, 0.0), 1.0)
        waited_s = now - self._told_at
        every_s = self._EVERY_S[self._attempt.home.settings.home]
        if waited_s >= every_s and fraction - self._told >= self._LEAST_STEP:
            self._told_at, self._told = now, fraction
            self._attempt._write_running(self._lease, fraction)
