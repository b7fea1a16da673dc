"""A browser; a home that does real work for it, and one of toys that is there at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.local.api import api_served
from shared.contracts.context import RequestContext
from shared.homes.home import Home
from tests import toy as toys
from tests.functions.console.browser import (
    DEMO,
    Served,
    chromium,
    console_page,
    served_home,
    upload_and_watch,
)
from tests.toy import embedded_home

Opened = Callable[..., AbstractContextManager[Any]]

CTX = RequestContext(tenant_id="local", env="dev")
"""Whom the dev identity takes everybody for."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def served(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_home(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="package")
def opened(browser: Any, served: Served) -> Opened:
    return partial(console_page, browser, served)


@pytest.fixture(scope="package")
def demo(opened: Opened) -> str:
    """The id of the demo recording, uploaded through the page, its run watched to the end."""
    with opened() as page:
        return upload_and_watch(page, DEMO)


class ToyServer:
    """The API and the console over an embedded home in this process, which can go away and come back."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.address = ""
        self._running = ExitStack()

    def start(self) -> None:
        port = int(self.address.rsplit(":", 1)[-1]) if self.address else None
        self.address = self._running.enter_context(api_served(self.home, port))

    def stop(self) -> None:
        self._running.close()

    @contextmanager
    def page(self, browser: Any, **how: Any) -> Iterator[Any]:
        with console_page(browser, Served(self.address), **how) as page:
            yield page


@pytest.fixture
def toy_server(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ToyServer]:
    toys.install(monkeypatch)
    server = ToyServer(embedded_home(tmp_path / "data"))
    server.start()
    yield server
    server.stop()
