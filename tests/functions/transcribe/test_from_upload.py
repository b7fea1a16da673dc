"""From an upload on: phrases say what the semantic timeline heard; a transcript is edited unheard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.wiring import engine_of
from infra.local.worker import settle
from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from shared.steps.preparing import publish_request
from tests.functions.transcribe.sounds import silence, spoken, write

CTX = RequestContext(tenant_id="t1", env="dev")
FUNCTIONS = {"uploads": "probe", "steps-detect": "detect", "steps-transcribe": "transcribe"}
SAID = ("three music hello seven drums", "world voice nine play stop")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(Settings(data=tmp_path / "data"), engine_of)


def drain(home: Home) -> None:
    while deliveries := home.bus.pull(list(FUNCTIONS), wait_s=0):
        for delivery in deliveries:
            settle(home, delivery, FUNCTIONS[delivery.subscription])


def artifact_of(home: Home, run_id: str, step: str, kind: str) -> dict[str, Any]:
    """The step's one artifact of that kind, with its JSON as ``body``."""
    drain(home)
    steps = {each["step"]: each for each in run_object(home, CTX, run_id)["steps"]}
    (found,) = [each for each in steps[step]["artifacts"] if each["kind"] == kind]
    return {**found, "body": json.loads(Path(found["path"]).read_bytes())}


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
def test_phrases_carry_the_words_of_the_same_run(home: Home, tmp_path: Path) -> None:
    source = write(tmp_path / "two.wav", spoken(SAID[0]), silence(1.5), spoken(SAID[1]))
    wishes = Wishes(steps=("detect.phrases", "transcribe.semantics"))
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    rows = artifact_of(home, run_id, "detect.phrases", "audio_phrases")["body"]["segments"]
    assert tuple(row["transcript"] for row in rows) == SAID
    for row in rows:
        assert [word["text"] for word in row["words"]] == row["transcript"].split()
        times = [word["start_ms"] for word in row["words"]]
        assert row["start_ms"] <= times[0] and times == sorted(times) and times[-1] < row["end_ms"]


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
def test_all_show_the_words_that_were_recognised_once(home: Home, tmp_path: Path) -> None:
    source = write(tmp_path / "two.wav", spoken(SAID[0]), silence(1.5), spoken(SAID[1]))
    wishes = Wishes(
        steps=("transcribe.captions", "transcribe.semantics"),
        params={"transcribe.captions": {"language": "en"}},
    )
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    heard = artifact_of(home, run_id, "transcribe.words", "audio_words")
    shown = artifact_of(home, run_id, "transcribe.captions", "asr_transcript")
    told = artifact_of(home, run_id, "transcribe.semantics", "audio_semantic_timeline")
    assert shown["body"]["words"] == heard["body"]["words"]
    said = [word["text"] for event in told["body"]["events"] for word in event.get("words", ())]
    assert said == [word["text"] for word in heard["body"]["words"]] == " ".join(SAID).split()
    assert told["body"]["meta"]["language"] == "en", "what captions were asked for holds for all"
    assert heard["artifact_id"] in shown["parents"]


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
def test_an_edited_transcript_is_its_next_version(home: Home, tmp_path: Path) -> None:
    source = write(tmp_path / "one.wav", spoken(SAID[0]))
    wishes = Wishes(steps=("transcribe.captions",))
    run_id = upload_run_id(upload(home, CTX, source, wishes))
    first = artifact_of(home, run_id, "transcribe.captions", "asr_transcript")
    request = StepRequest(
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        step="transcribe.captions",
        asset_id=first["asset_id"],
        artifact_id=first["artifact_id"],
        params={"edits": [{"cue": 1, "text": "Three music, hello: seven drums!"}]},
    )
    asked = requested_run_id(publish_request(home, request))
    edited = artifact_of(home, asked, "transcribe.captions", "asr_transcript")
    assert edited["body"]["version"] == first["body"]["version"] + 1
    assert edited["body"]["cues"][0]["text"] == "Three music, hello: seven drums!"
    assert edited["artifact_id"] != first["artifact_id"] in edited["parents"]
