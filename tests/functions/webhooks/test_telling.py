"""What a receiver is told: signed, once, until it answers, and again when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.webhooks import telling
from functions.webhooks.main import handle
from functions.webhooks.telling import MAX_ATTEMPTS
from shared.contracts.message import Message
from shared.errors import NotFound, ValidationError
from shared.homes.home import Home
from shared.messages.delivery import deliver
from shared.messages.webhooks import REPLAY, Delivery, load_delivery, replay
from shared.runs.stored_json import public_run
from shared.runs.views import public_artifact
from tests.functions.webhooks.conftest import CTX, Receiver, subscribe
from tests.toy import run_file


def tell_all(home: Home) -> int:
    """Deliver what is on ``results`` once; returns how much was turned back."""
    again = 0
    for delivery in home.bus.pull(["results"], limit=1000):
        if deliver(delivery.message, home, handle) is None:
            home.bus.ack(delivery)
        else:
            again += 1
            home.bus.nack(delivery)
    return again


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr(telling, "FIRST_PAUSE_S", 0.0)


def deliveries(home: Home) -> list[Delivery]:
    found = home.documents.list(f"{CTX.document_prefix}webhook_deliveries")
    return [Delivery.model_validate(document.data) for document in found]


def test_the_end_of_a_run_is_told_once_as_the_run_itself(
    home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    subscribe(home, receiver, "run.finished")
    run = run_file(home, tmp_path, steps=("toy.one",))
    assert tell_all(home) == 0
    ((event_id, content),) = receiver.got
    assert content["type"] == "run.finished"
    assert content["data"] == public_run(home, CTX, run["run_id"])
    (told,) = deliveries(home)
    assert (told.event_id, told.state, told.status) == (event_id, "delivered", 204)


def test_each_kind_of_event(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    subscribe(home, receiver, "step.finished", "step.failed", "artifact.created")
    params = {"toy.one": {"number": 2}, "toy.three": {"fail": "permanent"}}
    run = run_file(home, tmp_path, steps=("toy.one", "toy.three"), params=params)
    tell_all(home)
    told = [(content["type"], content["data"]) for _, content in receiver.got]
    kinds = sorted(kind for kind, _ in told)
    assert kinds == sorted(["step.finished"] * 2 + ["step.failed"] + ["artifact.created"] * 2)
    whole = public_run(home, CTX, run["run_id"])
    for kind, data in told:
        if kind == "artifact.created":
            from shared.steps.storing import load_artifact

            artifact = load_artifact(home.documents, CTX, data["artifact_id"])
            assert data == public_artifact(artifact)
        else:
            (step,) = data["steps"]
            assert step in whole["steps"] and data["run_id"] == run["run_id"]
            assert (step["state"] == "failed") == (kind == "step.failed")


def test_repeated_messages_tell_nothing_again(
    home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    subscribe(home, receiver, "step.finished", "run.finished")
    run_file(home, tmp_path, steps=("toy.one",))
    for delivery in home.bus.pull(["results"], limit=1000):
        for _ in range(3):
            assert deliver(delivery.message, home, handle) is None
    ids = [event_id for event_id, _ in receiver.got]
    assert len(ids) == len(set(ids)) == 3


@pytest.mark.usefixtures("impatient")
def test_a_receiver_that_is_down_gets_it_when_it_is_back(
    home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    subscribe(home, receiver, "run.finished")
    run_file(home, tmp_path, steps=("probe",))
    receiver.status = 500
    assert [tell_all(home) > 0 for _ in range(3)] == [True] * 3
    (waiting,) = deliveries(home)
    assert (waiting.state, waiting.attempts, waiting.error) == ("pending", 3, "it answered 500")
    receiver.status = 200
    assert tell_all(home) == 0
    assert len({event_id for event_id, _ in receiver.got}) == 1 and len(receiver.got) == 4
    (told,) = deliveries(home)
    assert (told.state, told.attempts, told.error) == ("delivered", 4, None)


def test_many_messages_at_once_are_one_attempt(
    home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    """All steps' messages find the run finished; a receiver that is down for a moment loses nothing."""
    subscribe(home, receiver, "run.finished")
    run_file(home, tmp_path)
    receiver.status = 500
    assert tell_all(home) > 2
    assert tell_all(home) > 2
    (waiting,) = deliveries(home)
    assert (waiting.state, waiting.attempts, len(receiver.got)) == ("pending", 1, 1)


@pytest.mark.usefixtures("impatient")
def test_it_is_given_up_in_the_end_and_can_be_replayed(
    home: Home, receiver: Receiver, tmp_path: Path
) -> None:
    subscribe(home, receiver, "run.finished")
    run = run_file(home, tmp_path, steps=("toy.one",))
    receiver.status = 503
    while tell_all(home):
        continue
    (failed,) = deliveries(home)
    assert (failed.state, failed.attempts) == ("failed", MAX_ATTEMPTS)
    receiver.status = 200
    replay(home.documents, home.bus, CTX, failed.delivery_id)
    assert tell_all(home) == 0
    assert load_delivery(home.documents, CTX, failed.delivery_id).state == "delivered"
    assert {event_id for event_id, _ in receiver.got} == {failed.event_id}
    assert receiver.got[-1][1]["data"]["run_id"] == run["run_id"]
    with pytest.raises(NotFound):
        replay(home.documents, home.bus, CTX, "none")


def test_an_attempt_is_recorded_before_it_is_made(
    home: Home, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that takes its worker along would otherwise be tried for ever."""
    subscribe(home, receiver, "run.finished")
    run_file(home, tmp_path, steps=("toy.one",))

    def die(*_: object, **__: object) -> int:
        raise SystemExit

    monkeypatch.setattr(telling, "send", die)
    with pytest.raises(SystemExit):
        tell_all(home)
    (begun,) = deliveries(home)
    assert (begun.state, begun.attempts) == ("pending", 1) and begun.told_at is not None


def test_a_redirect_is_not_followed(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    subscribe(home, receiver, "run.finished")
    run_file(home, tmp_path, steps=("probe",))
    receiver.status = 307
    receiver.headers = {"Location": receiver.url}
    assert tell_all(home) > 0
    assert len(receiver.got) == 1


def test_nobody_else_is_told(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    subscribe(home, receiver, "run.finished")
    other = CTX.model_copy(update={"tenant_id": "t2"})
    run_file(home, tmp_path, ctx=other, steps=("toy.one",))
    assert tell_all(home) == 0 and receiver.got == []


def test_what_was_erased_is_not_told(home: Home, receiver: Receiver, tmp_path: Path) -> None:
    from shared.runs.erasing import erase_asset

    subscribe(home, receiver, "run.finished", "artifact.created")
    run = run_file(home, tmp_path, steps=("toy.one",))
    done = erase_asset(home, CTX, run["asset_id"])
    assert tell_all(home) == 0
    assert [body["data"]["run_id"] for _, body in receiver.got] == [done.run_id], (
        "the erasure alone"
    )


def test_a_replay_that_names_no_delivery_is_told_as_such(home: Home, receiver: Receiver) -> None:
    subscribe(home, receiver, "run.finished")
    attributes = {"tenant": CTX.tenant_id, "env": CTX.env, "type": REPLAY}
    with pytest.raises(ValidationError, match="a replay that names no delivery"):
        telling.tell(Message("m1", b"", attributes), home)
