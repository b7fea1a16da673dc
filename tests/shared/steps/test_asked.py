"""What is known is told without importing an engine, for as long as nothing has changed around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.row import Step
from shared.contracts.step_engine import Backend, Dependency, Engine
from shared.homes.home import Home
from tests.toy import Toy, run_file, states

PLANNED = ("toy.one", "toy.two", "toy.wish")
CACHED = {"probe": "done", **dict.fromkeys(PLANNED, "cached")}


class Engines:
    """Those of a home, and which were asked for."""

    def __init__(self, home: Home) -> None:
        self._found = home.engine_of
        self.asked: list[str] = []
        self.surroundings = "as they are"
        self.home = replace(home, engine_of=self._of, surroundings=lambda: self.surroundings)

    def _of(self, row: Step) -> Engine:
        self.asked.append(row.name)
        return self._found(row)

    def run(self, folder: Path, **wishes: Any) -> dict[str, Any]:
        self.asked.clear()
        return states(run_file(self.home, folder, steps=PLANNED, **wishes))


@pytest.fixture
def engines(home: Home, toy: Toy) -> Engines:
    return Engines(home)


def test_the_same_file_again_asks_no_engine(engines: Engines, tmp_path: Path) -> None:
    engines.run(tmp_path)
    assert engines.run(tmp_path) == CACHED
    assert engines.asked == []


def test_where_something_changed_engines_say_and_once_suffices(
    engines: Engines, toy: Toy, tmp_path: Path
) -> None:
    engines.run(tmp_path)
    engines.surroundings = "a package was installed"
    assert engines.run(tmp_path) == CACHED
    assert sorted(engines.asked) == sorted(PLANNED)
    assert engines.run(tmp_path) == CACHED and engines.asked == []
    toy.version, engines.surroundings = "toy-2", "its engine was changed"
    assert set(engines.run(tmp_path).values()) == {"done"}, "another version makes it again"


def test_other_params_or_inputs_are_other_work(engines: Engines, toy: Toy, tmp_path: Path) -> None:
    engines.run(tmp_path)
    found = engines.run(tmp_path, params={"toy.one": {"text": "other"}})
    assert set(found.values()) == {"done"}, "and so is all that reads it"
    assert toy.ran["toy.wish"] == 2


@pytest.mark.parametrize(
    ("missing", "asked"), [("librosa", list(PLANNED)), ("whisper-tiny", [])], ids=str
)
def test_what_may_have_been_mended_unseen_is_asked_of_the_engine(
    home: Home, toy: Toy, tmp_path: Path, missing: str, asked: list[str]
) -> None:
    """Weights are files, which the surroundings show; a package that could not be imported may be now."""
    lacking = {missing: Dependency(False, error="it is not there")}

    def engine_of(row: Step) -> Engine:
        backend = Backend("toy", "toy-1", dependencies=lacking)
        return replace(home.engine_of(row), backend=lambda: backend)

    engines = Engines(replace(home, engine_of=engine_of))
    engines.run(tmp_path)
    assert engines.run(tmp_path) == CACHED
    assert sorted(engines.asked) == sorted(asked)
