"""Asking for steps: what is refused at once, what is answered at once, what is followed."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.steps import Asked
from functions.wiring import engine_of
from shared import pipeline
from shared.pipeline import STEPS
from tests.functions.api.conftest import Desk

REAL_STEPS = STEPS


def test_each_step_has_a_path_of_its_own() -> None:
    paths = [row.path for row in REAL_STEPS]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith("/") for path in paths)


def test_no_param_is_called_as_what_stands_beside_the_params() -> None:
    for row in REAL_STEPS:
        assert not set(engine_of(row).params.model_fields) & set(Asked.model_fields), row.name


def test_a_step_is_accepted_followed_and_finished(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    asked = desk.client.post("/steps/toy/three", json={"asset_id": asset_id, "text": "other"})
    assert asked.status_code == 202 and asked.json()["result"] is None
    assert asked.json()["state"] in ("queued", "running")
    run_id = asked.json()["run_id"]
    assert asked.headers["Location"] == asked.json()["links"]["self"] == f"/runs/{run_id}"
    desk.drained()
    run = desk.client.get(f"/runs/{run_id}").json()
    assert {s["step"]: s["state"] for s in run["steps"]}["toy.three"] == "done"
    (artifact, *_) = run["steps"][1]["artifacts"]
    content = desk.client.get(artifact["links"]["content"])
    assert content.json().startswith("toy.three other") and "path" not in artifact


def test_a_known_result_is_answered_at_once_without_a_message(desk: Desk) -> None:
    run = desk.recording(steps=("toy.two",))
    body = {"asset_id": run["asset_id"]}
    desk.client.post("/steps/toy/two", json=body)
    desk.drained()  # also what follows from it is known now
    ran = desk.toy.ran.copy()
    asked = desk.client.post("/steps/toy/two", json=body)
    assert asked.status_code == 200 and asked.json()["state"] == "done"
    result = asked.json()["result"]
    assert result["meta"]["cache_hit"] is True
    assert result["content"].startswith("toy.two toy")
    assert desk.home.bus.pull(["steps-toy"]) == []
    assert desk.toy.ran == ran
    again = desk.client.post("/steps/toy/two", json={**body, "force": True})
    assert again.status_code == 202
    desk.drained()
    assert desk.toy.ran["toy.two"] == ran["toy.two"] + 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"asset_id": "ast_none"}, 404, "not_found"),
        ({}, 422, "validation_error"),
        ({"asset_id": "../../etc"}, 422, "validation_error"),
        ({"asset_id": "OWN", "number": "many"}, 422, "validation_error"),
        ({"asset_id": "OWN", "unknown_param": 1}, 422, "validation_error"),
        ({"asset_id": "OWN", "artifact_id": "art_none"}, 404, "not_found"),
        ({"asset_id": "OWN", "tenant_id": "t2"}, 403, "cross_tenant"),
        ({"asset_id": "OWN", "env": "prod"}, 403, "cross_tenant"),
        ({"asset_id": "OWN", "user_id": "somebody"}, 403, "cross_tenant"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    desk: Desk, body: dict[str, Any], status: int, code: str
) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    told = {name: asset_id if value == "OWN" else value for name, value in body.items()}
    refused = desk.client.post("/steps/toy/two", json=told)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert desk.home.bus.pull(["steps-toy"]) == []


def test_an_artifact_of_another_asset_is_refused(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    other = desk.recording("another sound", steps=("toy.three",))
    artifact_id = other["steps"][1]["artifacts"][0]["artifact_id"]
    body = {"asset_id": asset_id, "artifact_id": artifact_id}
    refused = desk.client.post("/steps/toy/one", json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (422, "validation_error")
    assert error["details"]["field"] == "artifact_id"
    own = desk.client.post("/steps/toy/one", json={**body, "asset_id": other["asset_id"]})
    assert own.status_code == 202


def test_the_fields_of_old_are_accepted_where_they_are_the_callers(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    body = {"asset_id": asset_id, "tenant_id": "t1", "env": "dev", "user_id": None}
    assert desk.client.post("/steps/toy/one", json=body).status_code == 200


def test_one_key_is_one_run_and_one_meaning(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    keyed = {"Idempotency-Key": "mine"}
    body = {"asset_id": asset_id, "text": "x"}
    first, second = (desk.client.post("/steps/toy/one", json=body, headers=keyed) for _ in range(2))
    assert first.json()["run_id"] == second.json()["run_id"]
    desk.drained()
    assert desk.client.post("/steps/toy/one", json=body, headers=keyed).status_code == 200
    other = desk.client.post("/steps/toy/one", json={**body, "text": "y"}, headers=keyed)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    without = desk.client.post("/steps/toy/one", json={**body, "text": "z"})
    assert without.json()["run_id"] != first.json()["run_id"]
    assert desk.toy.ran["toy.one"] == 2


def test_reprocessing_any_step_by_name(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    asked = desk.client.post(
        "/reprocess", json={"asset_id": asset_id, "step": "toy.one", "params": {"number": 3}}
    )
    desk.drained()
    run = desk.client.get(asked.json()["links"]["self"]).json()
    (step,) = [s for s in run["steps"] if s["step"] == "toy.one"]
    assert len(step["artifacts"]) == 3
    unknown = desk.client.post("/reprocess", json={"asset_id": asset_id, "step": "toy.none"})
    assert unknown.status_code == 422 and "toy.join" in unknown.json()["error"]["message"]


def test_a_failed_step_is_the_runs_error_not_the_requests(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    asked = desk.client.post("/steps/toy/one", json={"asset_id": asset_id, "fail": "permanent"})
    desk.drained()
    run = desk.client.get(asked.json()["links"]["self"])
    assert run.status_code == 200 and run.json()["state"] == "failed"
    (step,) = [s for s in run.json()["steps"] if s["step"] == "toy.one"]
    assert step["error"]["code"] == "backend_failed"


def test_the_table_is_shown(desk: Desk) -> None:
    table = desk.client.get("/pipeline").json()
    rows = table["steps"]
    assert [row["step"] for row in rows] == [row.name for row in pipeline.STEPS]
    assert (rows[0]["path"], rows[0]["title"]) == ("/steps/toy/one", "Toy one")
    assert table["first"] == {"step": "probe", "title": "Read"}
    kinds = {kind["name"]: kind for kind in table["kinds"]}
    assert kinds["audio_hits"]["title"] == "Hits, listed"
    assert kinds["audio_hits"]["demands"] == ["duration_ms", "segment_count"]
