"""Reading: pages, ETags, ranges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.functions.api.conftest import Desk, shared_home
from tests.functions.transcribe.test_transcript_edits import transcript
from tests.shared.captions.test_cues import said

TEXT = "".join(f"{number:04d} " for number in range(300))


@pytest.fixture
def media(desk: Desk) -> str:
    asset_id = desk.recording(text=TEXT, steps=("probe",))["asset_id"]
    return f"/assets/{asset_id}/media"


def test_pages_give_each_row_once(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",), params={"toy.one": {"number": 7}})["asset_id"]
    for number in range(3):
        desk.recording(text=f"take {number}", steps=("probe",))
    for path, name in (
        (f"/assets/{asset_id}/artifacts", "artifacts"),
        ("/assets", "assets"),
        ("/runs", "runs"),
        ("/artifacts?kind=audio_hits", "artifacts"),
    ):
        whole = desk.client.get(path).json()
        assert whole["next"] is None and len(whole[name]) >= 4
        assert paged(desk, path, name) == whole[name]


def paged(desk: Desk, path: str, name: str) -> list[Any]:
    rows: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = desk.client.get(path, params={"limit": "3", **dict(_query(path)), **after}).json()
        assert len(page[name]) <= 3
        rows += page[name]
        if page["next"] is None:
            return rows
        after = {"after": page["next"]}


def _query(path: str) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl, urlsplit

    return parse_qsl(urlsplit(path).query)


def test_runs_come_newest_first_and_name_their_artifacts(desk: Desk) -> None:
    first = desk.recording(steps=("toy.one",))
    second = desk.recording(text="more", steps=("toy.one",))
    rows = desk.client.get("/runs").json()["runs"]
    assert [row["run_id"] for row in rows] == [second["run_id"], first["run_id"]]
    assert len(rows[0]["steps"][1]["artifact_ids"]) == 1
    (only,) = desk.client.get("/runs", params={"asset_id": first["asset_id"]}).json()["runs"]
    assert only["run_id"] == first["run_id"]


def test_runs_come_in_pages_of_all_and_of_one_recording(desk: Desk) -> None:
    made = [desk.recording(text=f"number {n}", steps=("toy.one",)) for n in range(3)]
    newest = [one["run_id"] for one in reversed(made)]
    for query in ({}, {"asset_id": made[0]["asset_id"]}):
        expected = newest if not query else [made[0]["run_id"]]
        found: list[str] = []
        after = {}
        while after is not None:
            page = desk.client.get("/runs", params={"limit": "1", **query, **after}).json()
            found += [row["run_id"] for row in page["runs"]]
            after = {"after": page["next"]} if page.get("next") else None
        assert found == expected
    stranger = {"after": newest[0], "asset_id": made[0]["asset_id"]}
    assert desk.client.get("/runs", params=stranger).status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=..", "after=run_x"])
def test_a_page_that_cannot_be_is_refused(desk: Desk, query: str) -> None:
    assert desk.client.get(f"/runs?{query}").status_code == 422


def test_an_unchanged_answer_is_not_sent_again(desk: Desk, media: str) -> None:
    for path in ("/assets", "/runs", "/pipeline", media):
        first = desk.client.get(path)
        again = desk.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        strong = first.headers["ETag"].removeprefix("W/")
        assert again.headers["ETag"] == strong
        weak = f'"other", W/{strong}'
        assert desk.client.get(path, headers={"If-None-Match": weak}).status_code == 304
        assert desk.client.get(path, headers={"If-None-Match": '"x"'}).content == first.content
    before = desk.client.get("/assets").headers["ETag"]
    desk.recording(text="one more", steps=("probe",))
    assert desk.client.get("/assets", headers={"If-None-Match": before}).status_code == 200


@shared_home
@given(
    first=st.none() | st.integers(0, len(TEXT) + 5), last=st.none() | st.integers(0, len(TEXT) + 5)
)
def test_a_range_is_that_slice(desk: Desk, media: str, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    got = desk.client.get(media, headers={"Range": header})
    size = len(TEXT)
    if (first is None and last is None) or (None not in (first, last) and last < first):  # type: ignore[operator]
        assert (got.status_code, got.text) == (200, TEXT)  # no range: ignored
        return
    start = max(0, size - (last or 0)) if first is None else first
    stop = size if first is None or last is None else min(last + 1, size)
    if start >= stop:
        assert got.status_code == 416 and got.headers["Content-Range"] == f"bytes */{size}"
        assert got.json()["error"]["code"] == "validation_error"
        return
    assert (got.status_code, got.text) == (206, TEXT[start:stop])
    assert got.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    assert got.headers["Content-Length"] == str(stop - start)


HUGE = f"bytes=0-{'9' * 5_000}"
"""More digits than Python turns into a number."""


@pytest.mark.parametrize(
    "header", ["bytes=0-4,8-9", "lines=1-2", "bytes=a-b", "0-4", "bytes=--1", HUGE]
)
def test_other_ranges_give_the_whole(desk: Desk, media: str, header: str) -> None:
    got = desk.client.get(media, headers={"Range": header})
    assert (got.status_code, got.text) == (200, TEXT)


def test_a_range_of_what_has_changed_gives_the_whole(desk: Desk, media: str) -> None:
    etag = desk.client.head(media).headers["ETag"]
    part = {"Range": "bytes=0-3", "If-Range": etag}
    assert desk.client.get(media, headers=part).status_code == 206
    assert desk.client.get(media, headers={**part, "If-Range": '"old"'}).text == TEXT


def test_what_a_browser_is_told_of_bytes(desk: Desk, media: str) -> None:
    got = desk.client.get(media)
    assert got.headers["Accept-Ranges"] == "bytes" and got.headers["Content-Type"] == "audio/wav"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
    assert got.headers["Content-Disposition"] == "inline; filename*=UTF-8''take.wav"
    saved = desk.client.get(media, params={"download": "1"})
    assert saved.headers["Content-Disposition"].startswith("attachment")
    head = desk.client.head(media)
    assert head.content == b"" and head.headers["Content-Length"] == str(len(TEXT))


def test_lineage_leads_back_to_the_recording(desk: Desk) -> None:
    run = desk.recording(steps=("toy.two",))
    artifact_id = run["steps"][-1]["artifacts"][0]["artifact_id"]
    lineage = desk.client.get(f"/artifacts/{artifact_id}/lineage").json()
    kinds = {parent["kind"] for parent in lineage["parents"]}
    assert lineage["kind"] == "audio_hits" and kinds == {"recording", "audio_hits"}


def test_erasing_tells_what_was_removed(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    told = desk.client.delete(f"/assets/{asset_id}").json()
    removed = told["removed"]
    assert removed["artifacts"] == 1 and removed["runs"] == 1
    assert desk.client.get(f"/assets/{asset_id}").status_code == 404
    assert desk.client.delete(f"/assets/{asset_id}").status_code == 404
    (erasure,) = desk.client.get("/runs").json()["runs"]
    assert (erasure["run_id"], erasure["state"]) == (told["run_id"], "done")


def test_an_asset_is_no_artifact(desk: Desk) -> None:
    asset_id = desk.recording(steps=("probe",))["asset_id"]
    for path in ("", "/content", "/lineage"):
        assert desk.client.get(f"/artifacts/{asset_id}{path}").status_code == 404


def test_presets_are_those_of_the_command(desk: Desk) -> None:
    listed = desk.client.get("/presets").json()
    for row in (listed["presets"][0], listed["macros"][0]):
        shown = desk.client.get(f"/presets/{row['id']}").json()
        assert shown["id"] == row["id"] and "knobs" in shown
    assert desk.client.get("/presets/none").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind", "begins"),
    [
        ("srt", "application/x-subrip; charset=utf-8", b"1\n00:00:00,300 --> "),
        ("vtt", "text/vtt; charset=utf-8", b"WEBVTT"),
        ("ttml", "application/ttml+xml; charset=utf-8", b"<?xml"),
        ("stl", "application/x-ebu-stl", b"850STL25.01"),
        ("scc", "text/x-scc; charset=utf-8", b"Scenarist_SCC V1.0"),
    ],
)
def test_a_transcript_comes_in_each_format(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, begins: bytes
) -> None:
    spoken = transcript(said("hello there my friends", speaker="channel_1"))
    monkeypatch.setattr("functions.api.reading.load_artifact", lambda *_: None)
    monkeypatch.setattr("functions.api.reading._transcript", lambda *_: spoken)
    plain = desk.client.get(f"/video/captions/art_1/{name}")
    assert (plain.status_code, plain.headers["content-type"]) == (200, kind)
    assert plain.content.startswith(begins)
    named = desk.client.get(f"/video/captions/art_1/{name}?names=true")
    assert named.content != plain.content


def test_letters_that_a_format_lacks_are_a_readable_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.api.reading.load_artifact", lambda *_: None)
    monkeypatch.setattr("functions.api.reading._transcript", lambda *_: transcript(said("привет")))
    refused = desk.client.get("/video/captions/art_1/scc")
    assert refused.status_code == 422 and "scc has no 'п'" in refused.text
