"""What a recording is decides what is made of it, unless somebody asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.wiring import engine_of
from infra.local.worker import settle
from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.opening import open_requested_run
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.functions.detect import synth
from tests.functions.detect.harness import REAL_MEDIA

CTX = RequestContext(tenant_id="t1", env="dev")
FUNCTIONS = {"uploads": "probe", "steps-detect": "detect"}
"""Whisper, packs and the rest are left waiting."""
SPEECH = ("transcribe.words", "detect.phrases", "transcribe.captions")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(Settings(data=tmp_path / "data"), engine_of)


def drained(home: Home, run_id: str) -> dict[str, tuple[str, str | None]]:
    """Step -> state and reason, once what listens and detects has settled."""
    while deliveries := home.bus.pull(list(FUNCTIONS), wait_s=0):
        for delivery in deliveries:
            settle(home, delivery, FUNCTIONS[delivery.subscription])
    steps = run_object(home, CTX, run_id)["steps"]
    return {step["step"]: (step["state"], step["reason"]) for step in steps}


def uploaded(home: Home, source: Path, **wishes: object) -> dict[str, tuple[str, str | None]]:
    return drained(home, upload_run_id(upload(home, CTX, source, Wishes(**wishes))))  # type: ignore[arg-type]


def written(folder: Path, truth: synth.Truth) -> Path:
    path = folder / "in.wav"
    soundfile.write(path, truth.samples, truth.rate_hz)
    return path


@pytest.mark.heavy
def test_of_drums_nothing_is_transcribed(home: Home, tmp_path: Path) -> None:
    stood = uploaded(home, written(tmp_path, synth.drums(bars=4)))
    assert {stood[step] for step in SPEECH} == {("skipped", "no speech")}
    assert stood["detect.hits"][0] == stood["detect.loops"][0] == "done"
    assert stood["transcribe.semantics"][0] == "queued", "music is told without words"


@pytest.mark.heavy
def test_of_a_reading_no_sounds_are_cut(home: Home) -> None:
    source = REAL_MEDIA / "transcript" / "LJ001-0001.wav"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    stood = uploaded(home, source)
    assert stood["detect.hits"] == ("skipped", "no sound events")
    assert stood["detect.loops"] == ("skipped", "no music")
    assert stood["transcribe.words"][0] == "queued"


@pytest.mark.heavy
def test_knocks_in_the_quiet_are_sound_events(home: Home, tmp_path: Path) -> None:
    samples = np.zeros(44_100 * 12, np.float32)
    for second in (2, 5, 9):
        synth.place(samples, synth.kick(44_100), 44_100 * second, 0.05)
    truth = synth.Truth(synth.noise_floor(samples, -75), 44_100, np.zeros(0), np.zeros(0))
    stood = uploaded(home, written(tmp_path, truth))
    assert stood["detect.hits"][0] == "done"
    assert stood["detect.phrases"] == ("skipped", "no speech")


@pytest.mark.heavy
def test_who_asks_gets_it(home: Home, tmp_path: Path) -> None:
    source = written(tmp_path, synth.pad(6))
    assert uploaded(home, source, steps=("detect.phrases",))["detect.phrases"][0] == "done"
    stood = uploaded(home, source, params={"detect.hits": {"max_hits": 3}})
    assert stood["detect.hits"][0] in ("done", "cached")
    assert stood["detect.phrases"][0] == "skipped"


@pytest.mark.heavy
def test_a_request_for_the_step_itself_runs_it(home: Home, tmp_path: Path) -> None:
    source = written(tmp_path, synth.drums(bars=2))
    run_id = upload_run_id(upload(home, CTX, source, Wishes()))
    assert drained(home, run_id)["detect.phrases"][0] == "skipped"
    asset_id = run_object(home, CTX, run_id)["asset_id"]
    request = StepRequest(tenant_id="t1", env="dev", step="detect.phrases", asset_id=asset_id)
    asked = open_requested_run(home, request, "run_asked")
    assert drained(home, asked.run_id)["detect.phrases"][0] == "done"
