"""What a step reads beside its recording: whatever its params name, if it is the tenant's."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest
from shared.contracts.step_engine import Job, SourceRef
from shared.homes.home import Home
from shared.runs.opening import requested_run_id
from shared.runs.views import list_artifacts, run_object
from shared.steps.preparing import publish_request
from shared.steps.storing import artifact_path
from tests.toy import CTX, Toy, drain, run_file, states


def reprocess(home: Home, asset_id: str, step: str, **changes: Any) -> dict[str, Any]:
    request = StepRequest(tenant_id="t1", env="dev", step=step, asset_id=asset_id, **changes)
    run_id = requested_run_id(publish_request(home, request))
    drain(home)
    return run_object(home, CTX, run_id)


def listening(monkeypatch: pytest.MonkeyPatch, toy: Toy) -> list[dict[str, str]]:
    """Let toy.one read the asset or artifact that ``text`` names; returns what it heard each time."""
    heard: list[dict[str, str]] = []

    def named(params: Any) -> list[SourceRef]:
        kind = "artifact_id" if params.text.startswith("art_") else "asset_id"
        return [SourceRef(**{kind: params.text})]

    def during(job: Job) -> None:
        if job.sources:
            heard.append({name: path.read_text() for name, path in job.sources.items()})

    toy.during = during
    module = sys.modules["functions.toy.one"]
    monkeypatch.setattr(module, "ENGINE", replace(toy.engine("toy.one"), sources=named))
    return heard


def test_a_step_reads_what_its_params_name(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = run_file(home, tmp_path, steps=("toy.three",), text="another sound")
    artifact = other["steps"][1]["artifacts"][0]
    heard = listening(monkeypatch, toy)
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    heard.clear()
    for name in (other["asset_id"], artifact["artifact_id"]):
        assert (
            states(reprocess(home, asset_id, "toy.one", params={"text": name}))["toy.one"] == "done"
        )
    assert heard[0] == {other["asset_id"]: "another sound"}
    assert heard[1] == {artifact["artifact_id"]: Path(artifact["path"]).read_text()}


def test_an_artifact_of_another_recording_is_refused_where_it_must_be_of_this_one(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening(monkeypatch, toy)

    def own(params: Any) -> list[SourceRef]:
        return [SourceRef(artifact_id=params.text, of_recording="text")]

    one, other = (
        run_file(home, tmp_path, steps=("toy.three",), text=text) for text in ("one", "other")
    )
    artifact_id = one["steps"][1]["artifacts"][0]["artifact_id"]
    module = sys.modules["functions.toy.one"]
    monkeypatch.setattr(module, "ENGINE", replace(toy.engine("toy.one"), sources=own))
    refused = reprocess(home, other["asset_id"], "toy.one", params={"text": artifact_id})
    error = refused["steps"][0]["error"]
    assert error["code"] == "validation_error" and "text" in error["message"]
    allowed = reprocess(home, one["asset_id"], "toy.one", params={"text": artifact_id})
    assert states(allowed)["toy.one"] == "done"


@pytest.mark.parametrize("whose", ["nobody's", "another tenant's"])
def test_a_source_that_is_not_the_tenants_is_not_found_and_nothing_runs(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    foreign = RequestContext(tenant_id="t2", env="dev")
    name = "ast_missing"
    if whose == "another tenant's":
        name = run_file(home, tmp_path, ctx=foreign, steps=("toy.three",))["asset_id"]
    heard = listening(monkeypatch, toy)
    run = run_file(
        home, tmp_path, steps=("toy.one",), text="mine", params={"toy.one": {"text": name}}
    )
    assert run["steps"][1]["error"]["code"] == "not_found"
    assert not heard and toy.ran["toy.one"] == 0


def test_other_bytes_of_a_source_are_another_result(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    (artifact,) = list_artifacts(home.documents, CTX, asset_id)
    listening(monkeypatch, toy)
    params = {"text": artifact.artifact_id}
    first = reprocess(home, asset_id, "toy.one", params=params)
    assert states(reprocess(home, asset_id, "toy.one", params=params))["toy.one"] == "cached"
    document = home.documents.get(artifact_path(CTX, artifact.artifact_id))
    assert document is not None
    changed = {**document.data, "sha256": "0" * 64}
    home.documents.update(document.path, changed, version=document.version)
    again = reprocess(home, asset_id, "toy.one", params=params)
    assert states(again)["toy.one"] == "done"
    assert again["steps"][0]["cache_key"] != first["steps"][0]["cache_key"]
