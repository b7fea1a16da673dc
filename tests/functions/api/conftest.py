"""The API over an embedded home in which the toy steps are at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from functions.api.app import build
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


@pytest.fixture
def desk_of(tmp_path: Path, toy: toys.Toy) -> Iterator[Callable[..., Desk]]:
    """A desk of tenant ``t1``, with settings of its own."""

    def make(**changes: Any) -> Desk:
        home = embedded_home(tmp_path / "data", **changes)
        ctx = RequestContext(tenant_id="t1", env="dev", user_id=changes.get("user"))
        client = TestClient(build(home, lambda _: ctx), base_url="http://localhost")
        return Desk(home, toy, client, tmp_path, ctx)

    yield make


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()
