"""The API over an embedded home in which the toy steps are at work."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from functions.api.app import build
from functions.api.lookout import Lookout
from shared.contracts.context import RequestContext
from shared.homes.home import Home
from tests import toy as toys
from tests.toy import drain, embedded_home, run_file

# The fixtures hold a home that all examples of a property may share.
shared_home = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass
class Desk:
    """A home, and its API as the caller of one tenant sees it."""

    home: Home
    toy: toys.Toy
    client: TestClient
    folder: Path
    ctx: RequestContext

    def as_tenant(self, tenant: str) -> TestClient:
        ctx = RequestContext(tenant_id=tenant, env="dev")
        return TestClient(build(self.home, lambda _: ctx), base_url="http://localhost")

    def recording(self, text: str = "sound", **wishes: Any) -> dict[str, Any]:
        """A finished run of an uploaded file."""
        return run_file(self.home, self.folder, ctx=self.ctx, text=text, **wishes)

    def drained(self) -> None:
        drain(self.home)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> toys.Toy:
    return toys.install(monkeypatch)


CTX = RequestContext(tenant_id="t1", env="dev")
TABLES = {
    "documents.sqlite3": "documents",
    "bus.sqlite3": "messages",
    "objects/.index/index.sqlite3": "objects",
}


def empty(data: Path) -> None:
    """Leave nothing of what was done in this home."""
    for name, table in TABLES.items():
        if not (data / name).exists():  # it is made when it is first asked
            continue
        with closing(sqlite3.connect(data / name, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"DELETE FROM {table}")
    for folder in (*data.glob("objects/[!.]*"), data / "uploads"):
        shutil.rmtree(folder, ignore_errors=True)
    for key in data.glob("*.key"):
        key.unlink()


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Home, FastAPI]]:
    """A home and its API that serve test after test, empty each time: building them takes 0.1 s."""

    @cache
    def built() -> tuple[Home, FastAPI]:  # while the toy steps are in the table
        home = embedded_home(tmp_path_factory.mktemp("usual"))
        return home, build(home, lambda _: CTX)

    def emptied() -> tuple[Home, FastAPI]:
        home, app = built()
        empty(home.settings.data)
        app.state.lookout = Lookout(home)
        return home, app

    return emptied


@pytest.fixture
def desk_of(tmp_path: Path, toy: toys.Toy) -> Callable[..., Desk]:
    """A desk of tenant ``t1`` whose home and API are its own, with settings of its own."""

    def make(**changes: Any) -> Desk:
        home = embedded_home(tmp_path / "data", **changes)
        client = TestClient(build(home, lambda _: CTX), base_url="http://localhost")
        return Desk(home, toy, client, tmp_path, CTX)

    return make


@pytest.fixture
def desk(tmp_path: Path, toy: toys.Toy, usual: Callable[[], tuple[Home, FastAPI]]) -> Desk:
    """The desk of tenant ``t1`` at the usual home."""
    home, app = usual()
    return Desk(home, toy, TestClient(app, base_url="http://localhost"), tmp_path, CTX)
