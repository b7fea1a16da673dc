"""What is listed, and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.contracts.upload import Upload
from shared.errors import ValidationError
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.runs.downloads import stored_file
from shared.runs.records import change_run, open_upload_run
from shared.runs.results import created_event_id
from shared.runs.stored_json import artifact_json, asset_json, public_run
from shared.runs.views import artifact_links, asset_links, list_runs, newest_runs, runs_behind
from shared.steps.storing import artifact_path
from tests.toy import CTX, Toy, run_file


def test_a_run_leads_to_its_recording_once_it_has_one(home: Home) -> None:
    landed = Upload(CTX, "rushes-local", f"{CTX.object_prefix}uploads/1.wav", 1)
    run = open_upload_run(home.documents, landed, "1.wav", at=1.0)
    own = f"/runs/{run.run_id}"
    links = public_run(home, CTX, run.run_id)["links"]
    assert links == {"self": own, "events": f"{own}/events", "asset": None}
    change_run(home.documents, CTX, run.run_id, asset_id="ast_1")
    assert public_run(home, CTX, run.run_id)["links"]["asset"] == "/assets/ast_1"


def test_a_file_is_called_after_its_recording_with_its_own_extension(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    (artifact,) = run["steps"][1]["artifacts"]
    file = stored_file(home, CTX, artifact["artifact_id"])
    assert file.name == "take toy 0.json"
    assert (file.sha256, file.bytes) == (artifact["sha256"], artifact["bytes"])


def test_a_mix_is_called_the_same_alone_and_in_its_folder(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    identifier = run["steps"][1]["artifacts"][0]["artifact_id"]
    path = artifact_path(CTX, identifier)
    standing = home.documents.get(path)
    assert standing is not None
    mix = {"kind": "audio_render", "content_type": "audio/wav", "meta": {"name": "master"}}
    home.documents.put(path, {**standing.data, **mix})
    assert Path(stored_file(home, CTX, identifier).name).stem == "take mix"
    for meta, stem in (
        ({"name": "one"}, "take performance"),
        ({"name": "one_2", "instrument": "Kick"}, "take one 2"),
    ):
        home.documents.put(path, {**standing.data, **mix, "kind": "pattern_render", "meta": meta})
        assert Path(stored_file(home, CTX, identifier).name).stem == stem
    drums = {"name": "stem_bus_drums", "bus_id": "bus_drums", "timeline_name": "Jam"}
    home.documents.put(path, {**standing.data, **mix, "kind": "audio_bus_stem", "meta": drums})
    assert Path(stored_file(home, CTX, identifier).name).stem == "take mix Jam bus_drums"


def test_runs_of_one_instant_have_one_order_however_they_are_asked_for(home: Home) -> None:
    documents = home.documents
    for number, at in enumerate((1.0, 2.0, 2.0, 2.0, 3.0)):
        upload = Upload(CTX, "rushes-local", f"{CTX.object_prefix}uploads/{number}.wav", 1)
        open_upload_run(documents, upload, f"{number}.wav", at=at)
    listed = list_runs(documents, CTX)
    assert [run.created_at for run in listed] == [3.0, 2.0, 2.0, 2.0, 1.0]
    assert list(newest_runs(documents, CTX, limit=9, after=None)) == listed
    for number, run in enumerate(listed, 1):
        assert runs_behind(listed, run.run_id) == listed[number:], (
            "each page goes on where one ended"
        )
    assert runs_behind(listed, None) == listed
    with pytest.raises(ValidationError, match="after"):
        runs_behind(listed, "run_gone")


@pytest.mark.parametrize("name", ["art_1", 'odd "name"\\', "ü-9"])
def test_links_name_the_document_whatever_its_id_holds(name: str) -> None:
    document = Document(f"tenants/t/artifacts/{name}", '{"kind":"k"}', "1", 0.0, 0.0)
    told = json.loads(artifact_json(document, "ast_1"))
    assert told == {"kind": "k", "links": artifact_links(name, "ast_1")}
    assert json.loads(asset_json(document))["links"] == asset_links(name)


def test_an_event_told_again_by_a_later_version_has_the_id_that_receivers_know() -> None:
    assert created_event_id("run_1", "detect.hits", "art_1") == "0a614b13f9442855ec6d75e4f81dcea1"
