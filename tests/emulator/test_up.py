"""``rushes up --emulators``: says how to upload, does what is uploaded, stops all that it started."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from infra.local.emulators import Emulators

pytestmark = [pytest.mark.emulator, pytest.mark.heavy]


def _uploads_as_an_operator_would(folder: Path, stem: str) -> None:
    """In another terminal: source the file, upload by what knows nothing of the product, see the result."""
    sound = folder / f"{stem}.wav"
    noise = np.random.default_rng(len(stem)).standard_normal(22_050)
    soundfile.write(sound, 0.1 * noise, 22_050)
    place = "$STORAGE_EMULATOR_HOST/upload/storage/v1/b/$RUSHES_BUCKET/o?uploadType=media"
    words = f"""
        set -e -o pipefail
        source "{folder}/emulators.env"
        curl -sSf --data-binary @"{sound}" "{place}&name=tenants/local/dev/uploads/monday/{stem}.wav"
        rushes() {{ "{sys.executable}" -m infra.command.main "$@"; }}
        for _ in $(seq 100); do
          rushes runs --asset {stem}.wav --json 2> /dev/null > "{folder}/runs.json" || true
          grep -q '"state": "\\(done\\|degraded\\|failed\\)"' "{folder}/runs.json" && break
          sleep 1
        done
        rushes export {stem}.wav "{folder}/walk"
    """
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    left = folder / "walk" / f"{stem}.rushes"
    names = {"index.html", f"{stem}.wav", f"{stem} normalised.wav"}
    assert names <= {p.name for p in left.iterdir()}


def test_it_serves_any_client_and_interrupting_it_leaves_no_process(
    tmp_path: Path, emulators: Emulators
) -> None:
    command = [sys.executable, "-m", "infra.command.main", "up", "--emulators", "--data", tmp_path]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving,
        ExitStack() as ending,
    ):
        ending.callback(serving.kill)  # where something fails: else it serves on
        assert serving.stdout is not None
        told = ""
        while "stop with Ctrl-C" not in told:
            line = serving.stdout.readline()
            assert line, f"it ended: {told}"
            told += line
        children = psutil.Process(serving.pid).children(recursive=True)
        _uploads_as_an_operator_would(tmp_path, "take")
        (pubsub,) = [one for one in children if any("pubsub" in word for word in one.cmdline())]
        pubsub.kill()
        _uploads_as_an_operator_would(tmp_path, "another")
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 0
        told += serving.stdout.read()
    assert "/emulators.env" in told and "rushes upload FILE" in told
    assert "the pubsub emulator had ended, and was started again" in told
    assert told.endswith("stopped\n")
    assert sum("java" in child.name() for child in children if child.is_running()) == 0
    assert len(children) >= 5
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
