"""Intake: an upload becomes an asset, opens its run, and asks for the first steps.

The run is opened before anything can fail, so that people see a failed upload as such. All of it
is repeatable: run, asset and claim ids derive from the object's bucket, key and generation, or from
its bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts.asset import MOST_SOURCES, Asset, Probed, Source
from shared.contracts.ids import asset_id, checked_name, digest, json_from_outside
from shared.contracts.message import Message
from shared.contracts.step import Run, StepRecord, StepState, bounded_params
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import Upload
from shared.errors import (
    AttemptsExhausted,
    Conflict,
    LeaseLost,
    NotFound,
    Permanent,
    Transient,
    Unavailable,
    ValidationError,
)
from shared.folders import work_folder
from shared.homes.home import Home
from shared.homes.objects import ObjectInfo
from shared.homes.objects.fetch import Fetched, fetch_object
from shared.homes.outbox import sent_together
from shared.homes.tenant_limits import max_input_bytes, tenant_settings
from shared.lazy_log import get_logger
from shared.pipeline import BY_NAME, PROBE, default_steps, with_needs
from shared.runs import planning
from shared.runs.erasing import await_erased
from shared.runs.opening import agreed_params, base_params, planned_steps
from shared.runs.records import change_run, load_run, open_upload_run, upload_run_id
from shared.runs.results import publish_settled
from shared.steps.burying import bury
from shared.steps.claims import Claim, Lease, Recall
from shared.steps.guarding import one_of_ours
from shared.steps.preparing import asset_path
from shared.steps.step_records import load_records, run_path, write_record
from shared.watch import trace
from shared.watch.log import bind, bind_tenant

log = get_logger()

PROBE_TIMEOUT_S = 600


Probe = Callable[[Path], Probed]


@dataclass(frozen=True)
class Wishes:
    """What the uploader attached to the object: which steps, with which params, for whom."""

    steps: tuple[str, ...] | None = None
    params: Mapping[str, Mapping[str, Any]] | None = None
    user_id: str | None = None
    name: str | None = None

    @staticmethod
    def read(metadata: Mapping[str, str]) -> Wishes:
        """From the metadata ``rushes-steps`` (names with commas), ``rushes-params`` (JSON: step ->
        params), ``rushes-user`` and ``rushes-name``. Raises ``ValidationError``.
        """
        steps = metadata.get("rushes-steps")
        params = json_from_outside("rushes-params", metadata.get("rushes-params") or "{}")
        if not isinstance(params, dict) or not all(isinstance(v, dict) for v in params.values()):
            raise ValidationError("rushes-params", "must map each step to its params")
        wanted = tuple(name.strip() for name in steps.split(",") if name.strip()) if steps else None
        with_needs([name for name in (*(wanted or ()), *params) if name != PROBE])
        user_id = metadata.get("rushes-user")
        if user_id is not None:
            checked_name("rushes-user", user_id)
        for name, wished in params.items():
            try:
                bounded_params(wished)
            except ValueError as error:
                raise ValidationError(f"rushes-params.{name}", str(error)) from None
        return Wishes(wanted, params, user_id, metadata.get("rushes-name"))

    def metadata(self) -> dict[str, str]:
        """The same, to attach to an upload."""
        told = {
            "rushes-steps": ",".join(self.steps) if self.steps is not None else None,
            "rushes-params": json.dumps(self.params) if self.params else None,
            "rushes-user": self.user_id,
            "rushes-name": self.name,
        }
        return {name: value for name, value in told.items() if value}


def take_in(upload: Upload, message: Message, home: Home, probe: Probe) -> None:
    """Make the asset and ask for its steps; raises ``Transient`` to have the message come again."""
    _Intake(upload, message, home, probe).make()


@dataclass(frozen=True)
class _Intake:
    upload: Upload
    message: Message
    home: Home
    probe: Probe

    def make(self) -> None:
        bind(step=PROBE, attempt=self.message.delivery_attempt)
        bind_tenant(self.upload.ctx.tenant_id, self.upload.ctx.env)
        info = self.home.objects.stat(self.upload.key)
        if info is None:
            self._end_without_upload()
            return
        if info.size == 0 and info.generation == self.upload.generation:
            log.info("upload.empty")  # a placeholder, announced by its attributes alone
            return
        name = info.metadata.get("rushes-name", self.upload.name)
        run = open_upload_run(self.home.documents, self.upload, name, at=time.time())
        if self.home.objects.stat(self.upload.key) is None:  # erased before the run was opened anew
            self._end_without_upload()
            return
        bind(run_id=run.run_id)
        trace.name_span(PROBE, run_id=run.run_id)
        with trace.span("claim"):
            taken = Lease.take(self.home.documents, self.upload.ctx, self._wanted(run))
        if isinstance(taken, Claim):
            self._tell(run, taken)
        elif taken.worn_out(self.home.settings.max_attempts, self.home.settings.patience_s):
            self._give_up(run, taken)
        else:
            self._work_under(run, taken, info)

    def _end_without_upload(self) -> None:
        """It was deleted: before it was first looked at nobody waits, afterwards its run does."""
        log.info("upload.gone")
        documents, ctx = self.home.documents, self.upload.ctx
        try:
            run = load_run(documents, ctx, upload_run_id(self.upload))
        except NotFound:
            return
        if PROBE not in load_records(documents, ctx, run.run_id, (PROBE,)):
            documents.delete(run_path(ctx, run.run_id))
            return
        taken = Lease.take(documents, ctx, self._wanted(run))
        settled: Claim | None
        if isinstance(taken, Lease):
            self._remove_unregistered(taken)
            settled = self._skipped(taken, self._superseded())
        else:
            settled = taken
        if settled is not None:
            self._tell(run, settled)

    def _skipped(self, lease: Lease, reason: str | None) -> Claim | None:
        """Settle the claim so; ``None`` if its run was erased: then the claim, which names the file, goes."""
        if self.home.documents.get(run_path(self.upload.ctx, lease.claim.run_id)) is None:
            lease.forget()
            return None
        return lease.settle_done(StepState.SKIPPED.value, reason=reason)

    def _wanted(self, run: Run) -> Claim:
        ctx = self.upload.ctx
        parts = (PROBE, ctx.tenant_id, ctx.env, self.upload.key, str(self.upload.generation))
        return Claim(
            cache_key="|".join(parts),
            step=PROBE,
            run_id=run.run_id,
            lease_s=self.home.settings.lease_s,
            recall=Recall(
                topic=UPLOADS_TOPIC,
                data=self.message.data.decode(errors="replace"),
                attributes=dict(self.message.attributes),
            ),
        )

    def _work_under(self, run: Run, lease: Lease, info: ObjectInfo) -> None:
        self._record(run, StepRecord(step=PROBE, state=StepState.RUNNING), lease.claim)
        try:
            with lease.kept_alive(PROBE_TIMEOUT_S), one_of_ours(PROBE, PROBE, None):
                claim = self._accept(run, lease, info)
        except LeaseLost:
            raise
        except Transient as error:
            lease.release(error)
            raise
        except Permanent as error:
            self._remove_unregistered(lease)
            reason = self._superseded() if isinstance(error, NotFound) else None
            settled = self._skipped(lease, reason) if reason else lease.settle_failed(error)
            log.warning("upload.refused", code=error.code, superseded=reason is not None)
            if settled is None:
                return
            claim = settled
        self._tell(run, claim)

    def _accept(self, run: Run, lease: Lease, info: ObjectInfo) -> Claim:
        if info.generation != self.upload.generation:
            raise NotFound("upload", f"{self.upload.name} at generation {self.upload.generation}")
        wishes = Wishes.read(info.metadata)
        with work_folder() as folder:
            with trace.span("fetch"):
                fetched = self._fetch(folder)
            known = self._known_asset(fetched)
            asset = known or self._new_asset(fetched, lease)
        lease.renew(asset_id=asset.asset_id)  # so that an erasure finds the claim
        with trace.span("store"):
            asset = self._register(asset, run.source)
        run = change_run(
            self.home.documents, self.upload.ctx, run.run_id, **self._plan(wishes, asset)
        )
        with trace.span("publish"), sent_together(self.home) as held:
            planning.start(held, self.upload.ctx, run, asset, known_first=known is not None)
        with trace.span("settle"):
            told = "; ".join(asset.media.every_notice) or None
            return lease.settle_done("done", asset_id=asset.asset_id, reason=told)

    def _superseded(self) -> str | None:
        """Why this generation cannot be found: the object was overwritten, or deleted, meanwhile."""
        info = self.home.objects.stat(self.upload.key)
        if info is None:
            return "deleted before it was read"
        if info.generation > self.upload.generation:
            return "superseded: a newer upload under the same name has replaced it"
        return None

    def _fetch(self, folder: Path) -> Fetched:
        return fetch_object(
            self.home.objects,
            self.upload.key,
            folder / "upload",
            max_bytes=max_input_bytes(self.home, self.upload.ctx),
            generation=self.upload.generation,
        )

    def _plan(self, wishes: Wishes, asset: Asset) -> dict[str, Any]:
        standing = tenant_settings(self.home, self.upload.ctx)
        steps = wishes.steps if wishes.steps is not None else standing.get("steps")
        if steps is None:
            wanted = [name for name in default_steps() if BY_NAME[name].concerns(asset.media)]
        else:
            wanted = [name for name in steps if name != PROBE]
        asked = wishes.params or {}
        planned = planned_steps(wanted, asked, media=asset.media)
        params = {**base_params(self.home, self.upload.ctx, planned), **asked}
        return {
            "asset_id": asset.asset_id,
            "planned": (PROBE, *planned),
            "asked": _named(wishes, planned),
            "params": agreed_params(planned, params, asked),
            "user_id": wishes.user_id,
        }

    def _known_asset(self, fetched: Fetched) -> Asset | None:
        """The asset of these bytes, if it stands already: then nothing need be probed or copied."""
        ctx = self.upload.ctx
        identifier = asset_id(ctx.tenant_id, ctx.env, fetched.sha256)
        document = self.home.documents.get(asset_path(ctx, identifier))
        asset = Asset.model_validate(document.data) if document else None
        if document and asset and asset.erasing:
            await_erased(self.home, document)
        return asset

    def _new_asset(self, fetched: Fetched, lease: Lease) -> Asset:
        ctx = self.upload.ctx
        with trace.span("engine"):
            probed = self.probe(fetched.path)
        identifier = asset_id(ctx.tenant_id, ctx.env, fetched.sha256)
        folder = f"{ctx.object_prefix}media_v2/{identifier}/source"
        asset = Asset(
            asset_id=identifier,
            tenant_id=ctx.tenant_id,
            env=ctx.env,
            sha256=fetched.sha256,
            bytes=fetched.bytes,
            content_type=probed.content_type,
            key=f"{folder}/{identifier}.{probed.extension}",
            media=probed.media,
        )
        lease.begin_writing((asset.key,))
        if fetched.decoded:  # an asset is its bytes: no copy of it is encoded
            self.home.objects.put(asset.key, fetched.path, content_type=asset.content_type)
        else:
            self.home.objects.copy(self.upload.key, asset.key, generation=self.upload.generation)
        return asset

    def _register(self, asset: Asset, name: str) -> Asset:
        """Create the asset, or add this upload to the sources of the one that stands."""
        documents = self.home.documents
        source = Source(key=self.upload.key, generation=self.upload.generation, name=name)
        path = asset_path(self.upload.ctx, asset.asset_id)
        own = f"{path}/sources/{digest(source.key, source.generation)[:32]}"
        documents.put(own, source.model_dump(mode="json"))
        while True:
            document = documents.get(path)
            standing = Asset.model_validate(document.data) if document else asset
            if document and standing.erasing:
                await_erased(self.home, document)
            if source in standing.sources or len(standing.sources) >= MOST_SOURCES:
                return standing
            grown = standing.model_copy(update={"sources": (*standing.sources, source)})
            content = grown.model_dump(mode="json")
            try:
                if document is None:
                    documents.create(path, content)
                else:
                    documents.update(path, content, version=document.version)
            except Conflict:
                continue
            self._prove_copied(path, grown)
            return grown

    def _prove_copied(self, path: str, asset: Asset) -> None:
        """An erasure that ended since the copy was made, or found, took it along: then begin anew."""
        if self.home.objects.stat(asset.key) is None:
            self.home.documents.delete(path)
            raise Unavailable("the recording", "an earlier upload of it was erased meanwhile")

    def _remove_unregistered(self, lease: Lease) -> None:
        """Before giving up: a copy that became no asset's goes."""
        for key in lease.claim.writing:
            path = asset_path(self.upload.ctx, Path(key).stem)
            if self.home.documents.get(path) is None:
                self.home.objects.delete(key)

    def _tell(self, run: Run, claim: Claim) -> None:
        """Record how probing went, and once more ask for what follows, should that have been lost."""
        state = StepState.FAILED if claim.failed else StepState(claim.outcome or "done")
        record = StepRecord(step=PROBE).settled(state, error=claim.error, reason=claim.reason)
        self._record(run, record, claim)
        publish_settled(self.home, self.upload.ctx, run.run_id, record)
        log.info(
            "upload.taken_in",
            outcome=state.value,
            code=claim.error["code"] if claim.error else None,
            attempts=claim.attempts,
            generation=claim.generation,
        )

    def _record(self, run: Run, record: StepRecord, claim: Claim) -> None:
        stamped = record.model_copy(update={"lease_generation": claim.generation})
        write_record(self.home.documents, self.upload.ctx, run.run_id, stamped)

    def _give_up(self, run: Run, lease: Lease) -> None:
        last = dict(lease.claim.error) if lease.claim.error else None
        error = AttemptsExhausted(lease.claim.attempts - 1, last, service=PROBE)
        bury(self.home, self.message, error, cache_key=lease.claim.cache_key)
        self._remove_unregistered(lease)
        self._tell(run, lease.settle_failed(error))


def _named(wishes: Wishes, planned: Sequence[str]) -> tuple[str, ...]:
    """The steps that the upload names, by themselves or by a param."""
    named = {*(wishes.steps or ()), *(wishes.params or {})}
    return tuple(name for name in planned if name in named)
