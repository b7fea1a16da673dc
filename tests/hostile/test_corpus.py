"""The short form: every ninth hostile file through intake and the cheap engines, as workers run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.corpus import corpus

STEPS = "transform.loudness,detect.visual_meta,perform.pattern"


@pytest.mark.heavy
def test_the_corpus_has_several_hundred_different_files(tmp_path: Path) -> None:
    files = list(corpus(tmp_path, outside="/nowhere", port=1))
    assert len(files) > 300
    assert len({file.kind for file in files}) == 7
    assert len({file.path.read_bytes() for file in files if file.kind == "mutant"}) > 200


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_hostile_files_crash_hang_open_and_leave_nothing() -> None:
    words = ["-m", "tests.hostile", "--every", "9", "--steps", STEPS]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == [] and told["raised"] == []
    assert told["outcomes"]["probe: unsupported_media"] > 10
    assert told["outcomes"]["probe: done"] > 5
