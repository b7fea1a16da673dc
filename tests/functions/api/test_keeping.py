"""What a tenant keeps: timelines, clips, settings, its webhook; and dead letters."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.api.answers import error_answer
from functions.api.app import build
from shared.errors import ValidationError
from tests.functions.api.conftest import CTX, Desk
from tests.toy import embedded_home

TIMELINE: dict[str, Any] = {
    "name": "episode 1",
    "tracks": [
        {
            "track_id": "host",
            "role": "dialogue",
            "clips": [{"asset_id": "ast_1", "source_end_ms": 1000, "fade_in_ms": 10}],
        }
    ],
}


def test_a_timeline_is_kept_as_it_was_sent(desk: Desk) -> None:
    made = desk.client.put("/timelines/episode-1", json=TIMELINE)
    assert made.status_code == 201
    read = desk.client.get("/timelines/episode-1")
    assert read.json()["timeline"] == TIMELINE
    assert read.headers["ETag"] == made.headers["ETag"]
    (row,) = desk.client.get("/timelines").json()["timelines"]
    assert (row["timeline_id"], row["name"]) == ("episode-1", "episode 1")
    assert desk.client.delete("/timelines/episode-1").status_code == 204
    assert desk.client.get("/timelines/episode-1").status_code == 404


def test_two_editors_do_not_lose_each_others_work(desk: Desk) -> None:
    desk.client.put("/timelines/t", json=TIMELINE)
    seen = {"If-Match": desk.client.get("/timelines/t").headers["ETag"]}
    mine, yours = ({**TIMELINE, "name": name} for name in ("mine", "yours"))
    assert desk.client.put("/timelines/t", json=mine, headers=seen).status_code == 200
    late = desk.client.put("/timelines/t", json=yours, headers=seen)
    assert (late.status_code, late.json()["error"]["code"]) == (412, "conflict")
    assert desk.client.delete("/timelines/t", headers=seen).status_code == 412
    assert desk.client.get("/timelines/t").json()["timeline"]["name"] == "mine"


def test_a_timeline_that_cannot_be_names_track_clip_and_field(desk: Desk) -> None:
    wrong = copy.deepcopy(TIMELINE)
    wrong["tracks"][0]["clips"][0]["fade_in_ms"] = 5000
    refused = desk.client.put("/timelines/t", json=wrong)
    assert refused.status_code == 422
    assert refused.json()["error"]["message"].startswith("tracks.host.clips.")
    assert desk.client.put("/timelines/a.b", json=TIMELINE).status_code == 422
    large = {**TIMELINE, "name": "x" * 400_001}
    assert desk.client.put("/timelines/t", json=large).status_code == 422


def test_a_new_timeline_gets_an_id_and_a_key_only_one(desk: Desk) -> None:
    keyed = {"Idempotency-Key": "k"}
    one, two = (desk.client.post("/timelines", json=TIMELINE, headers=keyed) for _ in range(2))
    assert one.status_code == 201 and one.json() == two.json()
    assert desk.client.post("/timelines", json=TIMELINE).json() != one.json()


def test_clips_are_registered_once(desk: Desk) -> None:
    asset_id = desk.recording(steps=("probe",))["asset_id"]
    body = {"asset_id": asset_id, "start_ms": 100, "end_ms": 200}
    one, two = (desk.client.post("/clips", json=body) for _ in range(2))
    assert one.status_code == 201 and one.json() == two.json()
    clip_id = one.json()["clip_id"]
    assert desk.client.get(f"/clips/{clip_id}").json()["speed"] == 1.0
    unanalysed = desk.client.get(f"/audio/semantic-timeline/by-clip/{clip_id}")
    assert unanalysed.status_code == 404
    assert desk.client.post("/clips", json={**body, "end_ms": 100}).status_code == 422
    assert desk.client.post("/clips", json={**body, "asset_id": "ast_no"}).status_code == 404


def test_settings_decide_what_runs(desk: Desk) -> None:
    assert desk.client.get("/settings/pipeline").json() == {
        "steps": None,
        "params": {},
        "max_input_bytes": desk.home.settings.max_input_bytes,
    }
    wish = {"steps": ["toy.one"], "params": {"toy.one": {"text": "ours"}}}
    changed = desk.client.put("/settings/pipeline", json=wish)
    assert changed.status_code == 200 and changed.json() == {
        **wish,
        "max_input_bytes": desk.home.settings.max_input_bytes,
    }
    run = desk.recording()
    assert [step["step"] for step in run["steps"]] == ["probe", "toy.one"]
    (artifact,) = run["steps"][1]["artifacts"]
    content = desk.client.get(f"/artifacts/{artifact['artifact_id']}/content").json()
    assert content.startswith("toy.one ours")
    back = desk.client.put("/settings/pipeline", json={"steps": None})
    assert back.json()["steps"] is None
    assert len(desk.recording(text="more")["steps"]) > 2


@pytest.mark.parametrize(
    "wish",
    [
        {"steps": ["toy.none"]},
        {"params": {"toy.one": {"text": 5}}},
        {"params": {"toy.none": {}}},
        {"max_input_bytes": 1 << 60},
    ],
)
def test_settings_that_cannot_be_are_refused(desk: Desk, wish: dict[str, Any]) -> None:
    assert desk.client.put("/settings/pipeline", json=wish).status_code == 422


def test_settings_without_what_a_step_cannot_do_without_are_refused(tmp_path: Path) -> None:
    """Every upload would fail: an effect has no preset that is the usual one."""
    home = embedded_home(tmp_path)
    client = TestClient(build(home, lambda _: CTX), base_url="http://localhost")
    wish: dict[str, Any] = {"steps": ["probe", "transform.fx"]}
    refused = client.put("/settings/pipeline", json=wish)
    assert refused.status_code == 422 and "preset_id: is needed" in refused.text
    wish["params"] = {"transform.fx": {"preset_id": "tape"}}
    assert client.put("/settings/pipeline", json=wish).status_code == 200


def test_the_operators_limit_stays(desk: Desk) -> None:
    path = f"{desk.ctx.document_prefix}settings/pipeline"
    desk.home.documents.put(path, {"max_input_bytes": 77})
    desk.client.put("/settings/pipeline", json={"steps": ["toy.one"]})
    stored = desk.home.documents.get(path)
    assert stored is not None and stored.data["max_input_bytes"] == 77


def test_settings_changed_meanwhile_are_not_overwritten(desk: Desk) -> None:
    seen = {"If-Match": desk.client.get("/settings/pipeline").headers["ETag"]}
    wish = {"steps": ["toy.one"]}
    assert desk.client.put("/settings/pipeline", json=wish, headers=seen).status_code == 200
    assert desk.client.put("/settings/pipeline", json=wish, headers=seen).status_code == 412


def test_the_webhooks_secret_is_shown_once(desk: Desk) -> None:
    assert desk.client.get("/settings/webhooks").status_code == 404
    wish = {"url": "https://example.com/hook", "events": ["step.failed"]}
    made = desk.client.put("/settings/webhooks", json=wish).json()
    assert made["secret"].startswith("whsec_")
    assert desk.client.get("/settings/webhooks").json() == wish
    everything = desk.client.get("/settings").json()
    assert everything == {
        "pipeline": desk.client.get("/settings/pipeline").json(),
        "webhook": wish,
    }
    assert desk.client.delete("/settings/webhooks").status_code == 204
    assert desk.client.delete("/settings/webhooks").status_code == 404


@pytest.mark.parametrize(
    "wish",
    [
        {"url": "http://example.com/"},
        {"url": "https://169.254.169.254/computeMetadata/v1/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://example.com/", "events": ["everything"]},
        {"url": "https://example.com/", "secret": "short"},
        {},
    ],
)
def test_a_webhook_that_must_not_be_is_refused(desk: Desk, wish: dict[str, Any]) -> None:
    assert desk.client.put("/settings/webhooks", json=wish).status_code == 422


@pytest.mark.allow_error_logs
def test_dead_letters_are_shown_and_sent_again(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    desk.client.post("/steps/toy/one", json={"asset_id": asset_id, "fail": "scarce"})
    desk.drained()
    (letter,) = desk.client.get("/dead-letters").json()["dead_letters"]
    assert (letter["code"], letter["step"]) == ("attempts_exhausted", "toy.one")
    assert "data_base64" not in letter
    path = f"/dead-letters/{letter['letter_id']}"
    assert desk.client.get(path).json() == letter
    keyed = {"Idempotency-Key": "k"}
    for _ in range(2):
        sent = desk.client.post(f"{path}/redrive", headers=keyed)
        assert sent.status_code == 202 and sent.json()["redriven"] == 1
    assert len(desk.home.bus.pull(["steps-toy"], limit=10)) == 1
    assert desk.client.post("/dead-letters/none/redrive").status_code == 404


def test_a_replay_is_asked_for_once_a_key(desk: Desk) -> None:
    from shared.messages.webhooks import Delivery, delivery_path

    told = Delivery.of("e" * 32, "run.finished", "run_1", 1e9).model_copy(
        update={"state": "failed", "attempts": 12}
    )
    desk.home.documents.put(delivery_path(desk.ctx, told.delivery_id), told.model_dump(mode="json"))
    (row,) = desk.client.get("/webhooks/deliveries").json()["deliveries"]
    assert row == told.model_dump(mode="json")
    keyed = {"Idempotency-Key": "k"}
    for _ in range(2):
        path = f"/webhooks/deliveries/{told.delivery_id}/replay"
        assert desk.client.post(path, headers=keyed).status_code == 202
    (message,) = desk.home.bus.pull(["results"], limit=10)
    assert message.message.attributes["delivery"] == told.delivery_id


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "nul", "[" * 100_000, '{"a": NaN}', "\x00"])
def test_a_body_that_is_no_object_is_refused(desk: Desk, text: str) -> None:
    for path in ("/timelines", "/steps/toy/one", "/clips", "/uploads", "/reprocess"):
        headers = {"Content-Type": "application/json"}
        refused = desk.client.post(path, content=text, headers=headers)
        assert refused.status_code in (400, 422) and refused.json()["error"]["message"], path


def test_text_that_is_no_text_is_refused(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    body = json.dumps({"asset_id": asset_id, "text": "\ud800"})
    for path in ("/steps/toy/one", "/timelines"):
        keyed = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        assert desk.client.post(path, content=body, headers=keyed).status_code == 422
    repeated = error_answer(ValidationError("preset", "there is no \ud800"))
    assert json.loads(bytes(repeated.body))["error"]["message"].endswith("\ud800")


def test_a_failed_run_is_dismissed_for_everybody(desk: Desk) -> None:
    run = desk.recording(params={"toy.one": {"fail": "permanent"}})["run_id"]
    (row,) = desk.client.get("/runs").json()["runs"]
    assert row["dismissed"] is False
    assert desk.as_tenant("t2").put(f"/runs/{run}/dismissed").status_code == 404
    for _ in range(2):
        assert desk.client.put(f"/runs/{run}/dismissed").status_code == 204
    (row,) = desk.client.get("/runs").json()["runs"]
    whole = desk.client.get(f"/runs/{run}").json()
    assert row["dismissed"] and whole["dismissed"]
    assert whole["steps"], "and nothing else has changed"
