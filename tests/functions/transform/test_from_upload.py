"""From an upload on: which sound was worked on stands in the run's notices and in each meta."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.wiring import engine_of
from infra.local.worker import settle
from shared.contracts.context import RequestContext
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.shared.media.odd_sound import bursts
from tests.shared.media.test_odd_sound import pair, tracks_in

CTX = RequestContext(tenant_id="t1", env="dev")
FUNCTIONS = {"uploads": "probe", "steps-transform": "transform"}
LOUDNESS = "transform.loudness"


def processed(home: Home, source: Path, **params: Any) -> dict[str, Any]:
    wishes = Wishes(steps=(LOUDNESS,), params={LOUDNESS: params} if params else {})
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    while deliveries := home.bus.pull(list(FUNCTIONS), wait_s=0):
        for delivery in deliveries:
            settle(home, delivery, FUNCTIONS[delivery.subscription])
    return run_object(home, CTX, run_id)


@pytest.mark.heavy
def test_what_was_taken_is_told_and_a_param_takes_another(tmp_path: Path) -> None:
    home = open_home(Settings(data=tmp_path / "data"), engine_of)
    sound = pair(bursts(1.0, rate=48_000))
    path = tracks_in(tmp_path / "a.mkv", np.zeros((48_000, 2)), sound, words=("-c:a", "flac"))
    run = processed(home, path)
    assert any("left out: stream 0" in notice for notice in run["notices"])
    step = next(each for each in run["steps"] if each["step"] == LOUDNESS)
    meta = step["artifacts"][0]["meta"]
    assert meta["sound"]["streams"] == [1] and meta["integrated_lufs"] > -20

    path = tracks_in(tmp_path / "b.mkv", np.zeros((48_000, 2)), sound / 2, words=("-c:a", "flac"))
    step = next(s for s in processed(home, path, stream=0)["steps"] if s["step"] == LOUDNESS)
    meta = step["artifacts"][0]["meta"]
    assert meta["sound"]["streams"] == [0] and meta["undefined"] == "silent"

    path = tracks_in(tmp_path / "c.mkv", np.zeros((48_000, 2)), sound / 3, words=("-c:a", "flac"))
    step = next(s for s in processed(home, path, stream=7)["steps"] if s["step"] == LOUDNESS)
    assert step["state"] == "failed" and step["error"]["details"]["field"] == "stream"
