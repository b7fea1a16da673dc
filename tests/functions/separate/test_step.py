"""The step on an embedded home: killed and resumed, turned back, verified, erased."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from functions.separate import host, joining, part_sums, stems
from functions.separate.host import warm_worker
from functions.separate.slot import slot
from functions.wiring import engine_of
from infra.local.worker import settle
from shared.contracts.context import RequestContext
from shared.errors import TimedOut, Unavailable
from shared.homes.home import Home, consumed_topics, open_home
from shared.runs.erasing import erase_asset
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from shared.steps.verifying import verify_artifact
from tests.functions.separate.rig import MODEL, RATE_HZ, STEMS, separate, song, write
from tests.toy import wait_until

CTX = RequestContext(tenant_id="band", env="dev")
STEP = "separate.stems"


@pytest.fixture
def home(models: Path, tmp_path: Path) -> Home:
    return open_home(Settings(data=tmp_path / "home", models=models, lease_s=5.0), engine_of)


def ask(home: Home, source: Path, **params: Any) -> str:
    """Upload it and ask for its stems; returns the run's id."""
    wishes = Wishes(steps=(STEP,), params={STEP: {"model": MODEL, **params}})
    return upload_run_id(upload(home, CTX, source, wishes))


def deliver_all(home: Home) -> None:
    topics = consumed_topics()
    while deliveries := home.bus.pull(list(topics), wait_s=0):
        for delivery in deliveries:
            settle(home, delivery, topics[delivery.subscription])


def step_of(home: Home, run_id: str) -> dict[str, Any]:
    steps = run_object(home, CTX, run_id)["steps"]
    return next(step for step in steps if step["step"] == STEP)


@pytest.mark.heavy
def test_one_at_a_time_and_nothing_is_counted_against_who_waits(home: Home, tmp_path: Path) -> None:
    run_id = ask(home, write(tmp_path / "song.wav", song(2)[1]))
    with slot():
        deliver_all(home)
        assert step_of(home, run_id)["state"] == "queued"
        claims = list(home.documents.list(f"{CTX.document_prefix}cache", where={"step": STEP}))
        assert claims == [], "no attempt was begun"
        with pytest.raises(Unavailable), slot():
            pass

    def done() -> bool:
        deliver_all(home)
        return bool(step_of(home, run_id)["state"] == "done")

    wait_until(done, at_most_s=100)
    artifacts = step_of(home, run_id)["artifacts"]
    assert [artifact["meta"]["stem"] for artifact in artifacts] == list(STEMS)


@pytest.mark.heavy
def test_verified_on_this_machine_and_on_another(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = ask(home, write(tmp_path / "song.wav", song(3)[1]))
    deliver_all(home)
    artifact_id = step_of(home, run_id)["artifacts"][0]["artifact_id"]
    found = verify_artifact(home, CTX, artifact_id)
    assert found["identical"] and found["as_promised"] and found["largest_deviation"] == 0.0

    with monkeypatch.context() as patched:
        patched.setattr(
            joining.Resampler, "feed", lambda _, block, last=False: block * (1 + 2**-16)
        )
        found = verify_artifact(home, CTX, artifact_id)
        assert not found["identical"] and not found["as_promised"], "samples differ here"
        assert 0 < found["largest_deviation"] < 1e-4
        patched.setattr(f"{verify_artifact.__module__}.processor_kind", lambda: "riscv64 other")
        assert verify_artifact(home, CTX, artifact_id)["as_promised"], (
            "it differs as far as it may there"
        )

    warm_worker().close()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    found = verify_artifact(home, CTX, artifact_id)
    warm_worker().close()
    assert found["as_promised"]
    assert found["largest_deviation"] <= found["tolerance"] == stems.TOLERANCE


@pytest.mark.heavy
def test_erasing_leaves_nothing(home: Home, tmp_path: Path) -> None:
    run_id = ask(home, write(tmp_path / "song.wav", song(2)[1]))
    deliver_all(home)
    asset_id = run_object(home, CTX, run_id)["asset_id"]
    erase_asset(home, CTX, asset_id)
    assert not list(home.objects.list(f"{CTX.object_prefix}media_v2/"))


@pytest.mark.heavy
def test_missing_weights_fail_the_step_and_not_silently(home: Home, tmp_path: Path) -> None:
    run_id = ask(home, write(tmp_path / "song.wav", song(2)[1]), model="htdemucs")
    deliver_all(home)
    step = step_of(home, run_id)
    assert (step["state"], step["error"]["code"]) == ("failed", "missing_dependency")
    assert step["error"]["dependency"] == "demucs-htdemucs"


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_what_is_too_long_for_one_job_is_done_in_several(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of which the whole would need four, as a long recording on a CPU needs of 300 s."""
    source = write(tmp_path / "song.wav", song(24)[1])
    monkeypatch.setattr(part_sums, "PIECE_S", 1000.0)
    separate(source, tmp_path)  # the model is warm now
    began = time.monotonic()
    whole = separate(source, tmp_path)
    limit_s = (time.monotonic() - began) / 4
    monkeypatch.setattr(host, "JOB_TIMEOUT_S", limit_s)
    with pytest.raises(TimedOut, match="demucs did not finish"):
        separate(source, tmp_path)
    monkeypatch.setattr(host, "JOB_TIMEOUT_S", 300.0)
    separate(write(tmp_path / "short.wav", song(1)[1]), tmp_path)  # warm again
    monkeypatch.setattr(host, "JOB_TIMEOUT_S", limit_s)
    monkeypatch.setattr(part_sums, "PIECE_S", 0.1)
    jobs = separate(source, tmp_path)
    assert jobs.hashes == whole.hashes
    assert jobs.metas[0]["frames"] == 24 * RATE_HZ
