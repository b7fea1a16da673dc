"""Regions to anonymised video to rendering through the runtime: caching, prefixes, lineage."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.anonymise import main as anonymise
from functions.detect import main as detect
from functions.probe import main as probe
from functions.render import main as render
from functions.transcribe import main as transcribe
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.messages.delivery import deliver
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, run_object
from shared.steps.preparing import publish_request
from tests.functions import video
from tests.toy import embedded_home

MINE = RequestContext(tenant_id="t1", env="dev")
THEIRS = RequestContext(tenant_id="t2", env="dev")
HANDLERS: Mapping[str, Callable[[Message, Home], None]] = {
    "uploads": probe.handle,
    "steps-detect": detect.handle,
    "steps-anonymise": anonymise.handle,
    "steps-transcribe": transcribe.handle,
    "steps-render": render.handle,
}


def settled(home: Home, run_id: str) -> dict[str, Any]:
    """Step -> what became of it."""
    while deliveries := home.bus.pull(list(HANDLERS), wait_s=0):
        for delivery in deliveries:
            assert deliver(delivery.message, home, HANDLERS[delivery.subscription]) is None
            home.bus.ack(delivery)
    return {step["step"]: step for step in run_object(home, MINE, run_id)["steps"]}


def again(home: Home, asset_id: str, step: str, **params: Any) -> dict[str, Any]:
    asked = {"tenant_id": "t1", "env": "dev", "step": step, "asset_id": asset_id}
    request = StepRequest(**asked, params=params)  # type: ignore[arg-type]
    return settled(home, requested_run_id(publish_request(home, request)))


@pytest.mark.heavy
def test_a_recording_is_analysed_anonymised_and_rendered_and_nothing_is_done_twice(
    tmp_path: Path,
) -> None:
    home, source = embedded_home(tmp_path / "data"), tmp_path / "a.mp4"
    words = ["-i", video.FACE_CLIP, "-t", "0.5", "-c", "copy", "-an", source]
    subprocess.run(["ffmpeg", "-v", "error", *map(str, words)], check=True)
    looks = dict(video.QUICK)
    wishes = Wishes(steps=("render.video",), params={"detect.regions": looks})
    run_id = upload_run_id(upload(home, MINE, source, wishes))
    steps = settled(home, run_id)
    asset_id = str(run_object(home, MINE, run_id)["asset_id"])
    assert steps["transcribe.captions"]["reason"] == "no audio"

    (rendered,) = steps["render.video"]["artifacts"]
    (selected,) = rendered["meta"]["plan"]["selected"]
    (summary, *masks), (hidden, *_) = (
        steps[name]["artifacts"] for name in ("detect.regions", "anonymise.faces")
    )
    assert rendered["parents"] == [hidden["artifact_id"]]
    assert selected["artifact_id"] == hidden["artifact_id"]
    assert selected["cache_key"] == hidden["meta"]["cache_key"]
    assert selected["summary_artifact_id"] == summary["artifact_id"]
    (mask,) = (one for one in masks if one["kind"] == "video_region_mask")
    place = f"tenants/t1/dev/media_v2/{asset_id}/regions/{mask['artifact_id']}.png"
    assert mask["uri"].endswith(place)

    same = again(home, asset_id, "detect.regions", **looks)["detect.regions"]
    assert same["state"] == "cached"
    assert same["artifacts"] == steps["detect.regions"]["artifacts"]
    other = again(home, asset_id, "detect.regions", **looks, min_confidence=0.6)["detect.regions"]
    assert other["state"] == "done"
    assert other["artifacts"][0]["meta"]["cache_key"] != summary["meta"]["cache_key"]

    again(home, asset_id, "detect.regions", **looks)
    shown = again(home, asset_id, "anonymise.faces", keep_track_ids=["face_001"])
    assert shown["detect.regions"]["state"] == "cached", "keeping a track looks for nothing"
    assert shown["anonymise.faces"]["reason"] == "every face is set to be kept"

    assert {one.tenant_id for one in list_artifacts(home.documents, MINE)} == {"t1"}
    assert list(list_artifacts(home.documents, THEIRS)) == []


@pytest.mark.heavy
def test_a_dry_run_runs_nothing_but_the_plan(tmp_path: Path) -> None:
    home, source = embedded_home(tmp_path / "data"), video.shortened(tmp_path / "a.mp4", 0.5)
    wishes = Wishes(steps=("detect.visual_meta",))
    run_id = upload_run_id(upload(home, MINE, source, wishes))
    settled(home, run_id)
    asset_id = str(run_object(home, MINE, run_id)["asset_id"])
    made = {one.kind for one in list_artifacts(home.documents, MINE)}
    asked = {"dry_run": True, "captions": "burn", "aspect": "1:1"}
    steps = again(home, asset_id, "render.video", **asked)
    (planned,) = steps.pop("render.video")["artifacts"]
    assert steps.pop("detect.visual_meta")["state"] == "cached"
    assert {step["reason"] for step in steps.values()} == {"not made yet"}
    assert {one.kind for one in list_artifacts(home.documents, MINE)} == made | {"video_render"}
    plan = planned["meta"]["plan"]
    assert (plan["picture"], len(plan["selected"])) == ("anonymised", 1)
    assert {row["step"]: row["level"] for row in plan["dependency_notices"]} == {
        "anonymise.faces": "warning",
        "detect.visual_meta": "info",
        "transcribe.captions": "warning",
    }
