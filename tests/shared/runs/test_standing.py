"""What people are shown of a recording is what was delivered last, not what was last asked."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.runs.opening import open_requested_run
from shared.runs.standing import standing_results
from tests.toy import CTX, Toy, drain, run_file


def test_a_dry_run_hides_nothing_that_older_runs_delivered(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.one",))["asset_id"]
    before = standing_results(home, CTX, asset_id)
    assert [one.step for one in before if one.artifacts] == ["toy.one"]
    told = {"tenant_id": CTX.tenant_id, "env": CTX.env, "asset_id": asset_id}
    request = StepRequest(step="toy.two", params={"dry_run": True}, **told)
    open_requested_run(home, request, "run_dry")
    drain(home)
    assert standing_results(home, CTX, asset_id) == before


def test_what_was_made_of_an_artifact_is_called_after_it(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    (artifact,) = run["steps"][1]["artifacts"]
    told = {"tenant_id": CTX.tenant_id, "env": CTX.env, "asset_id": run["asset_id"]}
    request = StepRequest(step="toy.three", artifact_id=artifact["artifact_id"], **told)
    open_requested_run(home, request, "run_more")
    drain(home)
    found = {one.step: one.made_from for one in standing_results(home, CTX, run["asset_id"])}
    assert found == {"toy.one": None, "toy.three": artifact["meta"]["name"]}
