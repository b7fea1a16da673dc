"""The short form: every ninth hostile file through intake and the cheap engines, as workers run them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

STEPS = "transform.loudness,detect.visual_meta,perform.pattern"


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_hostile_files_crash_hang_open_and_leave_nothing() -> None:
    words = ["-m", "tests.hostile", "--every", "9", "--steps", STEPS]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told["corpus"]) == 7 and sum(told["corpus"].values()) > 300
    assert told["different"] > 280
    assert told["wrong"] == [] and told["raised"] == []
    assert told["outcomes"]["probe: unsupported_media"] > 10
    assert told["outcomes"]["probe: done"] > 5
