"""The list of recordings: a row's state is that of the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.asset import MediaInfo
from shared.contracts.step import Run, StepRecord, StepState
from shared.runs.listing import recording_rows, results_state
from shared.runs.records import load_run, open_run
from shared.runs.views import list_assets
from shared.steps.step_records import plan_records
from tests.shared.runs.made import asset
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


def test_a_row_says_when_it_came_and_what_of_it_is_played_first(tmp_path: Path) -> None:
    home = embedded_home(tmp_path / "data")
    for n, at in enumerate((1_000.04, 2_000.0, 3_000.0)):
        told = {"tenant_id": "t1", "env": "dev", "source": "x", "asset_id": "ast_1"}
        run = Run(run_id=f"run_{n}", planned=("probe",), created_at=at, **told)
        open_run(home.documents, CTX, run)
    film = asset("take.mp4", video=True)
    second = film.media.audio[0].model_copy(update={"channels": 6, "sample_rate_hz": 8_000})
    media = film.media.model_copy(update={"audio": (*film.media.audio, second)})
    shown = film.model_copy(update={"media": media})
    (row,) = recording_rows(home.documents, CTX, [shown])
    assert (row.added_at, row.size, row.kind) == (1_000.0, (640, 360), "video")
    assert (row.sample_rate_hz, row.channels, row.bytes) == (48_000, 2, 100)
    assert recording_rows(home.documents, CTX, []) == []
    nameless = shown.model_copy(
        update={"sources": (), "media": MediaInfo(container="x", duration_ms=None)}
    )
    (row,) = recording_rows(home.documents, CTX, [nameless])
    assert (row.name, row.kind, row.size, row.channels) == ("ast_1", "other", None, None)
