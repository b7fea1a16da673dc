"""The product on the Google emulators, with a real recording: what must hold whatever happens."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile

from functions.wiring import engine_of
from shared.contracts.artifact import Artifact
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import notification
from shared.messages.dead_letters import DeadLetter, dead_letters, redrive
from shared.runs.views import list_artifacts, list_assets, list_runs
from shared.steps.claims import Claim
from tests.emulator.conftest import DEMO, Cloud
from tests.toy import states, wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.heavy]

HITS = {"steps": ("detect.hits",)}


def same(artifact: Artifact) -> dict[str, Any]:
    """What must not depend on the home."""
    return artifact.model_dump(exclude={"uri"})


def test_the_same_upload_gives_the_same_as_the_embedded_home(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra.local.worker import WorkerPool
    from shared.homes.home import open_home
    from shared.settings import Settings

    cloud.finished(cloud.upload(DEMO, **HITS))
    config = Settings(data=tmp_path, workers=1)
    embedded = Cloud(cloud.stack, open_home(config, engine_of), cloud.ctx)
    with WorkerPool(config):
        embedded.finished(embedded.upload(DEMO, **HITS))
    there = list(list_artifacts(cloud.home.documents, cloud.ctx))
    here = list(list_artifacts(embedded.home.documents, cloud.ctx))
    assert [same(artifact) for artifact in there] == [same(artifact) for artifact in here]
    assert len(there) > 10
    for artifact in there[:5]:
        sent = b"".join(cloud.home.objects.read(artifact.key))
        assert sent == b"".join(embedded.home.objects.read(artifact.key))


def test_a_notification_twenty_times_and_out_of_order_gives_one_of_everything(
    cloud: Cloud, tmp_path: Path
) -> None:
    keys = []
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, _bursts(2.0, seed=number), 44_100)
        cloud.finished(cloud.upload(path, **HITS))
    infos = list(cloud.home.objects.list(f"{cloud.ctx.object_prefix}uploads/"))
    keys = [notification(cloud.home.settings.bucket, i.key, i.generation) for i in infos] * 20
    before = list(list_artifacts(cloud.home.documents, cloud.ctx))
    random.Random(1).shuffle(keys)
    for attributes in keys:
        cloud.home.bus.publish(UPLOADS_TOPIC, b"", attributes)
    _quiet(cloud)
    assert len(list(list_assets(cloud.home.documents, cloud.ctx))) == 2
    assert len(list_runs(cloud.home.documents, cloud.ctx)) == 2
    assert list(list_artifacts(cloud.home.documents, cloud.ctx)) == before
    assert {claim.generation for claim in _claims(cloud)} == {1}


def test_a_worker_killed_in_the_middle_of_a_step_is_replaced(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, _bursts(240.0), 44_100)
    run_id = cloud.upload(path, **HITS)

    def computing() -> bool:
        run = cloud.run(run_id)
        return run is not None and states(run).get("detect.hits") == "running"

    wait_until(computing, at_most_s=60)
    _kill_workers(cloud, "detect")
    run = cloud.finished(run_id)
    assert states(run)["detect.hits"] == "done"
    (hits,) = (step for step in run["steps"] if step["step"] == "detect.hits")
    assert len(hits["artifacts"]) > 100
    (claim,) = [claim for claim in _claims(cloud) if claim.step == "detect.hits"]
    assert claim.generation >= 2, "another worker must have taken over"


def test_a_permanent_error_is_recorded_and_not_retried(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("these are only words")
    run = cloud.finished(cloud.upload(path))
    assert run["error"]["code"] == "unsupported_media"
    _quiet(cloud)
    (claim,) = _claims(cloud)
    assert (claim.state, claim.generation, claim.attempts) == ("failed", 1, 1)
    assert list(dead_letters(cloud.home.documents, cloud.ctx)) == []


def test_a_poisoned_message_ends_in_the_dead_letters_and_can_be_redriven(
    cloud: Cloud, tmp_path: Path
) -> None:
    """A request for a recording that is not there yet; then it is, and the letter is sent again."""
    import hashlib

    from shared.contracts.ids import asset_id

    sha256 = hashlib.sha256(DEMO.read_bytes()).hexdigest()
    wanted = asset_id(cloud.ctx.tenant_id, cloud.ctx.env, sha256)
    attributes = {
        "tenant": cloud.ctx.tenant_id,
        "env": cloud.ctx.env,
        "step": "detect.hits",
        "asset": wanted,
        "params": json.dumps({"max_hits": 3}),
    }
    cloud.home.bus.publish("steps-detect", b"", attributes)
    letters: list[DeadLetter] = []
    wait_until(
        lambda: letters.extend(dead_letters(cloud.home.documents, cloud.ctx)) or bool(letters)
    )
    assert letters[0].code == "not_found"
    cloud.finished(cloud.upload(DEMO, steps=("probe",)))
    redrive(cloud.home, cloud.ctx, letters[0])
    wait_until(lambda: len(list_runs(cloud.home.documents, cloud.ctx)) == 2)
    again = next(
        run for run in list_runs(cloud.home.documents, cloud.ctx) if "reprocess" in run.source
    )
    assert states(cloud.finished(again.run_id))["detect.hits"] == "done"


def test_an_ordinary_client_uploads_and_eventarcs_form_is_understood(cloud: Cloud) -> None:
    from google.cloud import storage  # type: ignore[attr-defined]

    from shared.contracts.upload import Upload
    from shared.runs.records import upload_run_id

    client = storage.Client(project=cloud.home.settings.project)
    key = f"{cloud.ctx.object_prefix}uploads/my clip ☔.mp4"
    blob = client.bucket(cloud.home.settings.bucket).blob(key)
    blob.metadata = {"rushes-steps": "detect.hits"}
    blob.upload_from_filename(str(DEMO), if_generation_match=0)
    landed = Upload(cloud.ctx, cloud.home.settings.bucket, key, blob.generation)
    run = cloud.finished(upload_run_id(landed))
    assert run["source"] == "my clip ☔.mp4"
    event = json.loads(
        (Path(__file__).parents[1] / "events" / "eventarc_storage_finalized.json").read_text()
    )
    event["body"] |= {"bucket": landed.bucket, "name": key, "generation": str(blob.generation)}
    _post(cloud.stack.functions["probe"], event)
    _quiet(cloud)
    assert len(list_runs(cloud.home.documents, cloud.ctx)) == 1


def test_gzip_a_push_without_wrapper_and_a_look_at_a_functions_health(cloud: Cloud) -> None:
    import gzip
    import urllib.request

    from google.cloud import storage  # type: ignore[attr-defined]

    from shared.contracts.upload import Upload
    from shared.runs.records import upload_run_id

    client = storage.Client(project=cloud.home.settings.project)
    key = f"{cloud.ctx.object_prefix}uploads/packed ☔.mp4"
    blob = client.bucket(cloud.home.settings.bucket).blob(key)
    blob.metadata, blob.content_encoding = {"rushes-steps": "detect.hits"}, "gzip"
    blob.upload_from_string(gzip.compress(DEMO.read_bytes()), content_type="video/mp4")
    landed = Upload(cloud.ctx, cloud.home.settings.bucket, key, blob.generation)
    assert cloud.finished(upload_run_id(landed))["state"] == "done"
    (asset,) = list_assets(cloud.home.documents, cloud.ctx)
    assert asset.bytes == DEMO.stat().st_size
    probe = cloud.stack.functions["probe"]
    with urllib.request.urlopen(f"{probe}/health", timeout=30) as answer:
        assert answer.status == 200
    attributes = notification(landed.bucket, key, landed.generation)
    _post(probe, {"body": {}, "headers": {**attributes, "x-goog-pubsub-message-id": "1"}})
    for kind in ("storage.object.v1.deleted", "audit.log.v1.written"):
        told = {"ce-type": f"google.cloud.{kind}", "ce-specversion": "1.0", "ce-id": "2"}
        _post(probe, {"body": {"name": key}, "headers": {**told, "ce-source": "//storage"}})
    _quiet(cloud)
    assert len(list_runs(cloud.home.documents, cloud.ctx)) == 1
    assert list(dead_letters(cloud.home.documents, cloud.ctx)) == []


def _post(address: str, event: dict[str, Any]) -> None:
    import urllib.request

    body = json.dumps(event["body"]).encode()
    headers = {name: value.encode().decode("latin-1") for name, value in event["headers"].items()}
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204


def _bursts(length_s: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """Two noise bursts a second."""
    rate_hz = 44_100
    noise = np.random.default_rng(seed).standard_normal(int(length_s * rate_hz))
    phase = (np.arange(len(noise)) % (rate_hz // 2)) / rate_hz
    return (0.3 * noise * np.exp(-phase / 0.03)).astype(np.float32)


def _claims(cloud: Cloud) -> list[Claim]:
    found = cloud.home.documents.list(f"{cloud.ctx.document_prefix}cache")
    return [Claim.model_validate(document.data) for document in found]


def _kill_workers(cloud: Cloud, function: str) -> None:
    """SIGKILL the processes that do the work, as the out-of-memory killer would."""
    server = psutil.Process(cloud.stack.processes[function].pid)
    victims = server.children(recursive=True)
    assert victims
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)


def _quiet(cloud: Cloud) -> None:
    """Wait until a message published now has been answered by every function: pushes are in order
    of publishing, so what was published before has been delivered at least once.
    """
    marker = cloud.ctx.model_copy(update={"tenant_id": f"{cloud.ctx.tenant_id}-end"})
    path = Path(__file__).parents[1] / "events" / "push_bucket_notification.json"
    info = cloud.home.objects.put(
        f"{marker.object_prefix}uploads/{random.random()}.wav",
        path.read_bytes(),
        content_type="audio/wav",
    )
    end = Cloud(cloud.stack, cloud.home, marker)
    from shared.contracts.upload import Upload
    from shared.runs.records import upload_run_id

    landed = Upload(marker, cloud.home.settings.bucket, info.key, info.generation)
    end.finished(upload_run_id(landed))
