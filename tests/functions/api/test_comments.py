"""Comments at a time."""

from __future__ import annotations

import pytest

from functions.api import comments
from tests.functions.api.conftest import Desk


@pytest.fixture
def path(desk: Desk) -> str:
    return f"/assets/{desk.recording(steps=('probe',))['asset_id']}/comments"


def said(desk: Desk, path: str) -> list[tuple[int, str]]:
    rows = desk.client.get(path).json()["comments"]
    return [(row["at_ms"], row["text"]) for row in rows]


def test_they_are_listed_by_their_time(desk: Desk, path: str) -> None:
    for at_ms, text in ((900, "too loud"), (100, "good"), (900, "  again ")):
        assert desk.client.post(path, json={"at_ms": at_ms, "text": text}).status_code == 201
    assert [one for one, _ in said(desk, path)] == [100, 900, 900]
    assert {text for _, text in said(desk, path)} == {"good", "too loud", "again"}


def test_one_is_taken_back(desk: Desk, path: str) -> None:
    made = desk.client.post(path, json={"at_ms": 1, "text": "no"}).json()
    assert desk.client.delete(f"{path}/{made['comment_id']}").status_code == 204
    assert said(desk, path) == []
    assert desk.client.delete(f"{path}/{made['comment_id']}").status_code == 404


def test_the_same_request_says_nothing_twice(desk: Desk, path: str) -> None:
    keyed = {"Idempotency-Key": "one"}
    first = desk.client.post(path, json={"at_ms": 1, "text": "once"}, headers=keyed)
    again = desk.client.post(path, json={"at_ms": 1, "text": "once"}, headers=keyed)
    assert first.json() == again.json() and said(desk, path) == [(1, "once")]


@pytest.mark.parametrize(
    "body",
    [{"at_ms": -1, "text": "x"}, {"at_ms": 1, "text": "  "}, {"at_ms": 1, "text": "x" * 2001}],
)
def test_what_is_none_is_refused(desk: Desk, path: str, body: dict[str, object]) -> None:
    assert desk.client.post(path, json=body).status_code == 422


def test_there_is_an_end_to_them(desk: Desk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "MOST", 1)
    assert desk.client.post(path, json={"at_ms": 1, "text": "x"}).status_code == 201
    assert desk.client.post(path, json={"at_ms": 1, "text": "y"}).status_code == 409


def test_another_tenant_neither_reads_nor_writes_them(desk: Desk, path: str) -> None:
    made = desk.client.post(path, json={"at_ms": 1, "text": "ours"}).json()
    other = desk.as_tenant("t2")
    assert other.get(path).status_code == 404
    assert other.post(path, json={"at_ms": 1, "text": "theirs"}).status_code == 404
    assert other.delete(f"{path}/{made['comment_id']}").status_code == 404
    assert said(desk, path) == [(1, "ours")]


def test_they_go_with_the_recording(desk: Desk, path: str) -> None:
    desk.client.post(path, json={"at_ms": 1, "text": "x"})
    removed = desk.client.delete(path.removesuffix("/comments")).json()["removed"]
    assert removed["comments"] == 1
