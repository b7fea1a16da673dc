"""Erasing an asset: its objects, artifacts, claims, runs, uploads and all that names it.

    mark the asset ──> remove, pass after pass, until a pass finds nothing ──> remove the asset
         |
         |  steps: not found, and what they stored meanwhile is removed
         |  intake and registering: wait, and then take the bytes in anew
         └─ cut short anywhere: the sweep goes on (``resume_erasures``), or whoever waits (``await_erased``)

    an hour later the sweep looks once more, for what a worker wrote that died before it saw (``_look_again``)

The mark comes first, so that nobody begins on the asset any more; who began before proves the asset
again before settling (``shared.steps.attempt``). An erasure is a run of its own, which names no file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.ids import run_id
from shared.contracts.step import Run, StepRecord, StepState
from shared.contracts.upload import Upload
from shared.errors import Conflict, NotFound, Unavailable
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.runs.records import open_run, upload_run_id
from shared.runs.results import publish_settled
from shared.steps.claims import claim_path
from shared.steps.preparing import asset_path
from shared.steps.step_records import run_path, write_record

STEP = "erase"
"""The one step of an erasure's run. It has no row: nothing is made by it."""
RESUMED_AFTER_S = 120.0
"""An erasure that has not moved for so long was cut short."""
AGAIN_AFTER_S = 3600.0
"""Longer than any worker takes from writing an object to registering it."""
_PARALLEL = 16
_OF_ASSET = {
    "cache_documents": "cache",
    "artifacts": "artifacts",
    "clips": "clips",
    "comments": "comments",
    "edit_lists": "edit_lists",
    "dead_letters": "dead_letters",
}
"""What is told as removed -> the collection, whose documents name the asset."""

log = get_logger()

Item = TypeVar("Item")


@dataclass(frozen=True)
class Erased:
    """What was removed."""

    run_id: str
    """The erasure's own run."""
    removed: Mapping[str, int]
    """Kind of thing -> how many."""


def check_erasable(home: Home, ctx: RequestContext, asset_id: str) -> None:
    """Raise ``NotFound`` where there is no such asset, not even one half erased."""
    if home.documents.get(asset_path(ctx, asset_id)) is None:
        raise NotFound("asset", asset_id)


def erase_asset(home: Home, ctx: RequestContext, asset_id: str) -> Erased:
    """Remove all there is of an asset.

    May be repeated, also after it was cut short. Raises ``NotFound``.
    """
    return _Erasure(home, ctx, _marked(home, ctx, asset_id)).finish()


def resume_erasures(home: Home) -> int:
    """Go on with what was cut short; returns how many."""
    resumed = 0
    found = home.documents.list_group("assets", where={"erasing": True})
    for document, asset in readable(found, Asset):
        if document.read_at - document.updated_at < RESUMED_AFTER_S:
            continue
        ctx = RequestContext.of(asset.tenant_id, asset.env)
        _Erasure(home, ctx, asset).finish()
        resumed += 1
    for document in home.documents.list_group("erasures"):
        if document.read_at - document.updated_at >= AGAIN_AFTER_S:
            _look_again(home, document)
    log.info("sweep.erasures", resumed=resumed)
    return resumed


def await_erased(home: Home, document: Document) -> NoReturn:
    """Have whoever brings an asset's bytes anew come again, for it is being erased; raises ``Unavailable``.

    Where nobody does that any more, it is brought to its end first: at home nothing else may run that would.
    """
    asset = Asset.model_validate(document.data)
    if document.read_at - document.updated_at >= RESUMED_AFTER_S:
        _Erasure(home, RequestContext.of(asset.tenant_id, asset.env), asset).finish()
    raise Unavailable("the recording", "an earlier upload of it is being erased")


def _look_again(home: Home, document: Document) -> None:
    """Remove what has come since an erasure ended, of a worker that was frozen all the while.

    The same recording may have been uploaded anew: what a claim stands for is that one's, and so may be
    objects younger than ``AGAIN_AFTER_S``.
    """
    _, tenant, _, env, _, asset_id = document.path.split("/")
    ctx = RequestContext.of(tenant, env)
    asset = home.documents.get(asset_path(ctx, asset_id))
    known = {asset.data["key"]} if asset else set()
    of_asset = {"asset_id": asset_id}
    for made in list(home.documents.list(f"{ctx.document_prefix}artifacts", where=of_asset)):
        if home.documents.get(claim_path(ctx, made.data["meta"]["cache_key"])) is None:
            home.documents.delete(made.path)
        else:
            known.add(made.data["key"])
    for info in list(home.objects.list(_objects_prefix(ctx, asset_id))):
        old = document.read_at - info.updated_at >= AGAIN_AFTER_S
        if info.key not in known and (old or asset is None):
            home.objects.delete(info.key)
    for run in document.data["runs"]:
        for record in list(home.documents.list(f"{ctx.document_prefix}runs/{run}/steps")):
            home.documents.delete(record.path)
    home.documents.delete(document.path)


def _objects_prefix(ctx: RequestContext, asset_id: str) -> str:
    return f"{ctx.object_prefix}media_v2/{asset_id}/"


def _marked(home: Home, ctx: RequestContext, asset_id: str) -> Asset:
    """The asset, marked: from now on nobody begins on it."""
    path = asset_path(ctx, asset_id)
    while True:
        document = home.documents.get(path)
        if document is None:
            raise NotFound("asset", asset_id)
        asset = Asset.model_validate(document.data)
        if asset.erasing:
            return asset
        run = run_id("erase", asset_id, document.version)
        marked = asset.model_copy(update={"erasing": True, "erased_by": run})
        try:
            home.documents.update(path, marked.model_dump(mode="json"), version=document.version)
        except Conflict:
            continue
        return marked


class _Overtaken(Exception):
    """Another worker has brought this erasure to its end."""


class _Erasure:
    """One erasure on its way."""

    def __init__(self, home: Home, ctx: RequestContext, asset: Asset) -> None:
        self._home, self._ctx, self._asset = home, ctx, asset
        self._removed: Counter[str] = Counter()
        self._run = asset.erased_by or run_id("erase", asset.asset_id)
        self._runs_gone: set[str] = set()
        self._sources = {(source.key, source.generation) for source in asset.sources}

    def finish(self) -> Erased:
        """Do all of it, and say in the erasure's run what was removed."""
        opened = Run(
            run_id=self._run,
            tenant_id=self._ctx.tenant_id,
            env=self._ctx.env,
            user_id=self._ctx.user_id,
            source=f"erase {self._asset.asset_id}",
            planned=(STEP,),
            created_at=time.time(),
        )
        open_run(self._home.documents, self._ctx, opened)
        self._tell(StepRecord(step=STEP, state=StepState.RUNNING))
        try:
            while self._pass():
                pass
            self._end()
        except _Overtaken:
            return Erased(self._run, dict(self._removed))
        told = {"artifacts": 0, "cache_documents": 0, "clips": 0, "objects": 0, "runs": 0}
        counts = {**told, "uploads": 0, **dict(self._removed)}
        reason = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)
        record = StepRecord(step=STEP).settled(StepState.DONE, reason=f"removed {reason}")
        self._tell(record)
        publish_settled(self._home, self._ctx, self._run, record)
        return Erased(self._run, counts)

    def _tell(self, record: StepRecord) -> None:
        write_record(self._home.documents, self._ctx, self._run, record)

    def _mark(self) -> Document:
        """The asset's document while this erasure is on; raises ``_Overtaken``."""
        document = self._home.documents.get(asset_path(self._ctx, self._asset.asset_id))
        if document is None or document.data.get("erased_by") != self._asset.erased_by:
            raise _Overtaken
        return document

    def _end(self) -> None:
        ended = f"{self._ctx.document_prefix}erasures/{self._asset.asset_id}"
        self._home.documents.put(ended, {"runs": sorted(self._runs_gone)})
        mark = self._mark()
        with suppress(Conflict):
            self._home.documents.delete(mark.path, version=mark.version)

    def _pass(self) -> bool:
        """Remove what is there now; was anything found?

        The mark is proved after each look: what is listed is the erased recording's, then. Just that is
        removed, for whoever sleeps over it may wake when the same bytes have been uploaded anew.
        """
        found = [self._documents(told, name) for told, name in _OF_ASSET.items()]
        return any([*found, self._objects(), self._uploads(), self._runs()])

    def _documents(self, told: str, collection: str) -> int:
        found = self._list(collection, {"asset_id": self._asset.asset_id})
        self._mark()
        self._removed[told] += self._each(self._delete, found)
        return len(found)

    def _delete(self, document: Document) -> bool:
        try:
            return self._home.documents.delete(document.path, version=document.version)
        except Conflict:  # written since: the next pass finds it
            return False

    def _list(self, collection: str, where: dict[str, str] | None = None) -> list[Document]:
        path = f"{self._ctx.document_prefix}{collection}"
        return list(self._home.documents.list(path, where=where))

    def _objects(self) -> int:
        prefix = _objects_prefix(self._ctx, self._asset.asset_id)
        found = [(info.key, info.generation) for info in self._home.objects.list(prefix)]
        self._mark()
        self._removed["objects"] += self._each(self._delete_object, found)
        return len(found)

    def _uploads(self) -> int:
        """Where its bytes came from: the objects, and the documents that name them."""
        documents = self._list(f"assets/{self._asset.asset_id}/sources")
        self._mark()
        self._sources |= {(str(one.data["key"]), int(one.data["generation"])) for one in documents}
        self._removed["uploads"] += self._each(self._delete_object, sorted(self._sources))
        self._each(self._delete, documents)
        return len(documents)

    def _delete_object(self, which: tuple[str, int]) -> bool:
        key, generation = which
        try:
            return self._home.objects.delete(key, if_generation=generation)
        except Conflict:
            return False  # another stands under that name now

    def _runs(self) -> int:
        """Runs hold the file's name, and so do the sessions and deliveries that belong to them.

        An upload that was announced once more has its run opened anew, which names no asset yet.
        """
        bucket = self._home.settings.bucket
        found = {run.id for run in self._list("runs", {"asset_id": self._asset.asset_id})}
        found |= {upload_run_id(Upload(self._ctx, bucket, *source)) for source in self._sources}
        self._mark()
        self._runs_gone |= found
        gone = sum(self._remove_run(run) for run in sorted(found))
        self._removed["runs"] += gone
        return gone

    def _remove_run(self, run: str) -> bool:
        for told, collection in (("sessions", "uploads"), ("deliveries", "webhook_deliveries")):
            self._removed[told] += self._each(self._delete, self._list(collection, {"run_id": run}))
        records = f"runs/{run}/steps"
        self._removed["records"] += self._each(self._delete, self._list(records))
        gone = self._home.documents.delete(run_path(self._ctx, run))
        self._removed["records"] += self._each(self._delete, self._list(records))  # late ones
        return gone

    def _each(self, remove: Callable[[Item], bool], found: Iterable[Item]) -> int:
        """Side by side: a recording may have hundreds, and each is a call to a service."""
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return sum(pool.map(remove, found))
