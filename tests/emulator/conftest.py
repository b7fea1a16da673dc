"""The whole stack on the Google emulators, started once for these tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions.wiring import engine_of
from infra.local.stack import Stack, local_stack
from shared.contracts.context import RequestContext
from shared.errors import MissingDependency, NotFound
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.toy import wait_until

DEMO = Path(__file__).parents[2] / "infra" / "demo" / "demo.mp4"
_TENANTS = itertools.count(1)


@dataclass
class Cloud:
    """The stack, and what a user of it does."""

    stack: Stack
    home: Home
    ctx: RequestContext

    def upload(self, path: Path, **wishes: Any) -> str:
        return upload_run_id(upload(self.home, self.ctx, path, Wishes(**wishes)))

    def run(self, run_id: str) -> dict[str, Any] | None:
        try:
            return run_object(self.home, self.ctx, run_id)
        except NotFound:
            return None

    def finished(self, run_id: str, *, at_most_s: float = 120) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def settled() -> bool:
            run = self.run(run_id)
            if run is not None and run["state"] not in ("queued", "running"):
                found.append(run)
            return bool(found)

        wait_until(settled, at_most_s=at_most_s)
        return found[0]


@pytest.fixture(scope="module")  # it sets variables of this process, which others must not see
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Skips where Java or the emulators are not installed, but not in CI."""
    config = Settings(data=tmp_path_factory.mktemp("stack"), lease_s=4.0)
    try:
        with local_stack(config) as stack:
            yield stack
    except MissingDependency as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(error.message)


@pytest.fixture
def cloud(running_stack: Stack) -> Cloud:
    """A tenant of its own for each test."""
    ctx = RequestContext(tenant_id=f"t{next(_TENANTS)}", env="dev")
    return Cloud(running_stack, open_home(running_stack.settings, engine_of), ctx)
