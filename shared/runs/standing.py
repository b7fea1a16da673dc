"""What stands of a recording: of every step the newest results, over all of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord, StepState
from shared.homes.home import Home
from shared.pipeline import BY_NAME, PROBE
from shared.runs.views import list_artifacts, list_runs
from shared.steps.step_records import load_records

_TAKES = ("transform", "render")
"""Functions whose earlier results stand beside newer ones: effects and mixes are takes, to choose from."""
_NEXT_VERSION = "transcribe.captions"
"""Asked for its own artifact it makes that one's next version, in its place."""


@dataclass(frozen=True)
class Standing:
    """A step's newest word on a recording."""

    step: str
    state: StepState
    reason: str | None = None
    error: str | None = None
    artifacts: Sequence[Artifact] = ()
    made_from: str | None = None
    """The name of the artifact that was worked on instead of the recording."""


def standing_results(home: Home, ctx: RequestContext, asset_id: str) -> list[Standing]:
    """In the pipeline's order, the newest first within a step.

    A step whose newest run failed stands with that error beside what an older run delivered. Runs
    that only asked what would be done are left out.
    """
    known = {one.artifact_id: one for one in list_artifacts(home.documents, ctx, asset_id)}
    found: dict[str, list[Standing]] = {name: [] for name in BY_NAME}
    taken: set[tuple[str, str | None]] = set()
    for run in list_runs(home.documents, ctx, asset_id):
        if run.dry_run:
            continue
        for record in load_records(home.documents, ctx, run.run_id).values():
            name = _name_of(run, record, known)
            place = (record.step, name)
            if record.step == PROBE or not record.state.settled or place in taken:
                continue
            earlier = found.setdefault(record.step, [])
            if record.state.delivered and record.step.split(".")[0] not in _TAKES:
                taken.add(place)
            earlier += list(_stands(record, name, known, earlier))
    return [one for rows in found.values() for one in rows]


def _name_of(run: Run, record: StepRecord, known: dict[str, Artifact]) -> str | None:
    if run.artifact_id is None or record.step == _NEXT_VERSION:
        return None
    worked_on = known.get(run.artifact_id)
    return str(worked_on.meta.get("name", "")) if worked_on else "gone"


def _stands(
    record: StepRecord, name: str | None, known: dict[str, Artifact], newer: list[Standing]
) -> Iterator[Standing]:
    """The record, unless something newer says all that it says."""
    here = [known[one] for one in record.artifact_ids if one in known]
    told = {one.artifact_id for standing in newer for one in standing.artifacts}
    if newer and (not here or all(one.artifact_id in told for one in here)):
        return
    error = record.error["message"] if record.error else None
    yield Standing(record.step, record.state, record.reason, error, here, name)
