"""One setting says how large a recording may be, and each door reads it, in the cloud as at home."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.api.uploads import STALE_S
from shared.errors import InputTooLarge
from shared.homes.objects import ObjectInfo
from shared.homes.objects.fetch import fetch_object
from shared.homes.tenant_limits import max_input_bytes
from shared.media import ffmpeg
from shared.runs.uploading import upload
from shared.settings import Settings
from tests.functions.api.conftest import Desk

LIMIT = 20_000_000_000


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of(max_input_bytes=LIMIT)


def test_the_api_lets_in_what_the_setting_allows(desk: Desk) -> None:
    def asked(size_bytes: int) -> int:
        told = {"name": "long.mp4", "size_bytes": size_bytes}
        return desk.client.post("/uploads", json=told).status_code

    assert (asked(LIMIT), asked(LIMIT + 1)) == (201, 413)


def test_the_command_and_registering_refuse_more_before_they_read_it(
    desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(LIMIT + 1)  # takes no room
    with pytest.raises(InputTooLarge) as refused:
        upload(desk.home, desk.ctx, path)
    assert refused.value.fields["max_bytes"] == LIMIT


def test_what_lies_in_a_bucket_is_not_fetched_if_it_is_more(desk: Desk, tmp_path: Path) -> None:
    class Bucket:
        def stat(self, key: str) -> ObjectInfo:
            return ObjectInfo(key, LIMIT + 1, 1, "video/mp4")

        def read(self, _key: str, *, generation: int | None = None) -> Iterator[bytes]:
            raise AssertionError("it was fetched")

    with pytest.raises(InputTooLarge):
        limit = max_input_bytes(desk.home, desk.ctx)
        fetch_object(Bucket(), "long.mp4", tmp_path / "to", max_bytes=limit)


def test_a_tool_may_write_more_than_the_largest_recording(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its bound on files was a number of its own once, below 20 GB."""
    monkeypatch.setattr(ffmpeg, "settings", lambda: Settings(max_input_bytes=LIMIT))
    assert ffmpeg._limits("ffmpeg", 60.0).file_bytes == 3 * LIMIT


def test_an_upload_over_days_keeps_its_bytes_and_a_forgotten_one_does_not(desk: Desk) -> None:
    def begun(name: str, days_ago: float, last_piece_days_ago: float) -> str:
        session = desk.client.post("/uploads", json={"name": name, "size_bytes": 9}).json()
        headers = {"Content-Range": "bytes 0-2/9"}
        desk.client.put(session["upload_url"], content=b"abc", headers=headers)
        (file,) = (desk.home.settings.data / "uploads").glob(f"*/*/{session['upload_id']}/*")
        for path, days in ((file, last_piece_days_ago), (file.parent, days_ago)):
            os.utime(path, (time.time() - days * 86_400.0,) * 2)
        return str(session["links"]["self"])

    going_on = begun("a.wav", days_ago=9, last_piece_days_ago=3)
    forgotten = begun("b.wav", days_ago=9, last_piece_days_ago=1 + STALE_S / 86_400.0)
    begun("c.wav", days_ago=0, last_piece_days_ago=0)
    received = [desk.client.get(own).json()["received_bytes"] for own in (going_on, forgotten)]
    assert received == [3, 0]


@pytest.mark.parametrize(
    ("content", "headers", "told"),
    [
        (b'{"name": bad', {"Content-Type": "application/json"}, "is no JSON at character 9"),
        (b'{"name": "a"}', {}, "sent with Content-Type: application/json"),
        (b"[]", {"Content-Type": "application/json"}, "valid dictionary"),
    ],
)
def test_a_body_that_is_not_read_says_why(
    desk: Desk, content: bytes, headers: dict[str, str], told: str
) -> None:
    answer = desk.client.post("/uploads", content=content, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["details"]["field"]) == (422, "body")
    assert told in error["message"]
