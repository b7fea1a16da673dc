"""A run that has ended is shown again without reading all that it made, and never after it has changed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.runs.erasing import erase_asset
from shared.runs.records import change_run
from shared.steps.preparing import asset_path
from tests.functions.api.conftest import Desk


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the documents that are read by name."""
    paths: list[str] = []
    get_all = EmbeddedDocuments.get_all

    def counted(self: EmbeddedDocuments, wanted: Any, **which: Any) -> Any:
        paths.extend(wanted)
        return get_all(self, wanted, **which)

    monkeypatch.setattr(EmbeddedDocuments, "get_all", counted)
    return paths


def test_it_is_shown_again_from_two_documents(desk: Desk, read: list[str]) -> None:
    run = desk.recording(steps=("toy.one",), params={"toy.one": {"number": 30}})
    shown = desk.client.get(f"/runs/{run['run_id']}").json()
    assert len(shown["steps"][-1]["artifacts"]) == 30
    read.clear()
    assert desk.client.get(f"/runs/{run['run_id']}").json() == shown
    assert len(read) == 2


def test_what_has_changed_is_seen_at_once(desk: Desk) -> None:
    run = desk.recording(steps=("toy.one",))
    address = f"/runs/{run['run_id']}"
    assert not desk.client.get(address).json()["dismissed"]
    change_run(desk.home.documents, desk.ctx, run["run_id"], dismissed=True)
    assert desk.client.get(address).json()["dismissed"]
    path = asset_path(desk.ctx, run["asset_id"])
    asset = dict(desk.home.documents.get(path).data)  # type: ignore[union-attr]
    asset["media"] = {**asset["media"], "notices": ["it hums"]}
    desk.home.documents.put(path, asset)
    assert "it hums" in desk.client.get(address).json()["notices"]


def test_an_erased_one_and_another_tenants_are_not_found(desk: Desk) -> None:
    run = desk.recording(steps=("toy.one",))
    address = f"/runs/{run['run_id']}"
    assert desk.client.get(address).status_code == 200
    assert desk.as_tenant("t2").get(address).status_code == 404
    erase_asset(desk.home, desk.ctx, run["asset_id"])
    desk.drained()
    assert desk.client.get(address).status_code == 404
