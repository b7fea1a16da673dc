"""From an upload to the pack, on an embedded home: partial, complete, and again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import functions.detect.phrases
from functions.detect.main import handle as handle_detect
from functions.probe.main import handle as handle_probe
from functions.sample.main import handle as handle_sample
from functions.wiring import engine_of
from shared.contracts.context import RequestContext
from shared.contracts.step_engine import Result
from shared.errors import BackendFailed
from shared.homes.home import Home, open_home
from shared.messages.delivery import deliver
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.functions.sample.rig import field_recording

CTX = RequestContext.of("t1", "dev", None)
HANDLERS = {
    "uploads": handle_probe,
    "steps-detect": handle_detect,
    "steps-sample": handle_sample,
}


def process(home: Home, source: Path, **params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Step -> what became of it."""
    wishes = Wishes(steps=("sample.pack",), params=params)
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    while deliveries := home.bus.pull(list(HANDLERS), wait_s=0):
        for delivery in deliveries:
            assert deliver(delivery.message, home, HANDLERS[delivery.subscription]) is None
            home.bus.ack(delivery)
    steps = run_object(home, CTX, run_id)["steps"]
    return {step["step"]: step for step in steps}


def broken(*_: Any) -> Result:
    raise BackendFailed("faster-whisper", "told to")


@pytest.mark.heavy
def test_partial_complete_and_cached_runs_have_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, source = open_home(Settings(data=tmp_path / "data"), engine_of), field_recording(tmp_path)
    phrases = functions.detect.phrases.ENGINE
    with monkeypatch.context() as patched:
        patched.setattr(functions.detect.phrases, "ENGINE", replace(phrases, run=broken))
        partial = process(home, source)
    assert partial["detect.phrases"]["state"] == "failed"
    pack = partial["sample.pack"]
    assert (pack["state"], len(pack["artifacts"])) == ("degraded", 3)
    error = pack["artifacts"][0]["meta"]["outcomes"]["detect.phrases"]["error"]
    assert (error["code"], error["service"]) == ("backend_failed", "detect.phrases")

    complete = process(home, source)
    assert complete["detect.hits"]["state"] == "cached"
    assert complete["sample.pack"]["state"] == "done"
    assert complete["sample.pack"]["cache_key"] == pack["cache_key"]
    kinds = [row["kind"] for row in manifest(complete)["segments"]]
    assert {"hit", "loop", "phrase"} == set(kinds)

    again = process(home, source)
    assert again["sample.pack"]["state"] == "cached"
    assert again["sample.pack"]["artifacts"] == complete["sample.pack"]["artifacts"]

    other = process(home, source, **{"detect.hits": {"max_hits": 3}})
    assert other["detect.loops"]["state"] == "cached"
    assert other["sample.pack"]["cache_key"] != pack["cache_key"]
    assert [row["kind"] for row in manifest(other)["segments"]].count("hit") <= 3


def manifest(steps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    artifacts = steps["sample.pack"]["artifacts"]
    (path,) = [each["path"] for each in artifacts if each["content_type"] == "application/json"]
    loaded: dict[str, Any] = json.loads(Path(path).read_text())
    assert loaded["cache_key"] == steps["sample.pack"]["cache_key"]
    return loaded
