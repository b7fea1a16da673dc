"""One attempt at a step: claim, fetch, engine, store, settle.

Once, for all steps. It returns how the step settled, and its caller tells that and moves the run on;
a ``Transient`` error turns the message back.

    the step settles    done | degraded | skipped | cached | failed   -> acknowledged
    parts asked for     claim parted, and given back                  -> acknowledged
    lease held          another worker is on it, and alive            -> comes again later
    transient error     claim released, attempt counted               -> comes again with backoff
    attempts exhausted  failed, and a dead letter                     -> acknowledged
    lease lost          nothing more is written                       -> comes again, finds the result
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import StepRecord, StepRequest, StepState
from shared.contracts.step_engine import JOINING_FROM, Backend, Job, Part, Result, Share
from shared.errors import (
    AttemptsExhausted,
    LeaseLost,
    NotFound,
    Permanent,
    RushesError,
    Transient,
    Unavailable,
    retold,
)
from shared.folders import work_folder
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.spent import spent_s
from shared.steps.asked import Asked
from shared.steps.burying import bury
from shared.steps.claims import Claim, Lease, known_result
from shared.steps.guarding import one_of_ours
from shared.steps.part_files import PartFiles
from shared.steps.part_rows import take_rows
from shared.steps.parts import (
    PartsStanding,
    all_parts,
    ask_for_next,
    split,
    standing_parts,
)
from shared.steps.preparing import Work, load_asset, out_of_range_wishes
from shared.steps.progress_told import EVERY_S, ProgressTold
from shared.steps.step_records import load_records, write_record
from shared.steps.storing import (
    ArtifactWriter,
    describe_backend,
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
    told_before: tuple[str, ...] = ()
    """The ids of what its run made earlier, which counts as new once more: whoever settled it may have
    died before telling. Another run's were told by that run."""


def settled_so(standing: StepRecord) -> Settled | None:
    """How the step whose record this is has settled, if it has: that is final, whatever comes again.

    A duplicate would otherwise be done by whatever version of the code it finds, or with what has
    been made since.
    """
    if not standing.state.settled:
        return None
    return Settled(standing, told_before=_own_artifacts(standing))


def _own_artifacts(record: StepRecord) -> tuple[str, ...]:
    """The ids of what the run itself made."""
    made = record.state in (StepState.DONE, StepState.DEGRADED)
    return record.artifact_ids if made else ()


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

        ``None``: there is nothing to tell yet, for its parts were asked for; or nobody left to be told,
        for the asset was erased meanwhile. Raises ``Transient`` to have the message come again.
        """
        bind(step=self.row.name, attempt=self.message.delivery_attempt, run_id=self.run_id)
        trace.name_span(self.row.name, run_id=self.run_id)
        try:
            work = Work.prepare(self.home, self.row, self.request, self.asset)
            wanted = self._wanted(work)
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
            return self._give_up(taken)
        return self._work_under(taken, work)

    def _wanted(self, work: Work) -> Claim:
        return work.claim()

    def take_known(self) -> Settled | None:
        """Take the result, if there is one: without the step's engine, where nothing has changed."""
        asked = Asked.of(self.home, self.row, self.request)
        claim = asked.known(self.home)
        if claim is None:
            try:
                work = Work.prepare(self.home, self.row, self.request, self.asset, asked)
                claim = known_result(
                    self.home.documents, self.ctx, work.claim(), force=self.request.force
                )
            except RushesError:  # for whoever does the step to say: here may lack what it leans on
                return None
        return self._take_over_result(claim) if claim is not None else None

    # -- the claim is settled already --------------------------------------------------------

    def _take_over_result(self, claim: Claim) -> Settled | None:
        own = claim.run_id == self.run_id
        if own and claim.parts:  # whoever settled it may have died before removing them
            self._parts_of(claim).remove()
        record = self._settled_by(claim, cached=not own).record
        log.info("step.result_taken", step=self.row.name, own=own, outcome=record.state.value)
        return Settled(record, told_before=_own_artifacts(record) if own else ())

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
            if lease.erased():
                self._forget_kept()
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
            claim, made = self._fail(lease, error), []
        if claim.state == "parted":
            log.info("step.parted", parts=len(claim.parts), at_once=claim.parts_at_once)
            return None
        self._clear_up(claim)
        log.info(
            "part.settled" if self.request.part else "step.settled",
            outcome=claim.outcome or claim.state,
            code=claim.error["code"] if claim.error else None,
            attempts=lease.claim.attempts,
            artifacts=len(made),
            duration_ms=round(1000 * (time.monotonic() - started)),
        )
        return self._finish(claim, made)

    def _finish(self, claim: Claim, made: list[Artifact]) -> Settled | None:
        """The claim is settled: what is due then."""
        return self._settled_by(claim, made)

    def _compute(self, lease: Lease, work: Work) -> tuple[Claim, list[Artifact]]:
        with work_folder() as folder:
            with trace.span("fetch"):
                inputs = work.inputs(folder)
            if planned := lease.claim.parts or split(work, inputs):
                standing = standing_parts(
                    self.home, self.ctx, lease.claim, len(planned), force=self.request.force
                )
                _raise_failure(standing.settled.values())
                if len(standing.settled) < len(planned):
                    return self._give_to_parts(lease, planned, standing), []
            with trace.span("fetch"):
                job = work.job(folder, inputs, self._progress(lease))
            with trace.span("engine"):
                result = self._result(lease, work, job, planned)
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

    def _give_to_parts(
        self, lease: Lease, planned: tuple[Part, ...], standing: PartsStanding
    ) -> Claim:
        """Give the claim back and ask for the parts that lack: so many as may be on their way at once."""
        at_once = take_rows(self.home, self.ctx, lease.claim, len(planned))
        claim = lease.give_to_parts(planned, at_once)
        self._write_running(lease, JOINING_FROM * len(standing.settled) / len(planned))
        ask_for_next(self.home, self.request, claim, range(at_once), standing)
        return claim

    def _result(self, lease: Lease, work: Work, job: Job, planned: tuple[Part, ...]) -> Result:
        if not planned or work.engine.parts is None:
            return work.engine.run(job, work.params, work.backend)
        folder = job.workdir.parent / "parts"
        folder.mkdir()
        files = self._parts_of(lease.claim).fetch(all_parts(lease.claim, len(planned)), folder)
        told = Share(job.progress, JOINING_FROM, 1 - JOINING_FROM)
        job = replace(job, progress=told)
        return work.engine.parts.join(job, work.params, work.backend, files)

    def _parts_of(self, claim: Claim) -> PartFiles:
        return PartFiles(self.home, self.ctx, self.asset.asset_id, digest(claim.cache_key))

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
        return lease.settle_done(result.state.value, reason=result.told, artifact_ids=identifiers)

    # -- what becomes of it ------------------------------------------------------------------

    def _progress(self, lease: Lease) -> ProgressTold:
        every_s = EVERY_S[self.home.settings.home]
        return ProgressTold(lease, every_s, lambda done: self._write_running(lease, done))

    def _write_running(self, lease: Lease, progress: float) -> None:
        record = StepRecord(
            step=self.row.name,
            state=StepState.RUNNING,
            progress=progress,
            cache_key=lease.claim.cache_key,
            lease_generation=lease.claim.generation,
            parts=len(lease.claim.parts),
        )
        write_record(self.home.documents, self.ctx, self.run_id, record)

    def _turn_back(self, lease: Lease, error: Transient) -> None:
        lease.release(error)
        self._write_waiting(lease, error)
        log.warning("step.turned_back", code=error.code, attempts=lease.claim.attempts)

    def _write_waiting(self, lease: Lease, error: Transient) -> None:
        record = StepRecord(
            step=self.row.name,
            reason=f"will be tried again: {error.message}",
            cache_key=lease.claim.cache_key,
            lease_generation=lease.claim.generation,
        )
        write_record(self.home.documents, self.ctx, self.run_id, record)

    def _give_up(self, lease: Lease) -> Settled | None:
        last = dict(lease.claim.error) if lease.claim.error else None
        error = AttemptsExhausted(lease.claim.attempts - 1, last, service=self.row.name)
        claim = self._fail(lease, error)
        self._clear_up(claim)
        return self._finish(claim, [])

    def _fail(self, lease: Lease, error: Permanent) -> Claim:
        """Settle the claim as failed; what was tried too often goes to the dead letters, to be sent again."""
        if isinstance(error, AttemptsExhausted):
            bury(self.home, self.message, error, cache_key=lease.claim.cache_key)
        remove_unfinished(self.home, self.ctx, lease.claim)
        log.warning("step.failed", code=error.code, generation=lease.claim.generation)
        return lease.settle_failed(error)

    def _clear_up(self, claim: Claim) -> None:
        """Nobody needs what was kept of the work on its way."""
        if claim.parts:
            self._parts_of(claim).remove()

    def _forget_kept(self) -> None:
        """The claim is gone. A step keeps nothing before it is stored."""

    def _settled_by(
        self, claim: Claim, made: list[Artifact] | None = None, *, cached: bool = False
    ) -> Settled:
        """``cached``: another run's work."""
        if claim.failed:
            return self._settled(StepState.FAILED, claim, error=claim.error)
        state = StepState(claim.outcome or "done")
        if cached and state is StepState.DONE:
            state = StepState.CACHED
        told = [*out_of_range_wishes(self.home, self.row, self.request.params), claim.reason]
        reason = "; ".join(filter(None, told)) or None
        return self._settled(state, claim, made, reason=reason)

    def _settled(
        self,
        state: StepState,
        claim: Claim | None = None,
        made: list[Artifact] | None = None,
        **told: Any,
    ) -> Settled:
        record = StepRecord(step=self.row.name).settled(state, spent_s=spent_s(), **told)
        if claim is not None:
            record = record.model_copy(
                update={
                    "cache_key": claim.cache_key,
                    "artifact_ids": claim.artifact_ids if claim.done else (),
                    "lease_generation": claim.generation,
                    "parts": len(claim.parts),
                    "parts_done": len(claim.parts) if claim.done else 0,
                }
            )
        if not write_record(self.home.documents, self.ctx, self.run_id, record):
            found = load_records(self.home.documents, self.ctx, self.run_id, (self.row.name,))
            standing = found.get(self.row.name)  # what people see is told, not what came too late
            known = settled_so(standing) if standing else None
            return known or Settled(record)
        return Settled(record, tuple(made or ()))


def _raise_failure(settled: Iterable[Claim]) -> None:
    """Raise what the first part that failed has failed of."""
    for claim in settled:
        if claim.error is not None:
            raise retold(claim.error)


def _made_from(job: Job) -> tuple[str, ...]:
    """The asset, and the artifacts that were read."""
    named = (job.artifact_id,) if job.artifact_id else ()
    read = (file.artifact_id for files in job.inputs.values() for file in files)
    return (job.asset_id, *named, *read, *(name for name in job.sources if name != job.asset_id))
