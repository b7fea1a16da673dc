"""How a step of a run stands: what settles it is final, and late words change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from functions.sweep.lost import recall_lapsed
from shared.contracts.message import Message
from shared.contracts.step import Run, StepRecord, StepState
from shared.homes.home import Home
from shared.messages.requests import handle_request
from shared.runs.intake import Wishes
from shared.runs.records import open_run, upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.steps.step_records import load_records, plan_records, write_record
from tests.toy import CTX, Toy, at_time, drain, handle_upload, states

KEY = "one|toy-1"


def running(generation: int, *, key: str = KEY, progress: float = 0.5) -> StepRecord:
    return StepRecord(
        step="toy.one",
        state=StepState.RUNNING,
        progress=progress,
        cache_key=key,
        lease_generation=generation,
    )


@pytest.fixture(autouse=True)
def run(home: Home) -> Run:
    made = Run(run_id="run_1", tenant_id="t1", env="dev", source="x", created_at=1.0)
    return open_run(home.documents, CTX, made)


def standing(home: Home) -> StepRecord:
    return load_records(home.documents, CTX, "run_1")["toy.one"]


def test_an_owner_s_late_progress_never_replaces_its_successor_s(home: Home) -> None:
    assert write_record(home.documents, CTX, "run_1", running(2))
    assert not write_record(home.documents, CTX, "run_1", running(1, progress=0.9))
    assert standing(home) == running(2)
    assert write_record(home.documents, CTX, "run_1", running(2, progress=0.6))
    assert write_record(home.documents, CTX, "run_1", running(3, progress=0.1))
    assert standing(home) == running(3, progress=0.1)


def test_whoever_is_overtaken_while_writing_looks_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(home.documents, CTX, "run_1", running(1))
    update = home.documents.update

    def overtaken(path: str, data: Any, *, version: str) -> Any:
        monkeypatch.setattr(home.documents, "update", update)
        update(path, running(2).model_dump(mode="json"), version=version)
        return update(path, data, version=version)

    monkeypatch.setattr(home.documents, "update", overtaken)
    assert write_record(home.documents, CTX, "run_1", running(3))
    assert standing(home) == running(3)


def test_another_version_s_work_counts_its_generations_afresh(home: Home) -> None:
    write_record(home.documents, CTX, "run_1", running(3))
    newer = running(1, key="one|toy-2")
    assert write_record(home.documents, CTX, "run_1", newer)
    assert standing(home) == newer


@pytest.mark.parametrize("other", ["one|toy-0", "one|toy-2"])
def test_parts_done_by_another_version_are_not_counted_as_this_one_s(
    home: Home, other: str
) -> None:
    four, one = (running(1).model_copy(update={"parts": 5, "parts_done": n}) for n in (4, 1))
    write_record(home.documents, CTX, "run_1", four)
    write_record(home.documents, CTX, "run_1", one)
    assert standing(home).parts_done == 4, "whoever tells last is not the farthest"
    write_record(home.documents, CTX, "run_1", one.model_copy(update={"cache_key": other}))
    assert standing(home).parts_done == 1


def test_what_settles_a_step_is_written_whatever_stood_and_is_final(home: Home) -> None:
    write_record(home.documents, CTX, "run_1", running(3))
    refused = StepRecord(step="toy.one").settled(StepState.FAILED, error={"code": "not_found"})
    assert write_record(home.documents, CTX, "run_1", refused)
    for late in (running(4), running(4).settled(StepState.DONE), StepRecord(step="toy.one")):
        assert not write_record(home.documents, CTX, "run_1", late)
    assert standing(home) == refused
    plan_records(home.documents, CTX, "run_1", [StepRecord(step="toy.one")])
    assert standing(home) == refused, "planning again changes nothing"


def test_of_a_run_that_is_gone_nothing_is_written(home: Home) -> None:
    assert not write_record(home.documents, CTX, "run_gone", running(1))
    plan_records(home.documents, CTX, "run_gone", [running(1)])
    assert load_records(home.documents, CTX, "run_gone") == {}


@pytest.mark.parametrize("deployed", ["toy-2", None])
def test_a_step_ends_whose_worker_died_before_a_deployment(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deployed: str | None
) -> None:
    """The newer version, or one that lacks its libraries, claims under another key, or nothing."""
    path = tmp_path / "take.wav"
    path.write_text("sound")
    run_id = upload_run_id(upload(home, CTX, path, Wishes(steps=("toy.one",))))
    (delivery,) = home.bus.pull(["uploads"])
    handle_upload(delivery.message, home)
    home.bus.ack(delivery)
    (request,) = home.bus.pull(["steps-toy"])
    _die_twice(home, toy, request.message)
    home.bus.ack(request)  # the message is lost as well
    if deployed:
        toy.version = deployed
    else:
        monkeypatch.setitem(sys.modules, "functions.toy.one", None)
    with at_time(request.message.published_at + 1_000.0):
        assert recall_lapsed(home) == 1
        drain(home)
        recall_lapsed(home)
        drain(home)
        assert recall_lapsed(home) == 0, "it would be recalled for ever"
    assert states(run_object(home, CTX, run_id))["toy.one"] == ("done" if deployed else "failed")


def _die_twice(home: Home, toy: Toy, message: Message) -> None:
    class Killed(BaseException):
        """The worker is gone."""

    def during(_job: object) -> None:
        raise Killed

    toy.during = during
    published_at = message.published_at or 0.0
    for ahead_s in (0.0, 100.0):
        with at_time(published_at + ahead_s), pytest.raises(Killed):
            handle_request(message, home, "toy")
    toy.during = None
