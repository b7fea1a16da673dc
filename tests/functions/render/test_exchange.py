"""Timelines from and for other programs, at the command: ``.otio`` in, ``.otio`` and EDL out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from functions.probe import main as probe
from infra.command.main import rushes
from shared.contracts.context import RequestContext
from shared.errors import RushesError, ValidationError
from shared.homes.home import Home
from shared.interchange.exchange import read_edl
from shared.messages.delivery import deliver
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_runs, run_object
from tests.functions.render.rig import noise, write
from tests.toy import embedded_home

otio = pytest.importorskip("opentimelineio", reason="opentimelineio is not installed")
MINE = RequestContext(tenant_id="local", env="dev")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return embedded_home(tmp_path / "data")


def uploaded(home: Home, path: Path) -> str:
    run_id = upload_run_id(upload(home, MINE, path, Wishes(steps=())))
    while deliveries := home.bus.pull(["uploads"], wait_s=0):
        for delivery in deliveries:
            assert deliver(delivery.message, home, probe.handle) is None
            home.bus.ack(delivery)
    return str(run_object(home, MINE, run_id)["asset_id"])


def asked(folder: Path, *words: str | Path) -> Result:
    args = ["render", "--data", str(folder / "data"), "--json", *map(str, words)]
    return CliRunner().invoke(rushes, args)


def cut(name: str, url: str) -> Any:
    """What another program writes: one second of a file, from its half second on."""
    span = otio.opentime.TimeRange(
        otio.opentime.RationalTime(12, 24), otio.opentime.RationalTime(24, 24)
    )
    track = otio.schema.Track(name="dialogue", kind="Audio")
    reference = otio.schema.ExternalReference(url)
    track.append(otio.schema.Clip(name=name, media_reference=reference, source_range=span))
    document = otio.schema.Timeline(name="cut")
    document.tracks.append(track)
    return document


def test_clips_may_name_their_recordings(home: Home, tmp_path: Path) -> None:
    take = write(tmp_path, noise(0.1))
    asset_id, name = uploaded(home, take), take.name
    timeline = tmp_path / "own.json"
    timeline.write_text(json.dumps({"tracks": [{"role": "fx", "clips": [{"asset_id": name}]}]}))
    assert asked(tmp_path, timeline, "--otio", tmp_path / "named.otio").exit_code == 0
    assert f"rushes:asset/{asset_id}" in (tmp_path / "named.otio").read_text()
    refused = asked(tmp_path, timeline, "--preset", "musik")
    assert "Unknown export preset: musik" in str(refused.exception)
    assert not list(list_runs(home.documents, MINE, asset_id))[1:], "no run was opened for it"
    timeline.write_text(json.dumps({"tracks": [{"clips": [{"asset_id": f"x{name}"}]}]}))
    unknown = asked(tmp_path, timeline).exception
    assert isinstance(unknown, RushesError) and f"did you mean {name}" in unknown.message


@pytest.mark.parametrize("name", ["CUT.EDL", "CUT.OTIO"])
def test_lists_are_known_by_their_endings_in_capitals_too(
    home: Home, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("nothing of the kind")
    refused = str(asked(tmp_path, tmp_path / name).exception)
    assert refused and "not JSON" not in refused


@pytest.mark.heavy
def test_a_timeline_goes_out_as_otio_and_edl_and_comes_back(home: Home, tmp_path: Path) -> None:
    asset_id = uploaded(home, write(tmp_path, noise(2.0)))
    own = {
        "name": "cut",
        "markers": [{"time_ms": 500, "name": "here"}],
        "tracks": [{"role": "dialogue", "clips": [{"asset_id": asset_id, "gain_db": -3.0}]}],
    }
    timeline = tmp_path / "own.json"
    timeline.write_text(json.dumps(own))
    done = asked(tmp_path, timeline, "--otio", tmp_path / "cut.otio", "--edl", tmp_path / "a.edl")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["written"]) == 2
    assert "* LOC: 00:00:00:12 RED     here" in (tmp_path / "a.edl").read_text()

    again = asked(tmp_path, tmp_path / "cut.otio", "--edl", tmp_path / "b.edl")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "b.edl").read_text() == (tmp_path / "a.edl").read_text()


@pytest.mark.heavy
def test_another_programs_media_are_found_by_their_files_names(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path, noise(2.0))
    asset_id = uploaded(home, path)
    file = tmp_path / "foreign.otio"
    url = f"file:///Volumes/Some%20Disk/{path.name}"
    file.write_text(cut("take one", url).to_json_string())
    done = asked(tmp_path, file, "--edl", tmp_path / "cut.edl", "--frame-rate", "24")
    assert done.exit_code == 0, done.output
    edl = (tmp_path / "cut.edl").read_text()
    assert f"* SOURCE FILE: {asset_id}" in edl
    assert "00:00:00:12 00:00:01:12 00:00:00:00 00:00:01:00" in edl


@pytest.mark.heavy
def test_an_edl_of_another_program_comes_in_by_its_clips_names(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path, noise(2.0))
    asset_id = uploaded(home, path)
    file = tmp_path / "foreign.edl"
    line = "001  AX  A  C  00:00:00:12 00:00:01:12 01:00:00:00 01:00:01:00"
    file.write_text(f"TITLE: cut\n{line}\n* FROM CLIP NAME: {path.name}\n")
    done = asked(tmp_path, file, "--edl", tmp_path / "cut.edl", "--frame-rate", "24")
    assert done.exit_code == 0, done.output
    edl = (tmp_path / "cut.edl").read_text()
    assert f"* SOURCE FILE: {asset_id}" in edl
    assert "00:00:00:12 00:00:01:12 00:00:00:00 00:00:01:00" in edl
    (tmp_path / "again").mkdir()
    own = tmp_path / "again" / "cut.edl"
    own.write_text(edl)
    done = asked(tmp_path, own, "--edl", tmp_path / "same.edl", "--frame-rate", "24")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "same.edl").read_text() == edl


@pytest.mark.parametrize(
    "told",
    [
        "C:\\Users\\Ann\\Ba\u0308ume #1 50%.wav",
        "file:///Volumes/B%C3%A4ume%20%231%2050%25.wav",
        "file:///Volumes/B\u00e4ume #1 50%.wav",
        "Ba\u0308ume #1 50%",
    ],
)
def test_media_are_found_however_their_names_are_written(
    home: Home, tmp_path: Path, told: str
) -> None:
    take = write(tmp_path, noise(0.1)).rename(tmp_path / "B\u00e4ume #1 50%.wav")
    asset_id = uploaded(home, take)
    line = "001  AX  A  C  00:00:00:00 00:00:00:02 01:00:00:00 01:00:00:02"
    found = read_edl(home, MINE, f"{line}\n* FROM CLIP NAME: x\n* SOURCE FILE: {told}\n")
    assert found.timeline.tracks[0].clips[0].asset_id == asset_id


def test_media_that_nobody_uploaded_are_named(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "foreign.otio"
    file.write_text(cut("take one", "file:///gone.wav").to_json_string())
    done = asked(tmp_path, file)
    assert isinstance(done.exception, ValidationError)
    assert "gone.wav is not known here" in done.exception.message
