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
from shared.media.probe import probe
from shared.pipeline import KINDS
from tests.functions.render.cutting import RATE, edit, edit_list, noise

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
    job = Job(source, probe(source), workdir, told.append, sources={"art_list": listed})
    checked = ENGINE.params.model_validate({"edit_list": "art_list", **params})
    result = ENGINE.run(job, checked, BACKEND)
    assert told == sorted(told) and told[-1] == 1.0
    assert [path.name for path in workdir.iterdir()] == [one.path.name for one in result.outputs]
    return result


def only(result: Result) -> Output:
    (output,) = result.outputs
    assert set(KINDS[output.kind].demands) <= set(output.meta)
    return output


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


@pytest.mark.parametrize("format", ["flac", "mp3"])
def test_other_formats_last_as_long(format: str, tmp_path: Path) -> None:
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, talk(tmp_path), edits, format=format))
    assert probe(output.path).duration_ms == pytest.approx(2_500, abs=30)


def test_it_is_mastered_where_a_target_is_named(tmp_path: Path) -> None:
    edits = edit_list(edit("cut", 1_000, 1_500), samples=3 * RATE)
    output = only(rendered(tmp_path, talk(tmp_path), edits, export_preset="podcast"))
    assert output.meta["integrated_lufs"] == pytest.approx(-16, abs=0.5)
    assert output.meta["frames"] == len(soundfile.read(output.path)[0]) == 120_000


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
