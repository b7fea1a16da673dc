"""Where `rushes up` says what it did not foresee."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from functions.api.app import build
from infra.command.desk import _silence
from infra.command.up import logged_to
from infra.local.api import api_served
from shared import lazy_log
from shared.contracts.context import RequestContext
from tests.toy import embedded_home


def test_a_request_that_failed_unforeseen_stands_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, ctx = embedded_home(tmp_path), RequestContext(tenant_id="t1", env="dev")
    app = build(home, lambda _: ctx)
    app.add_api_route("/fails", lambda: 1 / 0)
    monkeypatch.setattr("functions.api.main.create", lambda _: app)
    lazy_log._first[:] = [_silence]  # as a command begins: nobody has logged anything yet
    with logged_to(tmp_path / "worker.log", "INFO"), api_served(home, None) as address:
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(f"{address}/fails", timeout=60)
        lazy_log.get_logger().warning("sweep.told")
    told = (tmp_path / "worker.log").read_text("utf-8")
    assert "ZeroDivisionError" in told and "sweep.told" in told
