"""Links to one recording: what they show, and what they never open."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from functions.api.app import build
from functions.api.reviewing import Opened, key_of, read, signed
from shared.contracts.context import RequestContext
from shared.errors import Unauthenticated
from tests.functions.api.conftest import Desk

KEY = "k" * 40
CLAIMS = {"aud": "review", "exp": 9_000_000_000, "tenant": "t1", "env": "dev", "asset": "ast_1"}
SHOWN = Opened(RequestContext(tenant_id="t1", env="dev"), "ast_1")


def nobody(_authorization: str | None) -> RequestContext:
    raise Unauthenticated("nobody is known here")


@pytest.fixture
def linked(desk: Desk) -> str:
    asset_id = desk.recording(text="sound", steps=("probe",))["asset_id"]
    made = desk.client.post(f"/assets/{asset_id}/links", json={})
    assert made.status_code == 201
    assert made.json()["expires_at"] == pytest.approx(time.time() + 7 * 86_400, abs=600)
    return str(made.json()["url"])


@pytest.fixture
def guest(desk: Desk) -> TestClient:
    """Somebody whom the identity doesn't know."""
    return TestClient(build(desk.home, nobody), base_url="http://localhost")


def test_a_guest_sees_the_page_and_what_it_names(guest: TestClient, linked: str) -> None:
    page = guest.get(linked)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "take.wav" in page.text and page.headers["cache-control"] == "private, no-store"
    sound = guest.get(f"{linked}take.wav", headers={"Range": "bytes=1-2"})
    assert (sound.status_code, sound.content) == (206, b"ou")
    assert guest.get(linked.rstrip("/")).text == page.text


def test_a_guest_sees_nothing_else(desk: Desk, guest: TestClient, linked: str) -> None:
    other = desk.recording(text="another", steps=("probe",))["asset_id"]
    for path in (f"{linked}../{other}/", f"{linked}%2e%2e/x", f"{linked}nothing.wav"):
        assert guest.get(path).status_code in (401, 404), path
    token = linked.split("/")[2]
    for path in ("/assets", f"/assets/{other}", f"/assets/{other}/media", "/runs"):
        refused = guest.get(path, headers={"Authorization": f"Bearer {token}"})
        assert refused.status_code == 401, path
    assert guest.post(linked, json={}).status_code in (401, 405)
    assert guest.delete(linked).status_code == 405


def test_a_link_is_made_by_its_tenant_alone(desk: Desk, linked: str) -> None:
    asset_id = desk.client.get("/assets").json()["assets"][0]["asset_id"]
    assert desk.as_tenant("t2").post(f"/assets/{asset_id}/links", json={}).status_code == 404
    assert (
        desk.client.post(f"/assets/{asset_id}/links", json={"expires_in_s": 10**9}).status_code
        == 422
    )


def test_it_ends_by_itself(desk: Desk, guest: TestClient, linked: str) -> None:
    asset_id = desk.client.get("/assets").json()["assets"][0]["asset_id"]
    past = signed(Opened(desk.ctx, asset_id), int(time.time()) - 1, key_of(desk.home.settings))
    refused = guest.get(f"/review/{past}/")
    assert refused.status_code == 401 and "expired" in refused.json()["error"]["message"]


def test_it_ends_with_the_recording(desk: Desk, guest: TestClient, linked: str) -> None:
    asset_id = desk.client.get("/assets").json()["assets"][0]["asset_id"]
    assert guest.get(linked).status_code == 200
    desk.client.delete(f"/assets/{asset_id}")
    assert guest.get(linked).status_code == 404
    assert guest.get(f"{linked}take.wav").status_code == 404


def test_it_ends_with_the_key(desk: Desk, guest: TestClient, linked: str) -> None:
    path = desk.home.settings.data / "link.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("another key " * 4)
    assert guest.get(linked).status_code == 401


def test_in_the_cloud_the_key_must_be_given(desk_of: Callable[..., Desk], tmp_path: Path) -> None:
    settings = desk_of(link_key=KEY).home.settings
    assert key_of(settings) == KEY
    with pytest.raises(Exception, match="RUSHES_LINK_KEY"):
        key_of(settings.model_copy(update={"home": "google", "link_key": ""}))


@given(st.data())
def test_an_altered_token_opens_nothing(data: st.DataObject) -> None:
    token = signed(SHOWN, int(time.time()) + 600, KEY)
    head, claims, seal = token.split(".")
    at = data.draw(st.integers(0, len(claims) - 2))  # the last sign may hold bits that say nothing
    sign = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda one: one != claims[at]))
    altered = ".".join((head, claims[:at] + sign + claims[at + 1 :], seal))
    with pytest.raises(Unauthenticated):
        read(altered, KEY)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(CLAIMS)}.",
        jwt.encode({**CLAIMS, "aud": "else"}, KEY),
        jwt.encode({name: value for name, value in CLAIMS.items() if name != "exp"}, KEY),
        jwt.encode({**CLAIMS, "tenant": "../t2"}, KEY),
        jwt.encode(CLAIMS, "f" * 40),
    ],
)
def test_a_token_that_is_not_ours_opens_nothing(token: str) -> None:
    with pytest.raises(Unauthenticated):
        read(token, KEY)


def test_what_is_ours_is_read_back() -> None:
    assert read(signed(SHOWN, int(time.time()) + 600, KEY), KEY) == SHOWN
