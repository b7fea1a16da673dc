"""A step's message that comes again: after a crash, a failure, a newer version, a long time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.errors import LeaseHeld, Scarce, Unavailable
from shared.homes.bus import Outgoing
from shared.homes.home import Home
from shared.messages.dead_letters import dead_letters, redrive
from shared.messages.requests import handle_request
from shared.pipeline import BY_NAME
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.planning import request_for
from shared.runs.records import load_run
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, run_object
from shared.steps.attempt import Attempt
from shared.steps.preparing import load_asset
from shared.steps.step_records import write_record
from tests.toy import CTX, Toy, drain, embedded_home, handle_upload, run_file, states


@pytest.mark.allow_error_logs
def test_transient_failures_are_tried_again_then_given_up_and_can_be_redriven(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.two",), params={"toy.one": {"fail": "scarce"}})
    assert toy.ran["toy.one"] == home.settings.max_attempts
    error = run["steps"][1]["error"]
    assert error["code"] == "attempts_exhausted"
    assert "told to come again" in error["message"]
    (letter,) = dead_letters(home.documents, CTX)
    assert (letter.code, letter.step) == ("attempts_exhausted", "toy.one")

    toy.ran.clear()
    toy._result = lambda *_: (_ for _ in ()).throw(Scarce("toy", "still"))  # type: ignore[method-assign]
    redrive(home, CTX, letter)
    drain(home)
    assert toy.ran["toy.one"] == home.settings.max_attempts, "a redrive counts afresh"


@pytest.mark.allow_error_logs
def test_what_a_step_stored_before_it_was_given_up_is_not_listed(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(*_: Any) -> Any:
        raise Scarce("memory", "it died of it, with its artifacts stored")

    monkeypatch.setattr(Attempt, "_settle", settle)
    run = run_file(home, tmp_path, steps=("toy.one",))
    assert toy.ran["toy.one"] == home.settings.max_attempts
    assert states(run)["toy.one"] == "failed" and run["steps"][1]["artifacts"] == []
    assert list(list_artifacts(home.documents, CTX)) == []
    asset = load_asset(home, CTX, run["asset_id"])
    stored = [info.key for info in home.objects.list(f"{CTX.object_prefix}media_v2/")]
    assert stored == [asset.key]


@pytest.mark.allow_error_logs
def test_a_redriven_step_mends_its_run(home: Home, toy: Toy, tmp_path: Path) -> None:
    trouble = iter([True] * home.settings.max_attempts)

    def during(_job: Any) -> None:
        if next(trouble, False):
            raise Scarce("toy", "capacity")

    toy.during = during
    run = run_file(home, tmp_path, steps=("toy.two",))
    assert states(run) == {"probe": "done", "toy.one": "failed", "toy.two": "skipped"}
    redrive(home, CTX, next(dead_letters(home.documents, CTX)))
    drain(home)
    mended = run_object(home, CTX, run["run_id"])
    assert states(mended) == {"probe": "done", "toy.one": "done", "toy.two": "done"}


def test_the_same_message_twenty_times_computes_once(home: Home, toy: Toy, tmp_path: Path) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    request = StepRequest(tenant_id="t1", env="dev", step="toy.one", asset_id=asset_id)
    for _ in range(20):
        handle_request(Message("m1", request.model_dump_json().encode(), {}), home, "toy")
    drain(home)
    assert toy.ran["toy.one"] == 1
    assert len(list(list_artifacts(home.documents, CTX, asset_id))) == 4


@pytest.mark.parametrize(("whose", "told"), [("own", "done"), ("another's", "cached")])
def test_a_result_of_its_own_run_is_told_as_done_and_not_as_cached(
    home: Home, toy: Toy, tmp_path: Path, whose: str, told: str
) -> None:
    """A worker that died between settling and telling: its redelivery tells what it had made."""
    first = run_file(home, tmp_path, steps=("toy.one",))
    run = load_run(home.documents, CTX, first["run_id"])
    request = request_for(run, BY_NAME["toy.one"])
    asset = load_asset(home, CTX, first["asset_id"])
    run_id = first["run_id"] if whose == "own" else "run_another"
    again = Attempt(home, BY_NAME["toy.one"], request, run_id, asset, Message("m", b"", {})).make()
    assert again.record.state == told
    made = (first["steps"][1]["artifacts"][0]["artifact_id"],)
    assert again.told_before == (made if whose == "own" else ()), (
        "what is new is told, however late"
    )
    assert again.record.artifact_ids == made
    assert toy.ran["toy.one"] == 1


def test_a_redelivery_to_a_running_step_comes_back_later_and_is_no_attempt(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    reprocessed = StepRequest(tenant_id="t1", env="dev", step="toy.one", asset_id=asset_id)
    handle_request(Message("m1", reprocessed.model_dump_json().encode(), {}), home, "toy")
    (request,) = home.bus.pull(["steps-toy"])

    def redelivered(_job: Any) -> None:
        for _ in range(2 * home.settings.max_attempts):
            with pytest.raises(LeaseHeld):
                handle_request(request.message, home, "toy")

    toy.during = redelivered
    handle_request(request.message, home, "toy")
    assert toy.ran["toy.one"] == 1
    assert states(run_object(home, CTX, requested_run_id("m1")))["toy.one"] == "done"
    assert list(dead_letters(home.documents, CTX)) == []


def test_a_worker_told_to_stop_gives_its_claim_back(toy: Toy, tmp_path: Path) -> None:
    home = embedded_home(tmp_path / "data", lease_s=1.0)
    stopping = iter([True])

    def during(_job: Any) -> None:
        if next(stopping, False):
            raise SystemExit

    toy.during = during
    with pytest.raises(SystemExit):
        run_file(home, tmp_path, steps=("toy.one",))
    delivery = home.bus.pull(["steps-toy"], wait_s=60)
    assert delivery, "the message comes again when its deadline has passed"
    handle_request(delivery[0].message, home, "toy")
    assert toy.ran["toy.one"] == 2


def test_a_late_word_of_a_former_owner_changes_nothing(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    from shared.contracts.step import StepRecord, StepState
    from shared.steps.step_records import load_records

    run = run_file(home, tmp_path, steps=("toy.one",))
    standing = load_records(home.documents, CTX, run["run_id"])["toy.one"]
    late = StepRecord(step="toy.one", lease_generation=0).settled(StepState.FAILED)
    assert not write_record(home.documents, CTX, run["run_id"], late)
    progress = standing.model_copy(update={"state": StepState.RUNNING, "progress": 0.5})
    assert not write_record(home.documents, CTX, run["run_id"], progress)
    assert load_records(home.documents, CTX, run["run_id"])["toy.one"] == standing


def test_a_settled_step_stays_as_it_is_whatever_comes_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """A duplicate that a newer version of the code receives makes no second set of results."""
    sent: list[Message] = []
    publish_all = home.bus.publish_all

    def keep(messages: Sequence[Outgoing]) -> None:
        asked = (one for one in messages if one.topic == "steps-toy")
        sent.extend(Message("again", one.data, one.attributes) for one in asked)
        publish_all(messages)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(home.bus, "publish_all", keep)
        run = run_file(home, tmp_path, steps=("toy.one",))
    toy.version = "toy-2"
    handle_request(sent[0], home, "toy")
    assert toy.ran["toy.one"] == 1
    assert run_object(home, CTX, run["run_id"]) == run
    assert len(list(list_artifacts(home.documents, CTX))) == 1


def test_what_a_worker_died_before_telling_is_told_by_the_next(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    home.bus.subscribe("results", "onlooker")
    with pytest.MonkeyPatch.context() as patched:
        died = Unavailable("the worker", "it is gone")
        patched.setattr(
            "shared.messages.requests.publish_settled", lambda *_: (_ for _ in ()).throw(died)
        )
        path = tmp_path / "take.wav"
        path.write_text("sound")
        upload(home, CTX, path, Wishes(steps=("toy.one",)))
        (delivery,) = home.bus.pull(["uploads"])
        handle_upload(delivery.message, home)
        (delivery,) = home.bus.pull(["steps-toy"])
        with pytest.raises(Unavailable):
            handle_request(delivery.message, home, "toy")
    handle_request(delivery.message, home, "toy")
    told = [json.loads(one.message.data) for one in home.bus.pull(["onlooker"], limit=10)]
    assert [(one["type"], len(one["artifacts"])) for one in told] == [
        ("step.finished", 0),  # probe
        ("step.finished", 1),
    ]


@pytest.mark.allow_error_logs
def test_what_is_merely_away_is_waited_for_and_uses_no_attempts_up(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    trouble = iter([True] * (3 * home.settings.max_attempts))

    def during(_job: Any) -> None:
        if next(trouble, False):
            raise Unavailable("the bucket", "it is away")

    toy.during = during
    run = run_file(home, tmp_path, steps=("toy.one",))
    assert states(run)["toy.one"] == "done"


@pytest.mark.allow_error_logs
def test_waiting_ends_with_the_patience(home: Home, toy: Toy, tmp_path: Path) -> None:
    impatient = replace(home, settings=home.settings.model_copy(update={"patience_s": 0.0}))
    run = run_file(
        impatient, tmp_path, steps=("toy.one",), params={"toy.one": {"fail": "transient"}}
    )
    assert run["steps"][1]["error"]["code"] == "attempts_exhausted"
    assert "waited for too long" in run["steps"][1]["error"]["message"]
