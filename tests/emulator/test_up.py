"""``rushes up --emulators``: says how to upload, and stops everything that it started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.local.emulators import Emulators

pytestmark = [pytest.mark.emulator, pytest.mark.heavy]


def test_interrupting_it_leaves_no_process(tmp_path: Path, emulators: Emulators) -> None:
    command = [sys.executable, "-m", "infra.command.main", "up", "--emulators", "--data", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        told = ""
        while "stop with Ctrl-C" not in told:
            line = serving.stdout.readline()
            assert line, f"it ended: {told}"
            told += line
        children = psutil.Process(serving.pid).children(recursive=True)
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 0
        told += serving.stdout.read()
    assert "/emulators.env" in told and "rushes upload FILE" in told
    assert told.endswith("stopped\n")
    assert sum("java" in child.name() for child in children if child.is_running()) == 0
    assert len(children) >= 5
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
