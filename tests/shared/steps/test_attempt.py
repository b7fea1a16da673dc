"""The way of a step, end to end on an embedded home, with toy engines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.command.main import rushes
from shared.homes.home import Home
from shared.steps.verifying import verify_artifact
from tests.toy import CTX, Toy, run_file, states


def test_an_upload_runs_every_default_step_in_order(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path)
    assert states(run) == {
        "probe": "done",
        "toy.one": "done",
        "toy.three": "done",
        "toy.two": "done",
        "toy.join": "done",
        "toy.video": "skipped",
    }
    join = next(step for step in run["steps"] if step["step"] == "toy.join")
    text = Path(join["artifacts"][0]["path"]).read_text()
    assert "toy.two" in text and "toy.three" in text
    assert run["steps"][-1]["reason"] == "no video"


def test_the_second_time_nothing_is_computed(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path)
    ran = dict(toy.ran)
    second = run_file(home, tmp_path)
    assert toy.ran == ran
    assert set(states(second).values()) == {"done", "cached", "skipped"}
    assert states(second)["toy.join"] == "cached"
    assert [s["artifacts"] for s in first["steps"]] == [s["artifacts"] for s in second["steps"]]


def test_a_changed_param_computes_that_step_and_what_follows(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run_file(home, tmp_path)
    run = run_file(home, tmp_path, params={"toy.two": {"text": "other"}})
    assert toy.ran == {"toy.one": 1, "toy.three": 1, "toy.two": 2, "toy.join": 2}
    assert states(run)["toy.one"] == "cached"


def test_a_new_backend_version_computes_again(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_file(home, tmp_path)
    toy.version = "toy-2"
    run_file(home, tmp_path)
    assert toy.ran["toy.one"] == 2


def test_a_failed_step_leaves_the_others_and_says_why(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, params={"toy.one": {"fail": "permanent"}})
    assert states(run)["toy.one"] == "failed"
    assert states(run)["toy.two"] == "skipped"
    assert states(run)["toy.join"] == "degraded", "one of its two inputs is there"
    failed = next(step for step in run["steps"] if step["step"] == "toy.one")
    assert failed["error"]["code"] == "backend_failed"
    assert failed["error"]["service"] == "toy.one"
    assert failed["error"]["backend_version"] == "toy-1"
    skipped = next(step for step in run["steps"] if step["step"] == "toy.two")
    assert skipped["reason"] == "toy.one failed"


def test_where_all_inputs_of_a_partial_step_failed_it_is_skipped(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    params = {"toy.two": {"fail": "permanent"}, "toy.three": {"fail": "permanent"}}
    run = run_file(home, tmp_path, params=params)
    assert states(run)["toy.join"] == "skipped" and toy.ran["toy.join"] == 0


@pytest.mark.allow_error_logs
def test_a_degraded_result_is_made_again_once_its_input_is_there(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    partial = run_file(home, tmp_path, params={"toy.three": {"fail": "bug"}})
    keys = {s["step"]: s["cache_key"] for s in partial["steps"]}
    assert states(partial)["toy.join"] == "degraded"
    again = run_file(home, tmp_path, params={"toy.three": {"fail": "bug"}})
    assert states(again)["toy.join"] == "degraded"
    assert toy.ran["toy.join"] == 1, "the same partial result is taken from the cache"
    assert {s["step"]: s["cache_key"] for s in again["steps"]}["toy.join"] == keys["toy.join"]


@pytest.mark.allow_error_logs
def test_an_unforeseen_exception_is_a_failed_step(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",), params={"toy.one": {"fail": "bug"}})
    error = run["steps"][1]["error"]
    assert error["code"] == "backend_failed" and "ZeroDivisionError" in error["message"]


@pytest.mark.parametrize("params", [{"nonsense": 1}, {"number": "many"}])
def test_bad_params_fail_the_step_and_name_the_field(
    home: Home, toy: Toy, tmp_path: Path, params: dict[str, Any]
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",), params={"toy.one": params})
    error = run["steps"][1]["error"]
    assert error["code"] == "validation_error"
    assert error["details"]["field"] == next(iter(params))
    assert not toy.ran


def test_a_function_without_its_libraries_says_what_to_install(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "functions.toy.one", None)
    run = run_file(home, tmp_path, steps=("toy.one",))
    error = run["steps"][1]["error"]
    assert error["code"] == "missing_dependency" and "rushes[toy]" in error["message"]


def test_no_time_and_no_tenant_in_what_is_cached(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))["steps"][1]["artifacts"][0]
    assert set(first["meta"]) == {
        *("name", "duration_ms", "segment_count", "cache_key"),
        *("backend", "backend_type", "backend_version", "backend_info"),
    }


def test_verifying_computes_again_and_compares(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_file(home, tmp_path, steps=("toy.two",), params={"toy.one": {"text": "chosen"}})
    artifact = run["steps"][2]["artifacts"][0]
    found = verify_artifact(home, CTX, artifact["artifact_id"])
    assert found["identical"] and found["computed_sha256"] == artifact["sha256"]
    assert toy.ran == {"toy.one": 1, "toy.two": 2}
    made = Toy._result

    def otherwise(self: Toy, step: str, job: Any, params: Any) -> Any:
        result = made(self, step, job, params)
        result.outputs[0].path.write_text("other")
        return result

    toy._result = otherwise.__get__(toy)  # type: ignore[method-assign]
    found = verify_artifact(home, CTX, artifact["artifact_id"])
    assert not found["identical"] and found["largest_deviation"] is None
    assert found["stored_processor"] == found["processor"]
    monkeypatch.setattr(f"{verify_artifact.__module__}.processor_kind", lambda: "riscv64 other")
    found = verify_artifact(home, CTX, artifact["artifact_id"])
    assert found["stored_processor"] != found["processor"] == "riscv64 other"
    assert not found["as_promised"], "without a tolerance nothing is promised there"
    where = ["--data", str(tmp_path / "data"), "--tenant", CTX.tenant_id, "--env", CTX.env]
    said = CliRunner().invoke(rushes, ["verify", *where, artifact["artifact_id"]])
    assert (
        "made on another kind of processor" in " ".join(said.output.split()) and said.exit_code == 1
    )
