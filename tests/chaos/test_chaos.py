"""The short form of `make chaos`: a minute of it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from shared.errors import MissingDependency
from tests.chaos.calm import check
from tests.chaos.stage import stage
from tests.chaos.storm import Storm

EVENTS = ("kill", "freeze_firestore", "fill_disk", "kill", "restart_bucket", "freeze")


@pytest.mark.emulator
@pytest.mark.heavy
@pytest.mark.allow_error_logs
@pytest.mark.timeout(600)
def test_nothing_is_lost_in_a_short_storm(tmp_path: Path) -> None:
    try:
        with stage(tmp_path) as built:
            storm = Storm(built, random.Random(7))
            storm.blow(8, events=EVENTS, pause_s=(0.2, 1.0))
            told = check(storm)
    except MissingDependency as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(error.message)
    assert told["uploads"] == 8
    assert told["outcomes"]["complete"] >= 6
