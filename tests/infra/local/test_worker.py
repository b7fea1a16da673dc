"""Worker processes: one that dies is replaced, and nothing is lost with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from functions.wiring import engine_of
from infra.local.worker import WorkerPool, settle, worker_environment
from shared.contracts.message import Message
from shared.homes.bus import Delivery
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests import toy as toys
from tests.toy import CTX, states, wait_until


def state_of(home: Home, run_id: str) -> str | None:
    from shared.errors import NotFound

    try:
        return states(run_object(home, CTX, run_id)).get("detect.hits")
    except NotFound:
        return None


@pytest.mark.heavy
def test_a_killed_worker_is_replaced_and_its_step_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    noise = np.random.default_rng(1).standard_normal(44_100 * 120).astype(np.float32)
    clicks = (np.arange(len(noise)) % 22_050) < 2_000
    soundfile.write(path, 0.3 * noise * clicks, 44_100)
    home = open_home(Settings(data=tmp_path / "data", lease_s=3.0, workers=1), engine_of)
    with WorkerPool(home.settings) as pool:
        run_id = upload_run_id(upload(home, CTX, path, Wishes(steps=("detect.hits",))))
        wait_until(lambda: state_of(home, run_id) == "running")
        (worker,) = pool.process_ids()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: pool.replace_dead() == 1)
        wait_until(lambda: state_of(home, run_id) == "done", at_most_s=120)


def test_a_pool_grows_to_its_size_and_no_further(tmp_path: Path) -> None:
    config = Settings(data=tmp_path, workers=2)
    with WorkerPool(config, at_first=1) as pool:
        assert len(pool.process_ids()) == 1
        pool.grow()
        pool.grow()
        assert len(pool.process_ids()) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize(("recordings", "threads"), [(1, None), (2, "2"), (9, "1")])
def test_whispers_that_run_at_once_share_the_cores(
    recordings: int, threads: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    with WorkerPool(Settings(data=tmp_path), at_first=1, recordings=recordings) as pool:
        (worker,) = pool.process_ids()
        environment = Path(f"/proc/{worker}/environ")
        own = f"RUSHES_DATA={tmp_path}\0".encode()
        # Until the process turns into the worker it is this one's, or empty.
        wait_until(lambda: own in environment.read_bytes())
        variables = environment.read_bytes().decode().split("\0")
    told = dict(line.split("=", 1) for line in variables if line)
    assert told.get("RUSHES_WHISPER_THREADS") == threads


@pytest.mark.heavy
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from pathlib import Path\n"
        "from shared.settings import Settings\n"
        "from infra.local.worker import WorkerPool\n"
        f"with WorkerPool(Settings(data=Path({str(tmp_path)!r}), workers=2)) as pool:\n"
        "    print(*pool.process_ids(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(map(psutil.pid_exists, workers)))


@pytest.mark.allow_error_logs
def test_a_message_that_breaks_its_handler_comes_again_and_is_buried_in_the_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra.local import worker

    def broken(_message: Message, _home: Home) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(worker, "handler_of", lambda _function: broken)
    home.bus.publish("steps-toy", b"{}", {"step": "toy.one"})
    (delivery,) = home.bus.pull(["steps-toy"])
    settle(home, delivery, "toy")
    (again,) = home.bus.pull(["steps-toy"], wait_s=60)
    last = replace(again.message, delivery_attempt=home.settings.max_attempts)
    settle(home, Delivery(again.subscription, last, again.ack_id), "toy")
    assert home.bus.pull(["steps-toy"]) == []
    (buried,) = home.bus.pull(["steps-dead"])
    assert buried.message.attributes["code"] == "attempts_exhausted"


@pytest.mark.allow_error_logs
def test_what_is_buried_does_not_leave_its_run_waiting(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_message: Message, _home: Home) -> None:
        raise RuntimeError("a bug")

    path = tmp_path / "take.wav"
    path.write_text("sound")
    run_id = upload_run_id(upload(home, CTX, path))
    monkeypatch.setattr(toys, "handle_upload", broken)
    toys.drain(home)
    run = run_object(home, CTX, run_id)
    assert run["state"] == "failed"
    assert run["error"]["code"] == "attempts_exhausted"
    assert "a bug" in run["error"]["message"]


def test_a_worker_is_told_what_was_set_and_nothing_else(tmp_path: Path) -> None:
    """Told the default language, it would take all speech for English instead of listening which it is."""
    told = worker_environment(Settings(data=tmp_path))
    assert told["RUSHES_DATA"] == str(tmp_path)
    assert "VIDEO_CAPTIONS_LANGUAGE" not in told
    assert "VIDEO_CAPTIONS_LANGUAGE" in worker_environment(Settings(captions_language="de"))
