"""``rushes reprocess --stale``: what is made again is shown, and of what failed which recording it was."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.command import stale
from infra.command.main import rushes
from shared.contracts.step_engine import Job
from shared.errors import BackendFailed
from shared.homes.home import Home
from shared.runs.staleness import BackFill
from tests.toy import Toy, drain, run_file


@pytest.fixture
def worked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this process, which know the toys."""

    class Pool:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __enter__(self) -> Pool:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
        ) -> None:
            pass

        def replace_dead(self) -> int:
            drain(home)
            return 0

    monkeypatch.setattr(stale, "WorkerPool", Pool)


def asked(home: Home, *words: str) -> Result:
    where = ["--data", str(home.settings.data), "--tenant", "t1"]
    return CliRunner().invoke(rushes, ["reprocess", "--stale", *words, *where])


def three_stale(home: Home, toy: Toy, folder: Path) -> None:
    for number in range(3):
        run_file(home, folder, text=f"sound {number}", steps=("toy.one",))
    toy.version = "toy-2"


@pytest.mark.usefixtures("worked")
def test_what_failed_is_told_by_its_recording(home: Home, toy: Toy, tmp_path: Path) -> None:
    three_stale(home, toy, tmp_path)

    def fail_once(job: Job) -> None:
        if job.source.read_text() == "sound 1":
            raise BackendFailed("toy", "one bad take")

    toy.during = fail_once
    done = asked(home, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["runs"] == {"done": 2, "failed": 1}
    (failure,) = told["failures"]
    assert (failure["recording"], failure["step"]) == ("take.wav", "toy.one")
    assert "one bad take" in failure["message"]
    toy.during = None
    assert json.loads(asked(home, "--json").stdout)["runs"] == {"done": 1}, "it goes on from there"


@pytest.mark.usefixtures("worked")
def test_stopped_it_says_that_it_can_go_on(home: Home, toy: Toy, tmp_path: Path) -> None:
    three_stale(home, toy, tmp_path)
    advance = BackFill.advance

    def stop(self: BackFill, in_flight: int) -> None:
        if len(self.done) == 1:
            raise KeyboardInterrupt
        advance(self, in_flight)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BackFill, "advance", stop)
        stopped = asked(home, "--in-flight", "1")
    assert stopped.exit_code == 1 and "the same command goes on" in stopped.stderr
    assert "toy.one" in asked(home, "--dry-run").stdout


def test_a_listing_says_that_it_is_one(home: Home, toy: Toy, tmp_path: Path) -> None:
    three_stale(home, toy, tmp_path)
    listed = asked(home, "--dry-run")
    head, row = listed.stdout.splitlines()
    assert (head.split("\t")[0], row.split("\t")[0]) == ("step", "toy.one"), "whole, in a pipe"
    assert "only listed" in listed.stderr and toy.ran["toy.one"] == 3
