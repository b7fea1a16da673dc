"""What the topic of results tells: in order, under ids that a repetition repeats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.contracts.step import StepRecord, StepState
from shared.errors import NotFound
from shared.homes.home import Home
from shared.runs.results import publish_settled
from shared.steps.storing import artifact_path
from tests.shared.runs.made import artifact
from tests.toy import CTX

DONE = StepRecord(step="toy.one").settled(StepState.DONE, artifact_ids=("art_1",))
SKIPPED = StepRecord(step="toy.one").settled(StepState.SKIPPED, reason="no sound")
FAILED = StepRecord(step="toy.one").settled(StepState.FAILED, error={"code": "timeout"})


def told(home: Home, *what: Any) -> list[tuple[dict[str, str], dict[str, Any]]]:
    publish_settled(home, CTX, "run_1", *what)
    found = home.bus.pull(["onlooker"], limit=10)
    for delivery in found:
        home.bus.ack(delivery)
    return [(dict(one.message.attributes), json.loads(one.message.data)) for one in found]


@pytest.fixture(autouse=True)
def onlooker(home: Home) -> None:
    home.bus.subscribe("results", "onlooker")


def test_a_steps_artifacts_are_told_with_it_in_one_message(home: Home) -> None:
    made = [artifact("audio_hits", "hit 1"), artifact("audio_hits", "hit 2")]
    ((attributes, event),) = told(home, DONE, made)
    assert attributes["type"] == "step.finished"
    assert [one["artifact_id"] for one in event["artifacts"]] == [one.artifact_id for one in made]
    assert all("meta" not in one for one in event["artifacts"]), "of thousands it would not fit"
    ((again, _),) = told(home, DONE, made)
    assert again["event_id"] == attributes["event_id"] and len(again["event_id"]) == 32


def test_what_a_step_made_is_told_again_as_it_was(home: Home) -> None:
    made = [artifact("audio_hits", "hit 1"), artifact("audio_hits", "hit 2")]
    first = told(home, DONE, made)
    contents = {artifact_path(CTX, one.artifact_id): one.model_dump(mode="json") for one in made}
    home.documents.create_all(contents)
    names = [one.artifact_id for one in made]
    assert told(home, DONE, (), names) == first
    home.documents.delete(artifact_path(CTX, names[1]))
    with pytest.raises(NotFound, match=names[1]):
        told(home, DONE, (), names)


@pytest.mark.parametrize(
    ("record", "kind"),
    [(DONE, "step.finished"), (SKIPPED, "step.finished"), (FAILED, "step.failed")],
    ids=["done", "skipped", "failed"],
)
def test_an_event_says_whose_it_is_and_how_the_step_stands(
    home: Home, record: StepRecord, kind: str
) -> None:
    ((attributes, event),) = told(home, record)
    whose = {"tenant": "t1", "env": "dev", "step": "toy.one", "type": kind}
    assert {**attributes, **whose} == attributes
    assert (event["type"], event["tenant_id"], event["env"]) == (kind, "t1", "dev")
    assert event["run_id"] == "run_1" and event["state"] == record.state
    assert event["error"] == record.error


def test_another_end_is_another_event(home: Home) -> None:
    ((one, _),) = told(home, DONE)
    ((other, _),) = told(home, FAILED)
    assert one["event_id"] != other["event_id"]
