"""A real receiver on this machine, and a home whose tenant has its address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from shared.contracts.context import RequestContext
from shared.homes.home import Home
from shared.messages.webhooks import Webhook
from shared.runs.results import webhook_path
from tests import toy as toys
from tests.listening import listening

CTX = RequestContext(tenant_id="t1", env="dev")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjU"


@dataclass
class Receiver:
    """Somebody's service: verifies what it gets with the scheme's own library."""

    url: str = ""
    status: int = 204
    got: list[tuple[str, Any]] = field(default_factory=list)
    """Id and content of each verified delivery, also of those answered with an error."""
    headers: dict[str, str] = field(default_factory=dict)
    """What it answers with."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = Verifier(SECRET).verify(body, dict(self.headers))
            found.got.append((self.headers["webhook-id"], content))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as address:
        found.url = f"{address}/hooks?for=rushes"
        yield found


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> toys.Toy:
    return toys.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: toys.Toy) -> Home:
    return toys.embedded_home(tmp_path / "data", webhook_private=True)


def subscribe(home: Home, receiver: Receiver, *events: Any) -> None:
    webhook = Webhook(url=receiver.url, secret=SECRET, events=events)
    home.documents.put(webhook_path(CTX), webhook.model_dump(mode="json"))
