"""Whatever path a tenant tries with another's ids, it finds nothing, and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.clip import Clip
from shared.messages.dead_letters import DeadLetter
from shared.messages.webhooks import Delivery, delivery_path
from tests.functions.api.conftest import Desk, shared_home
from tests.functions.api.test_cutting import listed

SECRET = "only t1 may read this"
OWN = {("get", "/presets/{preset_id}"), ("put", "/timelines/{timeline_id}")}
"""What may succeed with any id: it leads to nothing of another tenant's."""


@pytest.fixture
def ids(desk: Desk) -> Mapping[str, str]:
    """One of everything, of tenant ``t1``."""
    run = desk.recording(text=SECRET, steps=("toy.one",), params={"toy.one": {"text": SECRET}})
    clip = Clip(asset_id=run["asset_id"], start_ms=0, end_ms=10)
    clip_id = desk.client.post("/clips", json=clip.model_dump()).json()["clip_id"]
    timeline = {"name": SECRET}
    desk.client.put("/timelines/mine", json=timeline)
    session = {"name": f"{SECRET}.wav", "size_bytes": 3}
    upload_id = desk.client.post("/uploads", json=session).json()["upload_id"]
    letter = DeadLetter(
        letter_id="a" * 32, code=SECRET, data_base64="", attributes={}, buried_at=0.0
    )
    prefix = desk.ctx.document_prefix
    desk.home.documents.put(f"{prefix}dead_letters/{'a' * 32}", letter.model_dump(mode="json"))
    told = Delivery.of("e" * 32, "run.finished", run["run_id"], 0.0)
    desk.home.documents.put(delivery_path(desk.ctx, told.delivery_id), told.model_dump(mode="json"))
    desk.client.put("/settings/webhooks", json={"url": f"https://example.com/{'t1-secret'}"})
    comments = f"/assets/{run['asset_id']}/comments"
    said = desk.client.post(comments, json={"at_ms": 1, "text": "t1-secret"}).json()
    list_id = listed(desk, run["asset_id"])
    desk.client.post("/edit-lists", json={"artifact_id": list_id})
    return {
        "asset_id": run["asset_id"],
        "comment_id": said["comment_id"],
        "edit_list_id": list_id,
        "artifact_id": run["steps"][1]["artifacts"][0]["artifact_id"],
        "run_id": run["run_id"],
        "clip_id": clip_id,
        "timeline_id": "mine",
        "upload_id": upload_id,
        "letter_id": "a" * 32,
        "delivery_id": told.delivery_id,
        "preset_id": "hall",
        "step": "toy.one",
    }


def operations(desk: Desk) -> list[tuple[str, str]]:
    """Reading before writing: what a stranger puts is its own from then on."""
    paths: Mapping[str, Any] = desk.client.app.openapi()["paths"]  # type: ignore[attr-defined]
    return sorted((method, path) for path, methods in paths.items() for method in methods)


def filled(path: str, ids: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path)


def own(ctx_prefix: str, desk: Desk) -> dict[str, Any]:
    """All documents of a tenant that a reader of it could see, with their contents."""
    found = {}
    for name in (
        *("assets", "artifacts", "runs", "clips", "comments"),
        *("timelines", "uploads", "dead_letters", "edit_lists"),
    ):
        for row in desk.home.documents.list(f"{ctx_prefix}{name}"):
            found[row.path] = json.dumps(row.data, sort_keys=True)
    return found


@pytest.mark.heavy
def test_every_operation_with_anothers_ids(desk: Desk, ids: Mapping[str, str]) -> None:
    stranger = desk.as_tenant("t2")
    before = own(desk.ctx.document_prefix, desk)
    bodies: list[Any] = [
        {"asset_id": ids["asset_id"]},
        {"asset_id": ids["asset_id"], "artifact_id": ids["artifact_id"], "step": "toy.one"},
        {"asset_id": ids["asset_id"], "start_ms": 0, "end_ms": 5},
        {"asset_id": ids["asset_id"], "timeline_id": "mine"},
        {"tracks": [{"clips": [{"asset_id": ids["asset_id"]}]}]},
        {"artifact_id": ids["edit_list_id"]},
        {"version": 1},
    ]
    for method, path in operations(desk):
        for body in bodies if method in ("post", "put", "patch") else [None]:
            query = {"run": ids["run_id"], "asset_id": ids["asset_id"], "after": ids["run_id"]}
            answer = stranger.request(method.upper(), filled(path, ids), json=body, params=query)
            assert answer.status_code < 500, (method, path, body)
            assert SECRET not in answer.text and "t1" not in answer.text, (method, path)
            if "{" in path and (method, path) not in OWN:
                assert answer.status_code in (404, 422), (method, path, answer.text)
    assert own(desk.ctx.document_prefix, desk) == before
    assert list(desk.home.objects.list("tenants/t2/")) == []
    made = own("tenants/t2/envs/dev/", desk)
    assert not any(ids["asset_id"] in path for path in made)


@pytest.mark.heavy
@settings(shared_home, max_examples=60)
@given(data=st.data())
def test_no_mixture_of_ids_crosses_over(desk: Desk, ids: Mapping[str, str], data: Any) -> None:
    """Own and foreign ids in any place, also where they are of another sort."""
    stranger = desk.as_tenant("t2")
    method, path = data.draw(st.sampled_from(operations(desk)))
    any_id = st.sampled_from([*ids.values(), "mine", "ast_none", "..", "t1", "%2e%2e%2ft1"])
    url = re.sub(r"\{(\w+)\}", lambda _: data.draw(any_id), path)
    names = ["asset_id", "artifact_id", "timeline_id", "clip_id", "run_id", "tenant_id", "step"]
    body = data.draw(st.dictionaries(st.sampled_from(names), any_id | st.just("t1"), max_size=4))
    query = data.draw(st.dictionaries(st.sampled_from(["run", "asset_id", "after"]), any_id))
    answer = stranger.request(method.upper(), url, json=body, params=query)
    assert answer.status_code < 500
    assert SECRET not in answer.text and '"t1"' not in answer.text
    if body.get("tenant_id") is not None and method == "post" and answer.status_code < 400:
        assert "tenant_id" not in path  # such a body never succeeds
        raise AssertionError("a foreign tenant in the body was accepted")
