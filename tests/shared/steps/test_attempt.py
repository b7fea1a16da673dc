"""The way of a step, end to end on an embedded home, with toy engines."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.command.main import rushes
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.contracts.step_engine import Job, SourceRef
from shared.errors import LeaseHeld, Scarce, Unavailable
from shared.homes.home import Home
from shared.messages.dead_letters import dead_letters, redrive
from shared.messages.requests import handle_request
from shared.pipeline import BY_NAME
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.planning import publish_request, request_for
from shared.runs.records import load_run
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, run_object
from shared.steps.attempt import Attempt
from shared.steps.preparing import load_asset
from shared.steps.step_records import write_record
from shared.steps.storing import artifact_path
from shared.steps.verifying import verify_artifact
from tests.toy import CTX, Toy, drain, embedded_home, handle_upload, run_file, states


def reprocess(home: Home, asset_id: str, step: str, **changes: Any) -> dict[str, Any]:
    request = StepRequest(tenant_id="t1", env="dev", step=step, asset_id=asset_id, **changes)
    run_id = requested_run_id(publish_request(home, request))
    drain(home)
    return run_object(home, CTX, run_id)


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


def test_a_function_without_its_libraries_says_what_to_install(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "functions.toy.one", None)
    run = run_file(home, tmp_path, steps=("toy.one",))
    error = run["steps"][1]["error"]
    assert error["code"] == "missing_dependency" and "rushes[toy]" in error["message"]


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
    assert bool(again.made) is (whose == "own"), "what is new is told, however late"
    assert again.record.artifact_ids == (first["steps"][1]["artifacts"][0]["artifact_id"],)
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


def test_no_time_and_no_tenant_in_what_is_cached(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))["steps"][1]["artifacts"][0]
    assert set(first["meta"]) == {
        *("name", "duration_ms", "segment_count", "cache_key"),
        *("backend", "backend_type", "backend_version", "backend_info"),
    }


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


def test_a_settled_step_stays_as_it_is_whatever_comes_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """A duplicate that a newer version of the code receives makes no second set of results."""
    sent: list[Message] = []
    publish = home.bus.publish

    def keep(topic: str, data: bytes, attributes: Any) -> str:
        if topic == "steps-toy":
            sent.append(Message("again", data, attributes))
        return publish(topic, data, attributes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(home.bus, "publish", keep)
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
