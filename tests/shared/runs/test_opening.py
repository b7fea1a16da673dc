"""Runs that are asked for: what they plan, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.runs.opening import open_requested_run
from tests.toy import Toy, drain, run_file


def test_on_a_dry_run_nothing_follows_and_nothing_is_made(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    request = StepRequest(
        tenant_id="t1", env="dev", step="toy.two", asset_id=asset_id, params={"dry_run": True}
    )
    run = open_requested_run(home, request, "run_dry")
    drain(home)
    assert run.planned == ("toy.one", "toy.two"), "toy.join follows from it, but not now"
    assert toy.ran["toy.one"] == toy.ran["toy.join"] == 0
