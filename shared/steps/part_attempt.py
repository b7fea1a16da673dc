"""One attempt at a part of a step: like one at a step, but for what it leaves and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.artifact import Artifact
from shared.contracts.ids import digest
from shared.contracts.step import PartAsked, StepRecord, StepState
from shared.contracts.step_engine import JOINING_FROM, Part
from shared.errors import Permanent, RushesError, Transient, Unavailable
from shared.folders import work_folder
from shared.lazy_log import get_logger
from shared.steps.attempt import Attempt, Settled
from shared.steps.claims import Claim, Lease, load_claim
from shared.steps.guarding import one_of_ours
from shared.steps.part_files import PartFiles
from shared.steps.parts import ask_for_next, part_key, standing_parts
from shared.steps.preparing import Work, load_asset, publish_request
from shared.steps.step_records import load_records, write_record
from shared.watch import trace
from shared.watch.log import bind

log = get_logger()


@dataclass(frozen=True)
class PartAttempt(Attempt):
    """One delivery of one request for a part. It settles the part's own claim, and nothing of the step's."""

    @property
    def asked(self) -> PartAsked:
        """Which part."""
        assert self.request.part is not None
        return self.request.part

    def make(self) -> Settled | None:
        """Do the part, and ask for what is due then; nobody is told.

        Raises ``Transient`` to have the message come again.
        """
        bind(part=self.asked.number)
        records = load_records(self.home.documents, self.ctx, self.run_id, [self.row.name])
        record = records.get(self.row.name)
        if record is not None and record.cache_key not in (None, self.asked.of):
            self._files.forget(self.asked)  # another version of the code has begun on the step anew
            return None
        if self._whole() is None:
            self._ask_for_step()
            return None
        return super().make()

    @property
    def _files(self) -> PartFiles:
        return PartFiles(self.home, self.ctx, self.asset.asset_id, digest(self.asked.of))

    def _whole(self) -> Claim | None:
        """The claim of what was split, while that waits for its parts."""
        whole = load_claim(self.home.documents, self.ctx, self.asked.of)
        if whole is None or whole.settled:
            return None
        return whole if len(whole.parts) == self.asked.count else None

    def _ask_for_step(self) -> None:
        publish_request(self.home, self.request.model_copy(update={"part": None}))

    # -- what differs from a step ------------------------------------------------------------

    def _wanted(self, work: Work) -> Claim:
        """Raises ``Unavailable`` where this version of the code would make another part."""
        if work.cache_key != self.asked.of:
            raise Unavailable("this part", "another version of the code has planned it")
        own = {
            "cache_key": part_key(self.asked),
            "part_of": digest(self.asked.of),
            "part_number": self.asked.number,
        }
        return work.claim().model_copy(update=own)

    def _compute(self, lease: Lease, work: Work) -> tuple[Claim, list[Artifact]]:
        """What the part leaves is kept until the join, under no artifact's name."""
        whole, parts = self._whole(), work.engine.parts
        if whole is None or parts is None:
            raise Unavailable("this part", "its step is being planned anew")
        part = whole.parts[self.asked.number]
        with work_folder() as folder:
            with trace.span("fetch"):
                job = work.job(folder, work.inputs(folder), self._progress(lease))
            with trace.span("engine"), one_of_ours(*self._where(work.backend)):
                path = parts.part(job, work.params, work.backend, part)
            lease.renew()
            load_asset(self.home, self.ctx, self.asset.asset_id)
            self._files.keep(self.asked, path)
            return lease.settle_done(StepState.DONE.value), []

    def _take_over_result(self, claim: Claim) -> None:
        self._go_on()

    def _finish(self, claim: Claim, made: list[Artifact]) -> None:
        self._go_on()

    def _go_on(self) -> None:
        """Ask for the next part; for the step, if this was the last part or one has failed."""
        whole = self._whole()
        if whole is None:  # settled by others, who did not wait for this one
            self._files.forget(self.asked)
            self._ask_for_step()
            return
        count, force = len(whole.parts), self.request.force
        standing = standing_parts(self.home, self.ctx, whole, count, force=force)
        settled = standing.settled
        done = sum(claim.done for claim in settled.values())
        self._write_done(whole, done)
        if done < len(settled) or done == count:
            self._ask_for_step()
        else:
            row = self.asked.number + whole.parts_at_once
            ask_for_next(self.home, self.request, whole, [row], standing)

    def _write_done(self, whole: Claim, done: int) -> None:
        record = StepRecord(
            step=self.row.name,
            state=StepState.RUNNING,
            progress=JOINING_FROM * done / len(whole.parts),
            cache_key=whole.cache_key,
            lease_generation=whole.generation,
            parts=len(whole.parts),
            parts_done=done,
        )
        write_record(self.home.documents, self.ctx, self.run_id, record)

    def _write_running(self, lease: Lease, progress: float) -> None:
        lease.progress = progress  # the next renewal tells it

    def _write_waiting(self, lease: Lease, error: Transient) -> None:
        """The step as a whole does not wait."""

    def _fail(self, lease: Lease, error: Permanent) -> Claim:
        """The step fails of it, and is what the dead letters keep."""
        whole = self._whole()
        if whole is not None:
            _locate(error, self.asked, whole.parts[self.asked.number])
        log.warning("part.failed", code=error.code, generation=lease.claim.generation)
        return lease.settle_failed(error)

    def _clear_up(self, claim: Claim) -> None:
        """What it left is needed for the join."""

    def _forget_kept(self) -> None:
        self._files.forget(self.asked)


def _locate(error: RushesError, asked: PartAsked, part: Part) -> None:
    """Say of which part it is."""
    error.fields.setdefault(
        "part",
        {
            "number": asked.number + 1,
            "count": asked.count,
            "start_ms": part.start_ms,
            "end_ms": part.end_ms,
        },
    )
