"""Parts of a long step: planned, asked for, counted, fetched, and removed once they are joined.

    step asked for --> split --> fewer than two: done like any step
                         |
                         +--> its claim is parted, and given back; the first parts are asked for
    part asked for --> claimed and done like a step, its file kept         (``part_attempt``)
                         +--> asks for the next in its row; the last of all, or one that failed, for the step
    step asked for --> all parts are there: joined, stored and settled like any step; the parts go

So many rows as parts may be on their way at once (``part_rows``), and part ``i`` is followed by
``i + rows``. What is asked for twice is done once, for each part has a claim of its own. A step whose parts
nobody asks for any more, because a message was lost, is asked for by the sweep, and asks for those that lack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.step import PartAsked, StepRequest
from shared.contracts.step_engine import InputFile, Part
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.steps.claims import Claim
from shared.steps.preparing import Work, publish_request


def split(work: Work, inputs: Mapping[str, Sequence[InputFile]]) -> tuple[Part, ...]:
    """The parts; none where it is done in one piece, as all work on an artifact is."""
    if work.engine.parts is None or work.request.artifact_id is not None:
        return ()
    found = tuple(work.engine.parts.split(work.media, inputs, work.params))
    return found if len(found) > 1 else ()


def part_key(asked: PartAsked) -> str:
    """The part's own cache key."""
    return f"{asked.of}|part {asked.number + 1} of {asked.count}"


def part_claims(home: Home, ctx: RequestContext, work: str) -> list[tuple[Document, Claim]]:
    """The claims of the parts, as far as they were begun, of the work whose cache key has this digest."""
    found = home.documents.list(f"{ctx.document_prefix}cache", where={"part_of": work})
    return list(readable(found, Claim))


def all_parts(whole: Claim, count: int) -> list[PartAsked]:
    """Each part, in order."""
    return [PartAsked(number=number, count=count, of=whole.cache_key) for number in range(count)]


@dataclass(frozen=True)
class PartsStanding:
    """How the parts of one step stand."""

    settled: Mapping[int, Claim]
    """By number: what need not be done any more."""
    at_work: Collection[int]
    """Whose message is with a worker that lives, and asks for what follows."""


def standing_parts(
    home: Home, ctx: RequestContext, whole: Claim, count: int, *, force: bool
) -> PartsStanding:
    """How they stand; ``whole`` is the claim of what was split, or of who asks for it now."""
    found = {
        claim.cache_key: (document, claim)
        for document, claim in part_claims(home, ctx, digest(whole.cache_key))
    }
    settled: dict[int, Claim] = {}
    at_work: set[int] = set()
    for asked in all_parts(whole, count):
        document, claim = found.get(part_key(asked), (None, None))
        if document is None or claim is None:
            continue
        if claim.answers(whole, force=force):
            settled[asked.number] = claim
        elif claim.alive(document):
            at_work.add(asked.number)
    return PartsStanding(settled, at_work)


def ask_for_next(
    home: Home, request: StepRequest, whole: Claim, rows: Iterable[int], standing: PartsStanding
) -> None:
    """Ask for the next part of each row that begins with one of ``rows``, unless somebody is on it.

    None is asked for while the step waits for rows.
    """
    parts = all_parts(whole, len(whole.parts))
    for first in rows if whole.parts_at_once else ():
        row = parts[first :: whole.parts_at_once]
        asked = next((one for one in row if one.number not in standing.settled), None)
        if asked is not None and asked.number not in standing.at_work:
            publish_request(home, request.model_copy(update={"part": asked}))
