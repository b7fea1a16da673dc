"""Cache keys, claims and leases: effects happen once, though messages arrive any number of times.

A claim is one document under the hash of the cache key. Each arrow is a single write with a
precondition, so of several workers one wins:

    (absent) --create--> running g1 --settle--> done (artifact ids)
                            |   |
                            |   +---settle----> failed (the error)
                            |   +---release---> released (the last error) --take--> running g2
                            |
                            +--(not renewed for lease_s)--take--> running g2
                            |
                            +---give to parts---> parted --take--> running g2   (looks at its parts, joins)

``g`` is the lease generation. An owner renews its lease while it works; whoever takes over writes
the next generation, and from then on no write of the former owner's passes: its renewals and its
settling demand a document version that is gone, its objects and artifact documents demand a
generation that it has not seen (``shared.steps.storing``).

A lease's age is read off the document store's own clock (``read_at - updated_at``), so workers'
clocks need not agree.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, Self

from pydantic import ConfigDict

from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, digest
from shared.contracts.model import Model
from shared.contracts.step_engine import Part
from shared.errors import Conflict, LeaseHeld, LeaseLost, RushesError, Transient
from shared.homes.documents import Document, Documents
from shared.lazy_log import get_logger

log = get_logger()


LONGEST_STATED = 4_096
"""Longer params stand in a key by their hash: its claim holds them already, in the recall."""


def common_cache_key(
    ctx: RequestContext,
    step: str,
    subject: str,
    params: Mapping[str, Any],
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """Tenant, env, asset (or artifact), step, canonical params, backend version, and what it follows.

    ``upstream`` holds the cache keys of the steps that this one needs: a changed param there
    changes the key here, a failure there does not.
    """
    stated = canonical_json(params)
    if len(stated) > LONGEST_STATED:
        stated = f"sha256:{digest(params)}"
    parts = [ctx.tenant_id, ctx.env, subject, step, stated, backend_version]
    if upstream:
        parts.append(digest(upstream)[:16])
    return "|".join(parts)


class Recall(Model):
    """The message that would have a claim's work done again; the sweep publishes it."""

    model_config = ConfigDict(frozen=True)

    topic: str
    data: str
    attributes: dict[str, str]


class Claim(Model):
    """A claim as its document keeps it."""

    model_config = ConfigDict(frozen=True)

    cache_key: str
    step: str
    asset_id: str | None = None
    run_id: str
    """The run that computed it, or is computing it."""
    state: Literal["running", "released", "parted", "done", "failed"] = "running"
    generation: int = 1
    renewals: int = 0
    """Makes each renewal a change, without which a store may keep the old time of writing."""
    lease_s: float
    attempts: int = 1
    """How often it was begun since it last settled, but for those that ended because something else was
    away: what a crash or this machine's limits end counts."""
    waiting_since: float | None = None
    """Unix seconds: since when it has been given back again and again."""
    inputs: tuple[str, ...] = ()
    """The artifacts it is made from: with others it must be made again, e.g. once a failed one is there."""
    parts: tuple[Part, ...] = ()
    """What it was split into; each part has a claim of its own."""
    parts_at_once: int = 0
    """So many of them are on their way at a time."""
    part_of: str | None = None
    """Of a part: the digest of the cache key of the work that was split."""
    part_number: int | None = None
    progress: float = 0.0
    """Of a part, as of the last renewal."""
    missing: tuple[str, ...] = ()
    """The dependencies that were not there: once one is, a degraded result must be made again."""
    artifact_ids: tuple[str, ...] = ()
    """Of the last time that it was done."""
    writing: tuple[str, ...] = ()
    """Keys of objects that owners have begun to write since: what becomes of none goes, should they end
    otherwise than by settling it."""
    backend_version: str | None = None
    """Of what does it; ``None`` in claims from before this was kept."""
    asked: str | None = None
    """What was asked for, and in which surroundings (``shared.steps.asked``); ``None``: to be told by its
    cache key alone."""
    processor: str | None = None
    """The kind of processor of the machine that does it; ``None`` in claims from before this was kept."""
    outcome: str | None = None
    """The step's state when done: ``done``, ``degraded`` or ``skipped``."""
    reason: str | None = None
    error: Mapping[str, Any] | None = None
    recall: Recall | None = None

    @property
    def done(self) -> bool:
        """Is there a result?"""
        return self.state == "done"

    @property
    def failed(self) -> bool:
        """Can it not be done?"""
        return self.state == "failed"

    @property
    def settled(self) -> bool:
        """Is nobody to work on it any more?"""
        return self.done or self.failed

    def alive(self, document: Document) -> bool:
        """Is its owner still renewing?"""
        return self.state == "running" and self.seconds_left(document) > 0

    def seconds_left(self, document: Document) -> float:
        """Seconds until the lease lapses, by the store's clock; negative once it has.

        None can have twice its length left, but where that clock stood ahead when it was written: it has
        lapsed, then, and an owner that lives renews it.
        """
        left_s = self.lease_s - (document.read_at - document.updated_at)
        return left_s if left_s <= 2 * self.lease_s else -math.inf

    def answers(self, wanted: Claim, *, force: bool) -> bool:
        """Does this settled claim settle what ``wanted`` asks for?

        A failure is final for its own run, and tried again by the next. ``force`` computes again,
        but once: the same message again finds the result of its own run.
        """
        same_run = self.run_id == wanted.run_id
        if self.done:
            lacking = self.outcome == "degraded" and self.missing != wanted.missing
            return self.inputs == wanted.inputs and not lacking and (same_run or not force)
        return self.failed and same_run


def claim_path(ctx: RequestContext, cache_key: str) -> str:
    """Where the claim for this key lives."""
    return f"{ctx.document_prefix}cache/{digest(cache_key)}"


def load_claim(documents: Documents, ctx: RequestContext, cache_key: str) -> Claim | None:
    """The claim as it stands, if there is one."""
    document = documents.get(claim_path(ctx, cache_key))
    return Claim.model_validate(document.data) if document else None


def forgive(documents: Documents, ctx: RequestContext, cache_key: str) -> None:
    """Forget a recorded failure and its attempts, so that the work may be asked for afresh.

    The generations go on counting: a former owner's late word stays late.
    """
    document = documents.get(claim_path(ctx, cache_key))
    if document is None:
        return
    claim = Claim.model_validate(document.data)
    if claim.failed:
        fresh = claim.model_copy(update={"state": "released", "attempts": 0, "error": None})
        documents.update(document.path, fresh.model_dump(mode="json"), version=document.version)


def known_result(
    documents: Documents, ctx: RequestContext, wanted: Claim, *, force: bool
) -> Claim | None:
    """The claim that settles what ``wanted`` asks for, if its work is done; nothing is claimed.

    Where it was asked for in other surroundings, these are noted: next time nobody need look as closely.
    """
    document = documents.get(claim_path(ctx, wanted.cache_key))
    found = Claim.model_validate(document.data) if document else None
    if document is None or found is None or not found.done:
        return None
    if not found.answers(wanted, force=force):
        return None
    if wanted.asked not in (None, found.asked):
        noted = found.model_copy(update={"asked": wanted.asked})
        with suppress(Conflict):  # another has been quicker
            documents.update(document.path, noted.model_dump(mode="json"), version=document.version)
    return found


class Lease:
    """The right to do a claim's work. Every write through it proves that it still holds."""

    def __init__(self, documents: Documents, document: Document, claim: Claim) -> None:
        self._documents = documents
        self._path = document.path
        self._version = document.version
        self._lock = threading.Lock()
        self._lost = False
        self.claim = claim
        self.progress = 0.0
        """Told with the renewals."""

    @classmethod
    def take(
        cls, documents: Documents, ctx: RequestContext, wanted: Claim, *, force: bool = False
    ) -> Self | Claim:
        """Take the work, or return the claim that settles it.

        Raises ``LeaseHeld`` while another worker is on it, or another run's parts are.
        """
        path = claim_path(ctx, wanted.cache_key)
        document = documents.get(path)  # first, for most messages ask for what is known
        if document is None:
            try:
                created = documents.create(path, wanted.model_dump(mode="json"))
            except Conflict:  # another taker was quicker
                raise LeaseHeld(wanted.lease_s) from None
            return cls(documents, created, wanted)
        found = Claim.model_validate(document.data)
        if found.alive(document):
            raise LeaseHeld(found.seconds_left(document))
        if found.answers(wanted, force=force):
            return found
        if found.state == "parted" and found.run_id != wanted.run_id:
            raise LeaseHeld(wanted.lease_s)
        return cls.take_over(documents, document, found, wanted)

    @classmethod
    def take_over(
        cls, documents: Documents, document: Document, found: Claim, wanted: Claim
    ) -> Self:
        """Become the next owner of a claim that stands; raises ``LeaseHeld`` if another was quicker."""
        begun = found.state in ("running", "released")
        planned = not found.settled and found.inputs == wanted.inputs
        successor = wanted.model_copy(
            update={
                "state": "running",
                "generation": found.generation + 1,
                "attempts": (found.attempts if begun else 0) + 1,
                "waiting_since": found.waiting_since if begun else None,
                "error": found.error if found.state == "released" else None,
                "artifact_ids": found.artifact_ids,
                "writing": found.writing,
                "parts": found.parts if planned else (),
                "parts_at_once": found.parts_at_once if planned else 0,
            }
        )
        try:
            taken = documents.update(
                document.path, successor.model_dump(mode="json"), version=document.version
            )
        except Conflict:
            raise LeaseHeld(wanted.lease_s) from None
        return cls(documents, taken, successor)

    def renew(self, **known: Any) -> None:
        """Prove that the lease still holds, and hold it for another ``lease_s``; or ``LeaseLost``.

        ``known``: what has become known of the claim's fields.
        """
        done = round(self.progress, 3)
        self._write({"renewals": self.claim.renewals + 1, "progress": done, **known})

    def begin_writing(self, keys: Iterable[str]) -> None:
        """Prove the lease, and note which objects are about to be written under it."""
        self._write({"writing": tuple(sorted({*self.claim.writing, *keys}))})

    def check(self) -> None:
        """Raise ``LeaseLost`` if a renewal has found it lost. Costs nothing."""
        if self._lost:
            raise LeaseLost(self.claim.generation)

    def give_to_parts(self, parts: Sequence[Part], at_once: int) -> Claim:
        """Give it back while its parts are done. May raise ``LeaseLost``."""
        return self._write({"state": "parted", "parts": tuple(parts), "parts_at_once": at_once})

    def settle_done(self, outcome: str, **result: Any) -> Claim:
        """The work is done; ``result`` is more of the claim's fields. May raise ``LeaseLost``."""
        return self._write(
            {"state": "done", "outcome": outcome, "error": None, "writing": (), **result}
        )

    def settle_failed(self, error: RushesError) -> Claim:
        """It cannot be done. Raises ``LeaseLost`` if it was taken over."""
        return self._write({"state": "failed", "error": error.to_json(), "writing": ()})

    def release(self, error: Transient) -> Claim:
        """Give it back after a transient failure, for the next delivery. May raise ``LeaseLost``."""
        counted = self.claim.attempts if error.counted else max(0, self.claim.attempts - 1)
        return self._write(
            {
                "state": "released",
                "error": error.to_json(),
                "attempts": counted,
                "waiting_since": self.claim.waiting_since or time.time(),
            }
        )

    def worn_out(self, max_attempts: int, patience_s: float) -> bool:
        """Is it to be given up: begun too often, or given back for too long?"""
        waited_s = time.time() - (self.claim.waiting_since or time.time())
        return self.claim.attempts > max_attempts or waited_s > patience_s

    def forget(self) -> None:
        """Remove the claim: there is nothing left that it could be about."""
        with self._lock:
            self._lost = True
            with suppress(Conflict):
                self._documents.delete(self._path, version=self._version)

    def erased(self) -> bool:
        """Is the claim gone altogether, because its asset was erased?"""
        return self._documents.get(self._path) is None

    def _write(self, changes: Mapping[str, Any]) -> Claim:
        with self._lock:
            self.check()
            claim = self.claim.model_copy(update=dict(changes))
            try:
                document = self._documents.update(
                    self._path, claim.model_dump(mode="json"), version=self._version
                )
            except Conflict:
                self._lost = True
                raise LeaseLost(self.claim.generation) from None
            self._version = document.version
            self.claim = claim
            return claim

    @contextmanager
    def kept_alive(self, at_most_s: float) -> Iterator[None]:
        """Renew in the background, for ``at_most_s``: then a hanging owner may be replaced."""
        done = threading.Event()
        thread = threading.Thread(
            target=self._renew_until, args=(done, at_most_s), name="lease", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew_until(self, done: threading.Event, at_most_s: float) -> None:
        every_s = self.claim.lease_s / 3
        for _ in range(int(at_most_s / every_s)):
            if done.wait(every_s):
                return
            try:
                self.renew()
            except LeaseLost:
                return
            except RushesError as error:  # the store is away: the next beat may find it again
                log.warning("lease.renewal_failed", code=error.code)
