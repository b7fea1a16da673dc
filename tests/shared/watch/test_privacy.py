"""What is logged and traced of people: nothing. Everything that a full run says is searched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.wiring import engine_of
from infra.local.worker import WorkerPool
from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest
from shared.errors import NotFound
from shared.homes.home import open_home
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from shared.steps.preparing import publish_request
from tests.functions.video import shortened
from tests.shared.watch.collector import collector
from tests.toy import states, wait_until

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
WORDS_MODEL = ROOT / "tests" / "fixtures" / "whisper-tiny-words"
CTX = RequestContext(tenant_id="zaphodtenant", env="betelgeuseenv", user_id="trillianuser")
PRIVATE = ("zaphodtenant", "betelgeuseenv", "trillianuser", "Heartofgold", "marvinnotes")
SIGNED = ("X-Goog-Signature", "X-Goog-Credential", "X-Amz-Signature", "Signature=", "sig=")


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_a_full_run_s_logs_and_spans_tell_nothing_of_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "Heartofgold interview.mp4", tmp_path / "marvinnotes.wav"
    shortened(good, 8.5, DEMO)  # words, drums, a face: each step has what it looks for
    bad.write_text("marvinnotes: these are only words")
    monkeypatch.setenv("AUDIO_SEMANTIC_WHISPER_MODEL", str(WORDS_MODEL))
    monkeypatch.setenv("VIDEO_CAPTIONS_MODEL", str(WORDS_MODEL))
    config = Settings(data=tmp_path / "data", workers=1)
    home = open_home(config, engine_of)

    def run(run_id: str) -> dict[str, Any]:
        try:
            return run_object(home, CTX, run_id)
        except NotFound:
            return {"state": "queued"}

    with collector() as collected:
        for name, value in collected.environment.items():
            monkeypatch.setenv(name, value)
        with WorkerPool(config):
            ids = [upload_run_id(upload(home, CTX, path, Wishes())) for path in (good, bad)]
            wait_until(lambda: run(ids[0])["state"] not in ("queued", "running"), at_most_s=500)
            wait_until(lambda: run(ids[1])["state"] == "failed", at_most_s=60)
            asset_id = run(ids[0])["asset_id"]
            wrong = StepRequest(
                tenant_id=CTX.tenant_id,
                env=CTX.env,
                user_id=CTX.user_id,
                step="transform.fx",
                asset_id=asset_id,
                params={"preset_id": "marvinnotes"},
            )
            again = requested_run_id(publish_request(home, wrong))
            wait_until(lambda: run(again)["state"] == "failed", at_most_s=60)
            log_file = config.data / "worker.log"
            wait_until(lambda: '"step.refused"' in log_file.read_text())
        heard = _transcript(run(ids[0]))
        spans = b"\n".join(collected.bodies).decode(errors="replace")
    assert states(run(ids[0]))["transcribe.captions"] in ("done", "degraded")
    assert len(heard) > 10, "there is nothing to look for"
    log = log_file.read_text()
    assert '"step.settled"' in log and '"upload.refused"' in log
    for said in (log, spans):
        found = [word for word in (*PRIVATE, *SIGNED, "file://", heard) if word in said]
        assert found == []
    for line in log.splitlines():
        json.loads(line)


def _transcript(run: dict[str, Any]) -> str:
    """What was heard, as one line."""
    artifacts = [artifact for step in run["steps"] for artifact in step["artifacts"]]
    (transcript,) = [each for each in artifacts if each["kind"] == "asr_transcript"]
    cues = json.loads(Path(transcript["path"]).read_text())["cues"]
    return str(cues[0]["text"]) if cues else ""
