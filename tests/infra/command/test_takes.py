"""Takes and mixes: what they are called, where they lie, and what became of what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from functions.wiring import engine_of
from shared.homes.home import open_home
from shared.pipeline import BY_NAME
from shared.settings import Settings
from shared.steps.preparing import out_of_range_wishes
from tests.infra.command.test_hands import Command, clicks

NORMALISE = ("--steps", "transform.normalise")


@pytest.fixture(scope="module")
def rushes(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A home with one recording."""
    folder = tmp_path_factory.mktemp("takes")
    command = Command(folder)
    clicks(folder / "drums.wav", 200)
    command("process", "drums.wav", *NORMALISE)
    return command


def beside(rushes: Command, folder: str) -> set[str]:
    return {str(path.relative_to(rushes.folder / folder)) for path in left(rushes.folder / folder)}


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]


def timeline(path: Path, **told: object) -> None:
    clip = {"asset_id": "drums.wav", "start_ms": 0}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**told, "tracks": [{"role": "drums", "clips": [clip]}]}))


@pytest.mark.heavy
def test_a_take_says_what_is_not_usual_of_it_and_a_clamped_wish_is_told(rushes: Command) -> None:
    told = rushes(
        "process", "drums.wav", *NORMALISE, "--param", "transform.normalise.target_lufs=3"
    )
    assert "target_lufs 3 is out of range: -5 was taken" in told
    wish = ("--step", "transform.normalise", "--param", "target_lufs=3")
    (run,) = rushes.json("reprocess", "drums", *wish)["runs"]
    (step,) = (one for one in run["steps"] if one["step"] == "transform.normalise")
    assert step["reason"].startswith("target_lufs 3 is out of range")
    taken = beside(rushes, "drums.rushes")
    assert {"drums normalised.wav", "drums normalised -16 LUFS.wav"} <= taken
    (artifact,) = step["artifacts"]
    assert rushes("get", artifact["artifact_id"]).strip() == "drums normalised.wav"
    former = rushes.json("artifacts", "drums")["artifacts"]
    (former_id,) = (
        one["artifact_id"]
        for one in former
        if one["kind"] == "audio_normalised" and one["artifact_id"] != artifact["artifact_id"]
    )
    assert rushes("get", former_id).strip() == "drums normalised -16 LUFS.wav"


@pytest.mark.heavy
def test_a_mix_lies_beside_its_timeline_under_its_name(rushes: Command) -> None:
    timeline(rushes.folder / "songs" / "jam.timeline.json")
    told = rushes("render", "songs/jam.timeline.json", "--stems")
    assert "songs/jam.mix/jam mix.wav" in told and "reprocess" not in told
    assert beside(rushes, "songs/jam.mix") == {"jam mix.wav", "stems/jam bus_drums.wav"}
    rushes("render", "songs/jam.timeline.json", "--format", "mp3")
    both = {"jam mix.wav", "jam mix.mp3"}
    assert beside(rushes, "songs/jam.mix") == both, "stems are those of the last mix alone"
    timeline(rushes.folder / "songs" / "other.json", name="Friday jam")
    for name in ("one", "two"):
        made = rushes.json("render", "songs/other.json", "--out", "mixes", "--name", name)
        (run,) = made["runs"]
        assert run["files"] == [f"mixes/{name}.mix/{name} mix.wav"], "none replaces another's"
    assert len(left(rushes.folder / "mixes")) == 2
    rushes("export", "drums", "all")
    mixes = {path.name for path in left(rushes.folder / "all") if " mix " in path.name}
    assert {"drums mix jam.wav", "drums mix jam bus_drums.wav"} <= mixes
    assert "drums mix Friday jam.wav" in mixes
    rushes("render", "songs/other.json", "--out", "mixes", "--name", "Take 1.5/b.WAV")
    assert beside(rushes, "mixes/Take 1.5 b.mix") == {"Take 1.5 b mix.wav"}
    assert "called 'Take 1.5 b'" in rushes.err
    rushes("render", "songs/other.json", "--name", "/", code=2)
    rushes("render", "songs/other.json", "--out", "song.wav", code=2)
    assert "--name" in rushes.err


@pytest.mark.heavy
def test_what_was_set_for_a_step_that_did_not_run_is_told(rushes: Command) -> None:
    tape = ("--param", "transform.fx.preset_id=tape")
    told = rushes("process", "drums.wav", *NORMALISE, *tape)
    assert "not made  transform.fx" in told and "--steps does not name it" in told
    rushes("process", "drums.wav", "--steps", "transform.fx", code=1)
    assert "preset_id: is needed; known: voice_clean_up" in rushes.err, "before anything is done"
    knob = ("--param", "transform.fx.drive_db=3")
    rushes("process", "drums.wav", "--steps", "transform.fx", *tape, *knob, code=1)
    assert """--param 'transform.fx.knobs={"drive_db": 1}'""" in rushes.err
    rushes("render", "drums.wav", code=1)
    assert "drums.wav is no text" in rushes.err
    rushes("verify", "drums", code=1)
    assert "`rushes artifacts drums.wav` lists what was made from it" in rushes.err


@pytest.mark.heavy
def test_what_a_recording_has_not_is_said_and_ends_with_1(rushes: Command) -> None:
    told = rushes("process", "drums.wav", "--steps", "render.video", code=1)
    assert "nothing made" in told and "no video" in told
    assert "transcribe.words" not in told, "nothing is made for what will not be"
    assert "no video" in rushes("reprocess", "drums", "--step", "render.video", code=1)
    rushes("process", "drums.wav", "--steps", "transform.normalise,render.video")


def test_a_wish_that_the_params_clamp_is_told_too(tmp_path: Path) -> None:
    home = open_home(Settings(data=tmp_path), engine_of)
    row, wishes = BY_NAME["detect.hits"], {"min_quality_score": 7, "max_hits": 5}
    told = ["min_quality_score 7 is out of range: 1 was taken"]
    assert out_of_range_wishes(home, row, wishes) == told
    assert out_of_range_wishes(home, row, {"min_quality_score": 1.0}) == []
