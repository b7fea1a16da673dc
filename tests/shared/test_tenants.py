"""One tenant never sees another's anything, whatever id it asks with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.context import RequestContext
from shared.contracts.ids import Name
from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.errors import NotFound, RushesError, ValidationError
from shared.homes.home import Home
from shared.messages.dead_letters import dead_letters
from shared.messages.requests import handle_request
from shared.runs.erasing import erase_asset
from shared.runs.records import load_run
from shared.runs.views import list_artifacts, list_assets, list_runs, run_object
from shared.steps.preparing import load_asset
from shared.steps.storing import load_artifact
from tests import toy as toys
from tests.toy import CTX, Toy, drain, run_file

OTHER = RequestContext(tenant_id="t2", env="dev")

BY_ID: dict[str, Callable[[Home, RequestContext, str], Any]] = {
    "asset": load_asset,
    "artifact": lambda home, ctx, name: load_artifact(home.documents, ctx, name),
    "run": lambda home, ctx, name: load_run(home.documents, ctx, name),
    "run object": run_object,
    "erase": erase_asset,
}
LISTS: dict[str, Callable[[Home, RequestContext], Any]] = {
    "assets": lambda home, ctx: list_assets(home.documents, ctx),
    "artifacts": lambda home, ctx: list_artifacts(home.documents, ctx),
    "runs": lambda home, ctx: list_runs(home.documents, ctx),
    "dead letters": lambda home, ctx: dead_letters(home.documents, ctx),
}


@pytest.fixture
def shared_home(home: Home, toy: Toy, tmp_path: Path) -> tuple[Home, set[str]]:
    """A home in which another tenant has everything there is; and all its ids."""
    run = run_file(home, tmp_path, ctx=OTHER)
    home.bus.publish("steps-toy", b"{}", {"tenant": "t2", "env": "dev", "step": "toy.one"})
    drain(home)
    ids = {run["asset_id"], run["run_id"]}
    ids |= {a["artifact_id"] for step in run["steps"] for a in step["artifacts"]}
    ids |= {letter.letter_id for letter in dead_letters(home.documents, OTHER)}
    assert len(ids) >= 7
    return home, ids


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("reading", LISTS.values(), ids=LISTS)
def test_no_list_holds_anothers(shared_home: tuple[Home, set[str]], reading: Any) -> None:
    home, _ids = shared_home
    assert list(reading(home, CTX)) == []
    assert list(reading(home, OTHER)) != []


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("reading", BY_ID.values(), ids=BY_ID)
def test_anothers_id_is_not_found(shared_home: tuple[Home, set[str]], reading: Any) -> None:
    home, ids = shared_home
    for identifier in sorted(ids):
        with pytest.raises(NotFound):
            reading(home, CTX, identifier)


@pytest.mark.allow_error_logs
def test_a_request_for_anothers_asset_touches_nothing(
    shared_home: tuple[Home, set[str]], toy: Toy
) -> None:
    home, ids = shared_home
    ran = dict(toy.ran)
    for identifier in sorted(ids):
        request = StepRequest(tenant_id="t1", env="dev", step="toy.one", asset_id=identifier)
        with pytest.raises(NotFound):
            handle_request(Message("m", request.model_dump_json().encode(), {}), home, "toy")
    assert dict(toy.ran) == ran


@given(
    tenant=st.text(min_size=1, max_size=70),
    env=st.sampled_from(["dev", "prod", "..", "dev/../prod", "", "d\n"]),
)
def test_a_context_is_a_safe_path_or_refused(tenant: str, env: str) -> None:
    try:
        ctx = RequestContext.of(tenant, env)
    except ValidationError:
        return
    assert ctx.object_prefix == f"tenants/{tenant}/{env}/"
    assert not set("./\\\n\r\0 ") & set(tenant + env)
    assert tenant != "t_unknown"


@given(st.text())
def test_no_id_reads_outside_its_collection(identifier: str) -> None:
    from pydantic import TypeAdapter
    from pydantic import ValidationError as PydanticError

    try:
        TypeAdapter(Name).validate_python(identifier)
    except PydanticError:
        return
    assert json.dumps(identifier).strip('"') == identifier
    assert "/" not in identifier and "." not in identifier


def test_odd_ids_are_errors_and_never_another_document(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    toys.run_file(home, tmp_path, ctx=OTHER)
    for identifier in ("../../t2/envs/dev/assets/x", "", ".", "a/b", "a" * 2000, "\0", "é"):
        for reading in BY_ID.values():
            with pytest.raises(RushesError):
                reading(home, CTX, identifier)
