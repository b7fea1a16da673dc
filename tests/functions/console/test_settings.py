"""The settings page: what runs, who is told, what the server has."""

from __future__ import annotations

from typing import Any

import pytest

from shared.messages.webhooks import Delivery, delivery_path
from tests.functions.console.browser import Served, axe_finds
from tests.functions.console.conftest import CTX, ToyServer

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300)]


@pytest.mark.parametrize("width", [1440, 390])
def test_a_webhook_is_set_seen_and_removed(toy_server: ToyServer, browser: Any, width: int) -> None:
    documents = toy_server.home.documents
    told = Delivery.of("evt_1", "step.failed", "run_1", 1.8e9, step="toy.one")
    told = told.model_copy(update={"state": "failed", "attempts": 3, "status": 500})
    documents.put(delivery_path(CTX, told.delivery_id), told.model_dump(mode="json"))
    with toy_server.page(browser, width=width) as page:
        page.get_by_role("link", name="Settings").click()
        page.get_by_text("HTTP 500").wait_for()
        page.get_by_role("button", name="Add").click()
        page.get_by_label("address").fill("https://example.com/hook")
        page.get_by_label("a file was made").check()
        page.get_by_role("button", name="Save").click()
        assert page.get_by_label("signed with").input_value().startswith("whsec_")
        assert axe_finds(page) == []
        page.get_by_role("button", name="Send again").click()
        page.locator(".row.delivery").get_by_text("waiting").wait_for()
        hook = Served(toy_server.address).get("/settings")["webhook"]
        assert hook["events"] == ["run.finished", "step.failed", "artifact.created"]
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove the webhook").click()
        page.get_by_role("button", name="Add").wait_for()
    assert Served(toy_server.address).get("/settings")["webhook"] is None
