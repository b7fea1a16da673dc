"""The parts of a run's split steps as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.step import StepRecord, StepState
from shared.contracts.step_engine import Part
from shared.errors import NotFound
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.runs.records import load_run
from shared.steps.claims import Claim, load_claim
from shared.steps.parts import all_parts, part_claims, part_key
from shared.steps.step_records import load_records


def explained_run(home: Home, ctx: RequestContext, run_id: str) -> dict[str, Any]:
    """Each step of a run, in order, with the parts of those that were split; raises ``NotFound``."""
    run = load_run(home.documents, ctx, run_id)
    records = load_records(home.documents, ctx, run_id)
    steps = [records.get(name, StepRecord(step=name)) for name in run.planned]
    return {
        "run_id": run_id,
        "source": run.source,
        "steps": [_step(home, ctx, record) for record in steps],
    }


def explained_step(home: Home, ctx: RequestContext, run_id: str, step: str) -> dict[str, Any]:
    """One step of a run, with its parts if it was split; raises ``NotFound``, also for a step that the run
    does not have.
    """
    run = load_run(home.documents, ctx, run_id)
    if step not in run.planned:
        raise NotFound("step", step)
    records = load_records(home.documents, ctx, run_id, [step])
    return _step(home, ctx, records.get(step, StepRecord(step=step)))


def where_failed(error: Mapping[str, Any]) -> str:
    """`` (part 4 of 5, 0:03:00.0 to 0:04:00.0)``, or nothing where it was in no part."""
    part = error.get("part")
    if not part:
        return ""
    return f" (part {part['number']} of {part['count']}, {part_range(part)})"


def part_range(part: Mapping[str, Any]) -> str:
    """`0:03:00.0 to 0:04:00.0`: from when to when in the recording."""
    return f"{_clock(part['start_ms'])} to {_clock(part['end_ms'])}"


def _clock(time_ms: int) -> str:
    minutes, tenths = divmod(round(time_ms / 100), 600)
    return f"{minutes // 60}:{minutes % 60:02}:{tenths / 10:04.1f}"


def _step(home: Home, ctx: RequestContext, record: StepRecord) -> dict[str, Any]:
    shown = {"step": record.step, "state": record.state.value, "reason": record.reason}
    whole = load_claim(home.documents, ctx, record.cache_key) if record.cache_key else None
    if whole is None or not whole.parts:
        return {**shown, "error": record.error, "at_once": 0, "parts": []}
    # Once the step has settled its parts are gone, and only what it says of them is left.
    begun = [] if record.state.settled else part_claims(home, ctx, digest(whole.cache_key))
    claims = {claim.cache_key: (document, claim) for document, claim in begun}
    parts = [
        {
            "number": asked.number + 1,
            **_part(part, record, asked.number, claims.get(part_key(asked))),
        }
        for asked, part in zip(all_parts(whole, len(whole.parts)), whole.parts, strict=True)
    ]
    return {**shown, "error": record.error, "at_once": whole.parts_at_once, "parts": parts}


def _part(
    part: Part, record: StepRecord, number: int, begun: tuple[Document, Claim] | None
) -> dict[str, Any]:
    """``tries``: how often it was begun; not known of a part whose step has settled."""
    ranged = {"start_ms": part.start_ms, "end_ms": part.end_ms}
    if begun is not None:
        document, claim = begun
        state: str = claim.state if claim.settled else "waiting"
        state = "running" if claim.alive(document) else state
        progress = 1.0 if claim.done else claim.progress
        return {
            **ranged,
            "state": state,
            "progress": progress,
            "tries": claim.attempts,
            "error": claim.error,
        }
    failed = (record.error or {}).get("part", {}).get("number") == number + 1
    if failed:
        return {**ranged, "state": "failed", "progress": 0.0, "tries": None, "error": record.error}
    state = "done" if record.state.delivered else "dropped"
    if not record.state.settled:
        state = StepState.QUEUED.value
    return {
        **ranged,
        "state": state,
        "progress": float(state == "done"),
        "tries": None if record.state.settled else 0,
        "error": None,
    }
