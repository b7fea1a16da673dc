"""A pattern that is uploaded is performed, with sounds of the tenant's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.wiring import engine_of
from infra.local.handlers import handler_of
from infra.local.worker import settle
from shared.contracts.context import RequestContext
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import finished, load_run, upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from shared.steps.step_records import load_records

CTX = RequestContext(tenant_id="t1", env="dev")
TOPICS = {"uploads": "probe", "steps-detect": "detect", "steps-perform": "perform"}


def processed(home: Home, path: Path, ctx: RequestContext = CTX, **wishes: object) -> dict:  # type: ignore[type-arg]
    run_id = upload_run_id(upload(home, ctx, path, Wishes(**wishes)))  # type: ignore[arg-type]
    while deliveries := home.bus.pull(list(TOPICS)):
        for delivery in deliveries:
            settle(home, delivery, TOPICS[delivery.subscription])
    assert finished(
        load_run(home.documents, ctx, run_id), load_records(home.documents, ctx, run_id)
    )
    return run_object(home, ctx, run_id)


@pytest.mark.heavy
def test_a_pattern_plays_a_hit_of_the_tenants_own_and_of_no_other(tmp_path: Path) -> None:
    assert callable(handler_of("perform"))
    home = open_home(Settings(data=tmp_path / "data"), engine_of)
    noise = np.random.default_rng(3).standard_normal(44_100)
    fall = np.exp(-np.arange(44_100) / 4_000)
    soundfile.write(tmp_path / "knock.wav", 0.5 * noise * fall, 44_100)
    found = processed(home, tmp_path / "knock.wav", steps=("detect.hits",))
    hit = next(a for a in found["steps"][2]["artifacts"] if a["kind"] == "audio_hit")
    pattern = {
        "format": "rushes.pattern",
        "version": 1,
        "name": "knocking",
        "tempo_bpm": 120,
        "instruments": [{"name": "knock", "sound": f"artifact:{hit['artifact_id']}"}],
        "lanes": [{"name": "knock", "instrument": "knock", "notes": "x . . . | . . . ."}],
    }
    path = tmp_path / "knocking.json"
    path.write_text(json.dumps(pattern))
    run = processed(home, path)
    assert [(step["step"], step["state"]) for step in run["steps"]] == [
        ("probe", "done"),
        ("perform.pattern", "done"),
    ]
    master = next(a for a in run["steps"][1]["artifacts"] if a["meta"]["role"] == "master")
    samples, rate_hz = soundfile.read(master["path"])
    assert np.abs(samples[: rate_hz // 4]).max() > 0.05
    foreign = processed(home, path, RequestContext(tenant_id="t2", env="dev"))
    assert foreign["steps"][1]["error"]["code"] == "not_found"
