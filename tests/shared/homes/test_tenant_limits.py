"""One limit on an input's bytes, at every door and in every step; none on what was made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest
from shared.errors import InputTooLarge, ValidationError
from shared.homes.home import Home
from shared.homes.objects.fetch import fetch_object
from shared.homes.tenant_limits import max_input_bytes, most_bytes
from shared.runs.opening import requested_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, run_object
from shared.steps.preparing import load_asset, publish_request
from tests.toy import CTX, Toy, drain, embedded_home, run_file, states

OTHER = RequestContext(tenant_id="t2", env="dev")


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    """An environment that takes ten bytes."""
    return embedded_home(tmp_path / "small", max_input_bytes=10)


def allow(home: Home, limit: Any, ctx: RequestContext = CTX) -> None:
    home.documents.put(f"{ctx.document_prefix}settings/pipeline", {"max_input_bytes": limit})


def test_a_tenant_that_may_send_more_has_it_worked_on(home: Home, toy: Toy, tmp_path: Path) -> None:
    allow(home, 100)
    run = run_file(home, tmp_path, text="x" * 100)
    assert {name: state for name, state in states(run).items() if state != "skipped"} == dict.fromkeys(
        ("probe", "toy.one", "toy.three", "toy.two", "toy.join"), "done"
    )  # fmt: skip
    with pytest.raises(InputTooLarge) as refused:
        run_file(home, tmp_path, text="x" * 101)
    assert refused.value.fields == {"max_bytes": 100, "received_bytes": 101}
    with pytest.raises(InputTooLarge):
        run_file(home, tmp_path, text="x" * 11, ctx=OTHER)


def test_a_tenant_that_may_send_less_is_held_to_it_everywhere(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, text="x" * 10)["asset_id"]
    allow(home, 5)
    path = tmp_path / "take.wav"
    path.write_text("x" * 6)
    with pytest.raises(InputTooLarge):
        upload(home, CTX, path)
    run = asked(home, asset_id, "toy.one", params={"text": "anew"})
    (step,) = (step for step in run["steps"] if step["step"] == "toy.one")
    assert step["error"]["code"] == "input_too_large" and step["error"]["max_bytes"] == 5


def asked(home: Home, asset_id: str, step: str, **changes: Any) -> dict[str, Any]:
    request = StepRequest(tenant_id="t1", env="dev", step=step, asset_id=asset_id, **changes)
    run_id = requested_run_id(publish_request(home, request))
    drain(home)
    return run_object(home, CTX, run_id)


def test_what_the_product_has_made_may_be_longer_than_any_input(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, params={"toy.one": {"text": "long" * 100}})
    made = next(a for a in list_artifacts(home.documents, CTX) if a.bytes > 400)
    assert made.bytes > max_input_bytes(home, CTX) < 400
    again = asked(home, run["asset_id"], "toy.three", artifact_id=made.artifact_id)
    assert states(again)["toy.three"] == "done"
    asset = load_asset(home, CTX, run["asset_id"])
    assert (most_bytes(home, CTX, asset), most_bytes(home, CTX, made)) == (10, made.bytes)
    to = tmp_path / "made"
    assert fetch_object(home.objects, made.key, to, max_bytes=made.bytes).bytes == made.bytes


@pytest.mark.parametrize(("limit", "meant"), [(1, 1), (1.9, 1), (10**12, 10**12)])
def test_any_number_of_at_least_one_is_a_limit(limit: Any, meant: int, home: Home) -> None:
    allow(home, limit)
    assert max_input_bytes(home, CTX) == meant


@pytest.mark.parametrize("limit", ["10", None, 0, 0.9, -1, True, []])
def test_settings_without_a_number_say_so(limit: Any, home: Home, tmp_path: Path) -> None:
    allow(home, limit)
    (tmp_path / "a.wav").write_text("x")
    with pytest.raises(ValidationError, match="max_input_bytes"):
        upload(home, CTX, tmp_path / "a.wav")
