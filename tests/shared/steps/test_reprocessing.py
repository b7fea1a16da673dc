"""Doing a step again: what is taken from the cache, and what is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.messages.requests import handle_request
from shared.runs.opening import requested_run_id
from shared.runs.views import run_object
from shared.steps.preparing import publish_request
from shared.steps.storing import artifact_path
from tests.toy import CTX, Toy, drain, run_file, states


def reprocess(home: Home, asset_id: str, step: str, **changes: Any) -> dict[str, Any]:
    request = StepRequest(tenant_id="t1", env="dev", step=step, asset_id=asset_id, **changes)
    run_id = requested_run_id(publish_request(home, request))
    drain(home)
    return run_object(home, CTX, run_id)


def test_reprocessing_one_step_takes_the_rest_from_the_cache(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path)["asset_id"]
    run = reprocess(home, asset_id, "toy.two", params={"text": "again"})
    assert states(run) == {
        "toy.one": "cached",
        "toy.three": "cached",
        "toy.two": "done",
        "toy.join": "done",
    }


def test_reprocessing_keeps_the_other_steps_params(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, params={"toy.one": {"text": "chosen"}})
    toy.ran.clear()
    reprocess(home, run["asset_id"], "toy.two", params={"text": "again"})
    assert toy.ran == {"toy.two": 1, "toy.join": 1}


def test_what_is_wanted_is_waited_for_where_planned_and_missed_where_not(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    both = run_file(home, tmp_path, steps=("toy.one", "toy.wish"))
    alone = run_file(home, tmp_path, steps=("toy.wish",))
    broken = {"toy.one": {"fail": "permanent", "text": "other"}}
    after_failure = run_file(home, tmp_path, steps=("toy.one", "toy.wish"), params=broken)
    made = [run["steps"][-1]["artifacts"][0] for run in (both, alone)]
    assert [len(artifact["parents"]) for artifact in made] == [2, 1], (
        "the asset and what was wanted; the asset alone"
    )
    assert states(alone) == {"probe": "done", "toy.wish": "done"}, "a want plans nothing"
    assert states(after_failure)["toy.wish"] == "cached", "as if it had not been planned"
    assert toy.ran["toy.wish"] == 2


def test_reprocessing_keeps_what_the_step_had_of_what_it_wants(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one", "toy.wish"))
    again = reprocess(home, run["asset_id"], "toy.wish", params={"text": "other"})
    assert states(again) == {"toy.one": "cached", "toy.wish": "done"}


def test_force_computes_again_to_the_same_ids(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))
    run = reprocess(home, first["asset_id"], "toy.one", force=True)
    assert toy.ran["toy.one"] == 2
    assert states(run)["toy.one"] == "done"
    assert run["steps"][0]["artifacts"] == first["steps"][1]["artifacts"]


def test_a_step_can_work_on_an_artifact(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))
    artifact_id = first["steps"][1]["artifacts"][0]["artifact_id"]
    run = reprocess(home, first["asset_id"], "toy.three", artifact_id=artifact_id)
    (made,) = run["steps"][0]["artifacts"]
    assert made["parents"] == [first["asset_id"], artifact_id]


def test_what_a_step_needs_is_made_of_the_artifact_too(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    first = run_file(home, tmp_path, steps=("toy.three",))
    artifact_id = first["steps"][1]["artifacts"][0]["artifact_id"]
    stored = home.documents.get(artifact_path(CTX, artifact_id))
    assert stored is not None
    home.documents.put(stored.path, {**stored.data, "content_type": "audio/wav"})  # no document
    run = reprocess(home, first["asset_id"], "toy.two", artifact_id=artifact_id)
    assert states(run) == {"toy.one": "done", "toy.two": "done"}
    assert all(artifact_id in step["artifacts"][0]["parents"] for step in run["steps"])


def test_a_request_by_attributes_alone_works(home: Home, toy: Toy, tmp_path: Path) -> None:
    asset_id = run_file(home, tmp_path)["asset_id"]
    attributes = {"tenant": "t1", "env": "dev", "step": "toy.one", "asset": asset_id}
    message = Message("m1", b"", {**attributes, "params": '{"text": "by hand"}'})
    handle_request(message, home, "toy")
    drain(home)
    assert states(run_object(home, CTX, requested_run_id("m1")))["toy.one"] == "done"
