"""Fixtures for the runtime's tests: an embedded home, and toy steps in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.homes import home as home_module
from shared.homes.home import Home
from tests import toy as toys


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> toys.Toy:
    return toys.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: toys.Toy) -> Home:
    assert home_module.consumed_topics()["steps-toy"] == "toy"
    return toys.embedded_home(tmp_path / "data")
