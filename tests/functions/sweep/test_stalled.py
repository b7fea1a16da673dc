"""A bus that lost everything: what was asked for and never begun is asked for again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from functions.sweep.stalled import resume_stalled
from shared.contracts.step import StepRecord
from shared.homes.home import Home
from shared.messages.requests import handle_request
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.steps.step_records import record_path
from tests import toy as toys
from tests.toy import CTX, Toy, at_time, drain, run_file, states


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toys.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    return toys.embedded_home(tmp_path / "data")


def lose_messages(home: Home, topic: str) -> int:
    lost = home.bus.pull([topic], limit=100)
    for delivery in lost:
        home.bus.ack(delivery)
    return len(lost)


def test_steps_whose_messages_were_lost_are_asked_for_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    path = tmp_path / "take.wav"
    path.write_text("sound")
    run_id = upload_run_id(upload(home, CTX, path, Wishes()))
    (announced,) = home.bus.pull(["uploads"])
    toys.handle_upload(announced.message, home)
    home.bus.ack(announced)
    assert lose_messages(home, "steps-toy") == 2
    assert resume_stalled(home) == 0, "it has only just been asked for"
    assert resume_stalled(home, grace_s=0) == 1
    drain(home)
    run = run_object(home, CTX, run_id)
    assert states(run)["toy.join"] == "done"
    assert set(toy.ran.values()) == {1}


def test_a_step_in_the_middle_is_asked_for_too(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path)
    for step in ("toy.two", "toy.join"):
        path = record_path(CTX, run["run_id"], step)
        home.documents.put(path, StepRecord(step=step).model_dump(mode="json"))
    assert resume_stalled(home, grace_s=0) == 1
    drain(home)
    assert states(run_object(home, CTX, run["run_id"])) == states(run)


def test_a_run_is_left_alone_for_as_long_again(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path)
    for step in ("toy.join", "toy.two"):
        waiting = StepRecord(step=step).model_dump(mode="json")
        home.documents.put(record_path(CTX, run["run_id"], step), waiting)
    with at_time(time.time() + 61):
        assert resume_stalled(home, grace_s=60) == 1
        assert resume_stalled(home, grace_s=60) == 0


def test_what_waits_for_work_that_is_under_way_is_left_alone(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """A step of hours: its claim says that somebody has it, so no message was lost."""
    asked: list[int] = []
    toy.during = lambda _job: asked.append(resume_stalled(home, grace_s=0))
    run = run_file(home, tmp_path, steps=("toy.one", "toy.two"))
    assert states(run)["toy.two"] == "done"
    assert asked[0] == 0, "toy.two waits for what is being done"


def test_beside_a_long_step_only_what_was_lost_is_asked_for(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """Asking for what waits for its parts plans it anew, which in a long line of such is all that is done."""
    path = tmp_path / "take.wav"
    path.write_text("sound")
    params = {"toy.long": {"parts": 3}}
    upload(home, CTX, path, Wishes(steps=("toy.long", "toy.one"), params=params))
    (announced,) = home.bus.pull(["uploads"])
    toys.handle_upload(announced.message, home)
    home.bus.ack(announced)
    for delivery in home.bus.pull(["steps-toy"], limit=100):
        if delivery.message.attributes["step"] == "toy.long":
            handle_request(delivery.message, home, "toy")  # it is parted
        home.bus.ack(delivery)
    lose_messages(home, "steps-toy")
    assert resume_stalled(home, grace_s=0) == 1
    asked = home.bus.pull(["steps-toy"], limit=100)
    assert [delivery.message.attributes["step"] for delivery in asked] == ["toy.one"]
