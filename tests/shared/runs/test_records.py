"""A run's document and its state, which is the worst of its steps'."""

from __future__ import annotations

import pytest

from shared.contracts.step import Run, StepRecord, StepState
from shared.errors import BackendFailed, NotFound
from shared.homes.home import Home
from shared.runs.records import change_run, finished, load_run, open_run, read_run, run_state
from shared.steps.step_records import run_path
from tests.toy import CTX

S = StepState


def made(**fields: object) -> Run:
    known = {"run_id": "run_1", "tenant_id": "t1", "env": "dev", "source": "x", "created_at": 1.0}
    return Run.model_validate({**known, **fields})


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([], "queued"),
        ([S.QUEUED, S.QUEUED], "queued"),
        ([S.QUEUED, S.DONE], "running"),
        ([S.RUNNING, S.FAILED], "running"),
        ([S.DONE, S.DEGRADED, S.FAILED], "failed"),
        ([S.DONE, S.DEGRADED, S.SKIPPED], "degraded"),
        ([S.DONE, S.CACHED, S.SKIPPED], "done"),
        ([S.SKIPPED], "done"),
    ],
)
def test_a_run_is_as_the_worst_of_its_steps(states: list[StepState], told: str) -> None:
    assert run_state([StepRecord(step="toy.one", state=state) for state in states]) == told


def test_a_run_has_finished_when_each_planned_step_has_settled() -> None:
    done = StepRecord(step="toy.one").settled(S.DONE)
    run = made(planned=("toy.one", "toy.two"))
    assert not finished(made(), {}) and not finished(run, {"toy.one": done})
    waiting = StepRecord(step="toy.two")
    assert not finished(run, {"toy.one": done, "toy.two": waiting})
    assert finished(run, {"toy.one": done, "toy.two": waiting.settled(S.FAILED)})


def test_the_first_to_open_a_run_says_what_it_is(home: Home) -> None:
    assert open_run(home.documents, CTX, made()) == made()
    assert open_run(home.documents, CTX, made(source="y")) == made()


def test_changes_of_two_at_once_are_both_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    open_run(home.documents, CTX, made())
    get = home.documents.get

    def meanwhile(path: str) -> object:
        found = get(path)
        monkeypatch.undo()
        change_run(home.documents, CTX, "run_1", user_id="jane")
        return found

    monkeypatch.setattr(home.documents, "get", meanwhile)
    changed = change_run(home.documents, CTX, "run_1", asset_id="ast_1")
    assert changed == load_run(home.documents, CTX, "run_1")
    assert (changed.user_id, changed.asset_id) == ("jane", "ast_1")
    with pytest.raises(NotFound):
        change_run(home.documents, CTX, "run_2", asset_id="ast_1")


def test_a_damaged_run_says_which_field_and_when_it_was_made(home: Home) -> None:
    path = run_path(CTX, "run_1")
    document = home.documents.put(path, {**made().model_dump(mode="json"), "planned": "all"})
    with pytest.raises(BackendFailed, match="planned"):
        load_run(home.documents, CTX, "run_1")
    shown = read_run(CTX, document)
    assert shown.damaged is not None and shown.damaged.startswith("planned: ")
    assert (shown.run_id, shown.created_at) == ("run_1", 1.0)
    unknown = home.documents.put(path, {"created_at": "yesterday"})
    assert read_run(CTX, unknown).created_at == unknown.updated_at
