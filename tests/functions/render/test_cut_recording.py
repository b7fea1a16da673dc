"""``render.audio`` with an edit list: the recording itself, cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError as PydanticError

from functions.render.audio import ENGINE
from shared.contracts.edit_list import EditList
from shared.contracts.step_engine import Backend, Job, Output, Result
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.pipeline import KINDS
from shared.runs.downloads import stored_file
from shared.runs.views import list_artifacts
from shared.steps.claims import Claim, Lease
from shared.steps.storing import ArtifactWriter, describe_backend
from tests.functions.render.cutting import RATE, edit, edit_list, noise
from tests.functions.render.test_audio_step import MINE, asset, rendered_of
from tests.shared.media.recordings import probed
from tests.toy import embedded_home

BACKEND = Backend("rushes_mix", "mix-test")


def talk(folder: Path) -> Path:
    """Three seconds of noise in 16 bits, as a recorder writes them."""
    path = folder / "talk.wav"
    soundfile.write(path, noise(3 * RATE, channels=2), RATE, subtype="PCM_16")
    return path


def rendered(folder: Path, source: Path, edits: EditList, **params: Any) -> Result:
    listed, workdir = folder / "edits.json", folder / "work"
    edits.write(listed)
    workdir.mkdir()
    told: list[float] = []
    job = Job(source, probed(source), workdir, told.append, sources={"art_list": listed})
    checked = ENGINE.params.model_validate({"edit_list": "art_list", **params})
    result = ENGINE.run(job, checked, BACKEND)
    assert told == sorted(told) and told[-1] == 1.0
    assert [path.name for path in workdir.iterdir()] == [one.path.name for one in result.outputs]
    return result


def only(result: Result) -> Output:
    (output,) = result.outputs
    assert set(KINDS[output.kind].demands) <= set(output.meta)
    return output


@pytest.mark.heavy
def test_the_recording_is_cut_and_otherwise_left_to_the_bit(tmp_path: Path) -> None:
    source = talk(tmp_path)
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, source, edits, bit_depth=16))
    was, rate = soundfile.read(source, dtype="int16")
    now, _ = soundfile.read(output.path, dtype="int16")
    assert rate == output.meta["sample_rate_hz"] and len(now) == output.meta["frames"] == 120_000
    assert np.array_equal(now[:47_000], was[:47_000])
    assert np.array_equal(now[49_000:], was[73_000:])
    assert output.name == "cut" and output.parents == ("art_list",)
    assert output.meta["joins_ms"] == [1_000.0] and output.meta["loudnorm_target"] is None


@pytest.mark.heavy
@pytest.mark.parametrize("format", ["flac", "mp3"])
def test_other_formats_last_as_long(format: str, tmp_path: Path) -> None:
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, talk(tmp_path), edits, format=format))
    assert probed(output.path).duration_ms == pytest.approx(2_500, abs=30)


@pytest.mark.heavy
@pytest.mark.parametrize("params", [{}, {"format": "mp3"}, {"format": "flac", "target": "podcast"}])
def test_a_cut_is_still_called_as_the_recording(params: dict[str, str], tmp_path: Path) -> None:
    source = tmp_path / "folge.flac"
    with soundfile.SoundFile(source, "w", RATE, 2) as file:
        file.title, file.artist = "Folge 12", "J\u00f6rg & S\u00f6hne"
        file.write(noise(3 * RATE, channels=2))
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, source, edits, **params))
    tags = dict(probed(output.path).tags)
    assert (tags["title"], tags["artist"]) == ("Folge 12", "J\u00f6rg & S\u00f6hne")
    (tmp_path / "private").mkdir()
    private = edit_list(edit("bleep", 500, 600, reason="privacy"), samples=3 * RATE)
    assert not probed(only(rendered(tmp_path / "private", source, private, **params)).path).tags


@pytest.mark.heavy
def test_it_is_mastered_where_a_target_is_named(tmp_path: Path) -> None:
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, talk(tmp_path), edits, export_preset="podcast"))
    assert output.meta["integrated_lufs"] == pytest.approx(-16, abs=0.5)
    assert output.meta["frames"] == len(soundfile.read(output.path)[0]) == 120_000


@pytest.mark.heavy
def test_a_list_that_leaves_nothing_or_is_anothers_is_refused(tmp_path: Path) -> None:
    for folder, edits, match in (
        (tmp_path / "a", edit_list(edit("cut", 0, 3_000), samples=3 * RATE), "leaves nothing"),
        (tmp_path / "b", edit_list(samples=9 * RATE), "is of a recording of 9000 ms"),
    ):
        folder.mkdir()
        with pytest.raises(ValidationError, match=match):
            rendered(folder, talk(folder), edits)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({}, "or an edit_list"),
        ({"timeline": {"tracks": []}, "edit_list": "art_list"}, "not both"),
        ({"edit_list": "art_list", "stems_export": True}, "is for timelines"),
    ],
)
def test_a_timeline_or_an_edit_list(params: dict[str, Any], match: str) -> None:
    with pytest.raises((ValidationError, PydanticError), match=match):
        ENGINE.params.model_validate(params)


def kept_list(home: Home, asset_id: str, edits: EditList, folder: Path) -> str:
    """The id of a list that is stored as the runtime stores one."""
    path = folder / "list.json"
    edits.write(path)
    claim = Claim(cache_key=str(edits.version), step="edit.cut", run_id="run_1", lease_s=60.0)
    lease = Lease.take(home.documents, MINE, claim)
    assert isinstance(lease, Lease)
    meta = dict.fromkeys(KINDS["edit_list"].demands, 0)
    output = Output("edit_list", "edit_list", path, "application/json", meta)
    about = describe_backend("edit.cut", Backend("rules", "1"), claim.cache_key)
    writer = ArtifactWriter(home, MINE, lease, subject=(asset_id,), common_meta=about)
    return writer.store([output])[0].artifact_id


@pytest.mark.heavy
def test_a_new_version_of_the_list_is_another_rendering_and_the_same_one_is_not(
    tmp_path: Path,
) -> None:
    home = embedded_home(tmp_path / "data")
    mine = asset(home, talk(tmp_path))
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    first = kept_list(home, mine, edits, tmp_path)
    second = kept_list(home, mine, edits.model_copy(update={"version": 2}), tmp_path)
    steps = [rendered_of(home, mine, {"edit_list": name}) for name in (first, second, first)]
    assert [step["state"] for step in steps] == ["done", "done", "cached"]
    found = list_artifacts(home.documents, MINE, mine)
    made, other = [one for one in found if one.kind == "audio_render"]
    assert {made.meta["edit_list_version"], other.meta["edit_list_version"]} == {1, 2}
    assert stored_file(home, MINE, made.artifact_id).name.endswith(" cut.wav")
    assert rendered_of(home, mine, {"edit_list": "art_none"})["error"]["code"] == "not_found"
