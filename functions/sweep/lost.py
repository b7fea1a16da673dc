"""Finding what was lost: lapsed leases whose message is gone, uploads that never became assets.

    claims     ``running``, ``released`` or ``parted``, long untouched --> their recall is published again
    parts      files of work that has settled, or is gone --> removed
    uploads    objects that no probe has a record of --> their notification is published again

It only asks and tidies; the work is done by whoever gets the message, and asking once too often changes
nothing, for a claim is taken by one. A message that its topic still holds comes again by itself, so what is
young is left alone. Ages of documents are told by the document store's clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import Upload, notification
from shared.errors import BackendFailed, LeaseHeld, LeaseLost, NotFound, ValidationError
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.homes.objects import ObjectInfo
from shared.lazy_log import get_logger
from shared.messages.events import upload_from_message
from shared.pipeline import PROBE
from shared.runs.records import load_run, upload_run_id
from shared.steps.claims import Claim, Lease
from shared.steps.part_files import SUFFIX, PartFiles
from shared.steps.part_rows import RowsSeen
from shared.steps.parts import part_claims
from shared.steps.step_records import load_records, record_path
from shared.steps.storing import remove_unfinished

log = get_logger()

_RUN_GONE = "its run is gone"
PARTS_GRACE_S = 600.0
"""So long after anything happened to any part, their step is asked for: a message of theirs was lost, or
they wait behind others', which are then asked for twice."""
UPLOAD_GRACE_S = 300
"""Younger uploads are left to their own notification."""
UPLOAD_WINDOW_S = 3 * 24 * 3600
"""Older uploads have been looked at by many rounds: each look costs a read of a document."""


def recall_lapsed(home: Home, *, parts_grace_s: float = PARTS_GRACE_S) -> int:
    """Publish again what lapsed owners were working on; returns how many.

    A claim is taken for lapsed after twice its lease, so that the message's own redelivery comes
    first; one that waits for its parts, once nothing has happened to any for ``parts_grace_s``. One that
    its request would not lead to any more (the run or its step is settled, or gone) is closed instead,
    with the reason: it would be recalled for ever.
    """
    recalled = closed = 0
    rows = RowsSeen(home)
    for state in ("running", "released", "parted"):
        found = home.documents.list_group("cache", where={"state": state})
        for document, claim in readable(found, Claim):
            if claim.recall is None or not _lapsed(rows, document, claim, parts_grace_s):
                continue
            why_not = _nobody_waits(home, document, claim)
            if why_not:
                closed += _abandon(home, document, claim, why_not)
                continue
            home.bus.publish(
                claim.recall.topic, claim.recall.data.encode(), claim.recall.attributes
            )
            recalled += 1
    log.info("sweep.leases", recalled=recalled, closed=closed)
    return recalled


def _lapsed(rows: RowsSeen, document: Document, claim: Claim, parts_grace_s: float) -> bool:
    """What costs no read is asked first: a tenant may have thousands that wait."""
    if claim.state != "parted":
        return claim.seconds_left(document) <= -claim.lease_s
    ctx, moved_after = _context(document), document.read_at - parts_grace_s
    if document.updated_at > moved_after or rows.waits(ctx, claim):
        return False
    parts = part_claims(rows.home, ctx, digest(claim.cache_key))
    return all(part.updated_at <= moved_after for part, _ in parts)


def _nobody_waits(home: Home, document: Document, claim: Claim) -> str:
    """Why nobody waits for this claim any more; empty where somebody does.

    Costs two reads: the run, and the step's record in it. A run without a record of the step still waits.
    """
    ctx = _context(document)
    try:
        load_run(home.documents, ctx, claim.run_id)
    except NotFound:
        return _RUN_GONE
    except BackendFailed:
        return "its run's document cannot be read"
    record = load_records(home.documents, ctx, claim.run_id, (claim.step,)).get(claim.step)
    if record is not None and record.state.settled:
        return f"its step was settled otherwise: {record.state.value}"
    return ""


def _abandon(home: Home, document: Document, claim: Claim, why_not: str) -> bool:
    """Close a lapsed claim; ``False`` if somebody took it meanwhile.

    What its owners wrote goes, and if its run is gone, which was erased, the claim does. The next request
    for the same work takes it afresh.
    """
    error = LeaseLost(claim.generation)
    error.message = f"abandoned: {why_not}"
    try:
        lease = Lease.take_over(home.documents, document, claim, claim)
        ctx = _context(document)
        remove_unfinished(home, ctx, lease.claim)
        if claim.parts:
            PartFiles(home, ctx, claim.asset_id or "", digest(claim.cache_key)).remove()
        if why_not == _RUN_GONE or claim.part_of is not None:
            lease.forget()
        else:
            lease.settle_failed(error)
    except (LeaseHeld, LeaseLost):
        return False
    return True


def look_through_bucket(home: Home, *, now: float) -> None:
    """Announce missed uploads and remove left parts by one listing, which is most of what a round costs."""
    parts: list[ObjectInfo] = []

    def listed() -> Iterator[ObjectInfo]:
        for info in home.objects.list("tenants/"):
            if info.key.endswith(SUFFIX):
                parts.append(info)
            yield info

    announce_missed(home, now=now, listed=listed())
    remove_left_parts(home, now=now, listed=parts)


def remove_left_parts(
    home: Home,
    *,
    now: float,
    grace_s: float = PARTS_GRACE_S,
    listed: Iterable[ObjectInfo] | None = None,
) -> int:
    """Remove the parts of work that has settled, or is gone: of a worker that was frozen, and died before it
    saw. Returns of how many works. ``now``: Unix seconds; younger files are left alone. ``listed``: to look
    among these, in place of all.
    """
    found: dict[tuple[str, str, str, str], bool] = {}
    for info in home.objects.list("tenants/") if listed is None else listed:
        if info.key.endswith(SUFFIX) and now - info.updated_at >= grace_s:
            _, tenant, env, _, asset_id, _, work, _ = info.key.split("/")
            found[tenant, env, asset_id, work] = True
    removed = 0
    for tenant, env, asset_id, work in found:
        ctx = RequestContext.of(tenant, env)
        document = home.documents.get(f"{ctx.document_prefix}cache/{work}")
        if document is None or document.data["state"] in ("done", "failed"):
            PartFiles(home, ctx, asset_id, work).remove()
            removed += 1
    log.info("sweep.parts", removed=removed)
    return removed


def _context(document: Document) -> RequestContext:
    _, tenant, _, env, _, _ = document.path.split("/")
    return RequestContext.of(tenant, env)


def announce_missed(
    home: Home,
    *,
    now: float,
    last: float = 0.0,
    grace_s: float = UPLOAD_GRACE_S,
    listed: Iterable[ObjectInfo] | None = None,
) -> int:
    """Announce uploads that nobody ever began to probe; returns how many.

    ``now``: Unix seconds. Goes through every object below ``tenants/`` (``listed``, where a listing is
    under way), and looks into those that landed between ``grace_s`` and ``UPLOAD_WINDOW_S`` ago. ``last``:
    when the round before was, if that is known: what it announced may just be waiting in line, so it is
    announced again only each time that its age has doubled. Otherwise every round would make a long line
    longer by all that wait in it.
    """
    announced = 0
    if listed is None:
        listed = home.objects.list("tenants/", written_after=now - UPLOAD_WINDOW_S)
    for info in listed:
        age_s = now - info.updated_at
        if not grace_s <= age_s < UPLOAD_WINDOW_S or info.size == 0:
            continue
        if _doublings(age_s, grace_s) == _doublings(last - info.updated_at, grace_s):
            continue
        attributes = notification(home.settings.bucket, info.key, info.generation)
        try:
            upload = upload_from_message(Message("", b"", attributes))
        except ValidationError:  # below no valid tenant: its own notification is a dead letter
            continue
        if upload is None or home.documents.get(_probed(upload)):
            continue
        home.bus.publish(UPLOADS_TOPIC, b"", attributes)
        announced += 1
    log.info("sweep.uploads", announced=announced)
    return announced


def _doublings(age_s: float, grace_s: float) -> int:
    """How often an upload of this age has doubled the grace; -1: it is younger."""
    return math.floor(math.log2(age_s / grace_s)) if age_s >= grace_s else -1


def _probed(upload: Upload) -> str:
    return record_path(upload.ctx, upload_run_id(upload), PROBE)
