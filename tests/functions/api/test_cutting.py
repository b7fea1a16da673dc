"""Edit lists that two people change at once, undo, and never lose."""

from __future__ import annotations

from typing import Any

import opentimelineio as otio
import pytest

from shared.contracts.artifact import Artifact, artifact_key
from shared.contracts.edit_list import EditList
from shared.editing import list_versions
from shared.editing.edit_lists import edit_list_of, list_meta, new_edit
from shared.pipeline import KINDS
from tests.functions.api.conftest import Desk


def listed(desk: Desk, asset_id: str) -> str:
    """An edit list of a second's sound, with two cuts, as the step leaves it; its artifact's id."""
    edits = edit_list_of(
        [
            new_edit("cut", "silence", (100.0, 300.0)),
            new_edit("cut", "filler", (500.0, 600.0), 0.8, text="um"),
        ],
        48_000,
        48_000,
    )
    text = edits.written()
    key = artifact_key(desk.ctx, asset_id, KINDS[EditList.kind], "art_list", "json")
    desk.home.objects.put(key, text, content_type="application/json")
    common = {"backend": "rushes", "backend_type": "rushes", "backend_version": "cut-1"}
    artifact = Artifact(
        artifact_id="art_list",
        kind=EditList.kind,
        asset_id=asset_id,
        tenant_id="t1",
        env="dev",
        key=key,
        uri=desk.home.objects.uri(key),
        content_type="application/json",
        sha256="0" * 64,
        bytes=len(text),
        meta={**common, "cache_key": "k", "backend_info": {}, **list_meta(edits)},
    )
    path = f"{desk.ctx.document_prefix}artifacts/art_list"
    desk.home.documents.create(path, artifact.model_dump(mode="json"))
    return "art_list"


@pytest.fixture
def asset_id(desk: Desk) -> str:
    return str(desk.recording(steps=("probe",))["asset_id"])


@pytest.fixture
def kept(desk: Desk, asset_id: str) -> dict[str, Any]:
    made: dict[str, Any] = desk.client.post(
        "/edit-lists", json={"artifact_id": listed(desk, asset_id)}
    ).json()
    return made


def changed(desk: Desk, version: int, **change: Any) -> dict[str, Any]:
    told = desk.client.patch("/edit-lists/art_list", json={"version": version, **change})
    assert told.status_code == 200, told.text
    found: dict[str, Any] = told.json()
    return found


def test_a_change_is_a_new_version_and_the_old_one_stays(desk: Desk, kept: dict[str, Any]) -> None:
    assert (kept["version"], kept["undo_to"]) == (1, None)
    assert kept["edit_list"]["new_duration_ms"] == 700
    silence, filler = kept["edit_list"]["edits"]
    after = changed(
        desk,
        1,
        take_back=[silence["edit_id"]],
        add=[{"start_ms": 800.004, "end_ms": 900, "reason": "word", "text": "no"}],
    )
    assert (after["version"], after["versions"], after["undo_to"]) == (2, 2, 1)
    assert after["edit_list"]["new_duration_ms"] == 800
    assert [edit["taken_back"] for edit in after["edit_list"]["edits"] if "taken_back" in edit] == [
        True
    ]
    assert desk.client.get("/edit-lists/art_list?version=1").json() == {
        **kept,
        "versions": 2,
    }
    # Each version can be rendered, and read as an artifact.
    content = desk.client.get(f"/artifacts/{after['artifact_id']}/content").json()
    assert content == after["edit_list"] and content["version"] == 2
    shown = desk.client.get(f"/artifacts/{after['artifact_id']}").json()
    assert shown["meta"]["new_duration_ms"] == 800
    assert shown["parents"][1] == "art_list" and filler in content["edits"]


def test_of_two_who_change_one_version_one_is_told(desk: Desk, kept: dict[str, Any]) -> None:
    cut = [{"start_ms": 1, "end_ms": 2}]
    changed(desk, 1, add=cut)
    late = desk.client.patch("/edit-lists/art_list", json={"version": 1, "add": cut})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    assert desk.client.post("/edit-lists/art_list/undo", json={"version": 1}).status_code == 409


def test_undo_goes_back_change_by_change(desk: Desk, kept: dict[str, Any]) -> None:
    changed(desk, 1, add=[{"start_ms": 700, "end_ms": 750}])
    changed(desk, 2, add=[{"start_ms": 800, "end_ms": 850}])
    durations = []
    for version in (3, 4):
        told = desk.client.post("/edit-lists/art_list/undo", json={"version": version}).json()
        durations.append(told["edit_list"]["new_duration_ms"])
    assert durations == [650, 700]
    assert told["edit_list"]["edits"] == kept["edit_list"]["edits"]
    nothing = desk.client.post("/edit-lists/art_list/undo", json={"version": 5})
    assert (nothing.status_code, nothing.json()["error"]["message"]) == (
        409,
        "there is nothing to undo",
    )


def test_keeping_it_again_answers_with_what_it_has_become(desk: Desk, kept: dict[str, Any]) -> None:
    after = changed(desk, 1, add=[{"start_ms": 1, "end_ms": 2}])
    assert desk.client.post("/edit-lists", json={"artifact_id": "art_list"}).json() == after


@pytest.mark.parametrize(
    ("change", "status", "names"),
    [
        ({"take_back": ["edt_none"]}, 404, "edit"),
        ({"add": [{"start_ms": 5, "end_ms": 5}]}, 422, "add.0"),
        ({"add": [{"start_ms": 5000, "end_ms": 6000}]}, 422, "add.0"),
        ({"add": [{"start_ms": 1e308, "end_ms": 1.1e308}]}, 422, "add.0"),
        ({"add": [{"start_ms": 1, "end_ms": 9, "action": "shorten"}]}, 422, "to_ms"),
        ({"add": [{"start_ms": 1, "end_ms": 9, "gain": 1}]}, 422, "add.0.gain"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    desk: Desk, kept: dict[str, Any], change: dict[str, Any], status: int, names: str
) -> None:
    refused = desk.client.patch("/edit-lists/art_list", json={"version": 1, **change})
    assert refused.status_code == status and names in refused.text
    assert desk.client.get("/edit-lists/art_list").json() == kept


def test_only_edit_lists_are_kept(desk: Desk) -> None:
    run = desk.recording()
    other = run["steps"][1]["artifacts"][0]["artifact_id"]
    assert desk.client.post("/edit-lists", json={"artifact_id": other}).status_code == 422
    assert desk.client.post("/edit-lists", json={"artifact_id": "art_9"}).status_code == 404
    assert desk.client.get("/edit-lists/art_9").status_code == 404


def test_there_is_an_end_to_versions(
    desk: Desk, kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_versions, "MOST_VERSIONS", 1)
    full = desk.client.patch("/edit-lists/art_list", json={"version": 1})
    assert full.status_code == 409


def test_erasing_the_recording_erases_its_lists(
    desk: Desk, asset_id: str, kept: dict[str, Any]
) -> None:
    changed(desk, 1, add=[{"start_ms": 1, "end_ms": 2}])
    removed = desk.client.delete(f"/assets/{asset_id}").json()["removed"]
    assert (removed["edit_lists"], removed["artifacts"]) == (1, 2)
    assert desk.client.get("/edit-lists/art_list").status_code == 404


def test_other_programs_get_a_version_in_their_own_words(
    desk: Desk, kept: dict[str, Any], asset_id: str
) -> None:
    def read(form: str, version: str = "") -> Any:
        return desk.client.get(f"/edit-lists/art_list/{form}{version}")

    changed(desk, 1, take_back=[kept["edit_list"]["edits"][0]["edit_id"]])
    name = desk.client.get(f"/assets/{asset_id}").json()["sources"][0]["name"]
    kinds = {"otio": "application/json", "edl": "text/plain; charset=utf-8"}
    for form, kind in (kinds | dict.fromkeys(("fcpxml", "fcp7"), "application/xml")).items():
        answer = read(form)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert name in answer.text and "cut." in answer.headers["content-disposition"]
        assert answer.text != read(form, "?version=1").text
    timeline = otio.adapters.read_from_string(read("otio").text, "otio_json")
    (track,) = timeline.tracks
    assert [clip.source_range.start_time.value for clip in track] == [0, 28_800]
    assert otio.adapters.read_from_string(read("fcp7").text, "fcp_xml").duration().value == 22
    assert read("labels").text.count("\n") == 2 and "um" in read("labels").text
    changed(desk, 2, add=[{"start_ms": 0, "end_ms": 1000}])
    assert read("edl").status_code == 422, "nothing is left of it"
