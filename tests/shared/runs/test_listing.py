"""The list of recordings: a row's state is that of the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.step import StepRecord, StepState
from shared.runs.listing import recording_rows, results_state
from shared.runs.records import load_run, open_run
from shared.runs.views import list_assets
from shared.steps.step_records import plan_records
from tests.toy import CTX, Toy, embedded_home, install, run_file

DONE, FAILED, RUNNING = StepState.DONE, StepState.FAILED, StepState.RUNNING
CACHED, DEGRADED, SKIPPED = StepState.CACHED, StepState.DEGRADED, StepState.SKIPPED


@pytest.mark.parametrize(
    ("newest_first", "state"),
    [
        ([("probe", DONE)], "done"),
        ([("probe", FAILED)], "failed"),
        ([("a", FAILED), ("a", DONE)], "done"),  # what was delivered stands, whatever came later
        ([("a", DONE), ("a", FAILED)], "done"),
        ([("a", CACHED), ("a", DEGRADED)], "done"),
        ([("a", DEGRADED), ("a", DONE)], "degraded"),
        ([("a", FAILED), ("b", DONE), ("probe", DONE)], "degraded"),
        ([("a", FAILED), ("probe", DONE)], "failed"),
        ([("a", FAILED), ("b", SKIPPED), ("probe", DONE)], "failed"),
        ([("a", SKIPPED), ("probe", DONE)], "done"),
        ([("a", RUNNING), ("a", DONE)], "running"),
    ],
)
def test_the_state_is_that_of_the_results(
    newest_first: list[tuple[str, StepState]], state: str
) -> None:
    records = [(None, StepRecord(step=step, state=found)) for step, found in newest_first]
    assert results_state(records) == state


def test_what_was_made_of_an_artifact_stands_beside_what_was_made_of_the_recording() -> None:
    failed, done = StepRecord(step="a", state=FAILED), StepRecord(step="a", state=DONE)
    assert results_state([("art_1", failed), (None, done)]) == "degraded"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return install(monkeypatch)


def test_a_row_says_what_people_look_for(tmp_path: Path, toy: Toy) -> None:
    home = embedded_home(tmp_path / "data")
    run = run_file(home, tmp_path, steps=("toy.one",))
    (row,) = recording_rows(home.documents, CTX, list(list_assets(home.documents, CTX)))
    assert (row.asset_id, row.name, row.kind) == (run["asset_id"], "take.wav", "audio")
    assert (row.state, row.duration_ms, row.sample_rate_hz) == ("done", 1000, 8000)
    more = load_run(home.documents, CTX, run["run_id"]).model_copy(update={"run_id": "run_more"})
    open_run(home.documents, CTX, more)
    plan_records(home.documents, CTX, "run_more", [StepRecord(step="toy.one", state=RUNNING)])
    (row,) = recording_rows(home.documents, CTX, list(list_assets(home.documents, CTX)))
    assert row.state == "running"
