"""What the timeline heard is what the phrases say, from an upload on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.contracts.context import RequestContext
from shared.home import open_home
from shared.intake import Wishes
from shared.runs import upload_run_id
from shared.settings import Settings
from shared.upload import upload
from shared.views import run_object
from shared.worker import settle
from tests.functions.transcribe.sounds import silence, spoken, write

CTX = RequestContext(tenant_id="t1", env="dev")
FUNCTIONS = {"uploads": "probe", "steps-detect": "detect", "steps-transcribe": "transcribe"}
SAID = ("three music hello seven drums", "world voice nine play stop")


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
def test_phrases_carry_the_words_of_the_same_run(tmp_path: Path) -> None:
    home = open_home(Settings(data=tmp_path / "data"))
    source = write(tmp_path / "two.wav", spoken(SAID[0]), silence(1.5), spoken(SAID[1]))
    wishes = Wishes(steps=("detect.phrases", "transcribe.semantics"))
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    while deliveries := home.bus.pull(list(FUNCTIONS), wait_s=0):
        for delivery in deliveries:
            settle(home, delivery, FUNCTIONS[delivery.subscription])
    steps = {step["step"]: step for step in run_object(home, CTX, run_id)["steps"]}
    summary = next(
        artifact
        for artifact in steps["detect.phrases"]["artifacts"]
        if artifact["kind"] == "audio_phrases"
    )
    rows = json.loads(Path(summary["path"]).read_bytes())["segments"]
    assert tuple(row["transcript"] for row in rows) == SAID
    for row in rows:
        assert [word["text"] for word in row["words"]] == row["transcript"].split()
        times = [word["start_ms"] for word in row["words"]]
        assert row["start_ms"] <= times[0] and times == sorted(times) and times[-1] < row["end_ms"]
