"""So many parts of a tenant's are on their way at once, whatever it has asked for.

A document of the tenant says how many rows of parts each of its split steps has; of a row one part at a
time is asked for. A step takes half of what is free, and no more than the setting allows one step:

    setting 8, so 16 in all:   8  4  2  1  1 | the sixth waits

Where the step's parts end, or it is gone, its rows are free: then the tenant's others are asked for, and
take more. What is told of a step that is gone counts no more, nor of one that another version of the code
has split: as soon as this one does its work, that may never end. What nobody asks for, the sweep does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.errors import Conflict, ValidationError
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.homes.tenant_limits import parts_at_once
from shared.steps.claims import Claim

STEPS_AT_ONCE = 2
"""A tenant's steps have so many times as many rows, all together, as one may have."""

_LOOKED_AT = 16


def take_rows(home: Home, ctx: RequestContext, whole: Claim, count: int) -> int:
    """How many rows the step with this claim and so many parts has from now on; 0: it waits.

    Of many takers at once none is given what another has. Raises ``ValidationError`` where the tenant's
    settings are none.
    """
    path = _path(ctx)
    while True:
        document = home.documents.get(path)
        rows, own = _shared_out(home, ctx, whole, count, document)
        try:
            if document is None:
                home.documents.create(path, {"rows": rows})
            elif rows != document.data["rows"]:
                home.documents.update(path, {"rows": rows}, version=document.version)
        except Conflict:
            continue
        return own


@dataclass
class RowsSeen:
    """The tenants' free rows as one round of the sweep sees them: looked at once, however many wait."""

    home: Home
    _free: dict[tuple[str, str, str | None], float] = field(default_factory=dict)

    def waits(self, ctx: RequestContext, whole: Claim) -> bool:
        """Has the step no rows, and would it get none, because the tenant's others have them all?

        Each of those ends, or is found by the sweep, and then asks for this one. Who does not wait is
        to be asked for, and counts as having a row: for one that is free not a thousand are asked for.
        """
        if whole.parts_at_once:
            return False
        alike = ctx.document_prefix, whole.step, whole.backend_version
        if alike not in self._free:
            self._free[alike] = self._free_for(ctx, whole)
        self._free[alike] -= 1
        return self._free[alike] < 0

    def _free_for(self, ctx: RequestContext, whole: Claim) -> float:
        document = self.home.documents.get(_path(ctx))
        try:
            rows, own = _shared_out(self.home, ctx, whole, len(whole.parts), document)
            return STEPS_AT_ONCE * parts_at_once(self.home, ctx) - sum(rows.values()) + own
        except ValidationError:  # of the tenant's settings: for the steps to say
            return math.inf


def _shared_out(
    home: Home, ctx: RequestContext, whole: Claim, count: int, document: Document | None
) -> tuple[dict[str, int], int]:
    """Who would have how many rows, and how many of them ``whole``."""
    work, at_once = digest(whole.cache_key), parts_at_once(home, ctx)
    told: Mapping[str, int] = document.data["rows"] if document else {}
    others = {held: rows for held, rows in told.items() if held != work}
    others = _standing(home, ctx, others, whole)
    free = STEPS_AT_ONCE * at_once - sum(others.values())
    own = max(told.get(work, 0), min(at_once, count, (free + 1) // 2))
    return ({**others, work: own} if own else others), own


def give_rows_back(home: Home, ctx: RequestContext, work: str) -> None:
    """The work with this digest needs its rows no more: have the tenant's others take them."""
    path = _path(ctx)
    while (document := home.documents.get(path)) and work in document.data["rows"]:
        rows = {held: count for held, count in document.data["rows"].items() if held != work}
        try:
            home.documents.update(path, {"rows": rows}, version=document.version)
        except Conflict:
            continue
        _ask_for_others(home, ctx, work, document.data["rows"][work])


def _ask_for_others(home: Home, ctx: RequestContext, work: str, free: int) -> None:
    """Ask for some that have fewer rows than they may, round and round in the order of their ids."""
    collection, parted = f"{ctx.document_prefix}cache", {"state": "parted"}
    found = list(home.documents.list(collection, where=parted, after=work, limit=_LOOKED_AT))
    found += home.documents.list(collection, where=parted, limit=_LOOKED_AT)
    claims = {claim.cache_key: claim for _, claim in readable(found, Claim)}.values()
    lacking = [claim for claim in claims if claim.parts_at_once < len(claim.parts)]
    lacking.sort(key=lambda claim: claim.parts_at_once)
    for recall in [claim.recall for claim in lacking[:free] if claim.recall is not None]:
        home.bus.publish(recall.topic, recall.data.encode(), recall.attributes)


def _standing(
    home: Home, ctx: RequestContext, rows: Mapping[str, int], taker: Claim
) -> dict[str, int]:
    """Those whose claim is there and not settled, nor of the taker's step by another version."""
    documents = home.documents.get_all([f"{ctx.document_prefix}cache/{work}" for work in rows])
    on_their_way = {
        document.id
        for document, claim in readable(documents.values(), Claim)
        if not claim.settled
        and (claim.step != taker.step or claim.backend_version == taker.backend_version)
    }
    return {work: count for work, count in rows.items() if work in on_their_way}


def _path(ctx: RequestContext) -> str:
    return f"{ctx.document_prefix}part_rows/all"
