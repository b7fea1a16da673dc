"""The list of runs reads what may have changed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.step import Run, StepRecord, StepState
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.runs.records import change_run, open_run
from shared.steps.step_records import plan_records, write_record
from tests.functions.api.conftest import Desk

RUNS, STEPS = 40, ("probe", "detect.hits", "detect.loops")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the documents that are read by name."""
    paths: list[str] = []
    get_all = EmbeddedDocuments.get_all

    def counted(self: EmbeddedDocuments, wanted: Any, **which: Any) -> Any:
        paths.extend(wanted)
        return get_all(self, wanted, **which)

    monkeypatch.setattr(EmbeddedDocuments, "get_all", counted)
    return paths


def test_the_steps_of_runs_that_have_ended_are_read_once(desk: Desk, read: list[str]) -> None:
    documents, ctx = desk.home.documents, desk.ctx
    for number in range(RUNS):
        run = Run(
            run_id=f"run_{number}",
            tenant_id=ctx.tenant_id,
            env=ctx.env,
            source="take.wav",
            planned=STEPS,
            created_at=number,
        )
        open_run(documents, ctx, run)
        ended = [StepRecord(step=step).settled(StepState.DONE) for step in STEPS]
        plan_records(documents, ctx, run.run_id, ended if number else [StepRecord(step="probe")])
    first = desk.client.get("/runs?limit=40").json()
    assert len(read) == RUNS * len(STEPS)
    read.clear()
    assert desk.client.get("/runs?limit=40").json() == first
    assert len(read) == len(STEPS), "of the one that goes on"
    write_record(documents, ctx, "run_0", StepRecord(step="probe", state=StepState.RUNNING))
    assert desk.client.get("/runs?limit=40").json()["runs"][-1]["state"] == "running"
    change_run(documents, ctx, "run_7", dismissed=True)
    read.clear()
    desk.client.get("/runs?limit=40")
    assert len(read) == 2 * len(STEPS), "and of the one that was written anew"
