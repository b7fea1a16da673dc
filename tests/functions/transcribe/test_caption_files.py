"""Which files a transcript is written to, and what its cues are laid out for."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.transcribe.caption_files import ShownParams, layout_for, with_files
from functions.transcribe.captions import ENGINE, CaptionsParams
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import MediaInfo, VideoStream
from shared.contracts.step import StepState
from shared.contracts.step_engine import InputFile, Job
from shared.contracts.visual import VisualMeta
from tests.functions.transcribe.test_transcript_edits import transcript
from tests.shared.captions.test_cues import said
from tests.shared.contracts.recorded import FOLDER


def job(folder: Path, source: Path | None = None, **inputs: list[InputFile]) -> Job:
    folder.mkdir(exist_ok=True)
    picture = VideoStream(index=0, codec="h264", width=2, height=2, frame_rate=25.0)
    media = MediaInfo(container="mov", duration_ms=9000, video=(picture,))
    return Job(source or folder, media, folder, lambda _: None, inputs=inputs, artifact_id="art_1")


def test_each_format_that_is_asked_for_is_there(tmp_path: Path) -> None:
    params = ShownParams(formats=("ttml", "stl"), names=True)
    spoken = params.written_as(transcript(said("hello there my friends", speaker="channel_1")))
    result = with_files(job(tmp_path), spoken)
    assert [output.path.name for output in result.outputs] == [
        *("transcript.json", "captions.ttml", "captions.stl")
    ]
    assert b"Channel 1: hello" in result.outputs[1].path.read_bytes()
    assert (result.state, result.reason) == (StepState.DONE, None)


def test_a_format_that_cannot_hold_the_text_is_told(tmp_path: Path) -> None:
    spoken = ShownParams(formats=("srt", "scc", "stl")).written_as(transcript(said("привет мир")))
    result = with_files(job(tmp_path), spoken, "heard with base")
    assert [output.name for output in result.outputs] == ["transcript", "srt", "stl"]
    assert result.state is StepState.DEGRADED
    assert (result.reason or "").startswith("heard with base; formats: scc has no 'п'")


@pytest.mark.parametrize(
    ("asked", "written"),
    [({}, ["ttml"]), ({"formats": ["vtt"]}, ["vtt"])],
)
def test_an_edit_is_written_as_before_unless_formats_are_named(
    tmp_path: Path, asked: dict[str, list[str]], written: list[str]
) -> None:
    path = tmp_path / "transcript.json"
    ShownParams(formats=("ttml",)).written_as(transcript(said("hello there"))).write(path)
    params = CaptionsParams.model_validate({"edits": [{"cue": 1, "text": "hello you"}], **asked})
    result = ENGINE.run(job(tmp_path / "out", path), params, ENGINE.backend())
    assert [output.name for output in result.outputs] == ["transcript", *written]
    assert list(Transcript.read(result.outputs[0].path).formats) == written


def test_the_layout_knows_the_pictures_rate_and_shots(tmp_path: Path) -> None:
    meta = VisualMeta.read(FOLDER / "visual_meta.json")
    shot = meta.shots[0]
    shots = (
        shot,
        shot.model_copy(update={"start_ms": 2000.0, "begins_with": "cut"}),
        shot.model_copy(update={"start_ms": 5000.0, "begins_with": "dissolve"}),
    )
    path = tmp_path / "shots.json"
    meta.model_copy(update={"shots": shots}).write(path)
    seen = InputFile("art_2", "visual_meta", path, {})
    with_shots = job(tmp_path, **{"detect.visual_meta": [seen]})
    layout = layout_for(with_shots, ShownParams(profile="netflix"), "ja")
    assert layout.frame_rate == 25.0 and layout.profile.reading.line_columns == 26
    assert layout.shots_ms == [2000.0], "nothing goes to the middle of a dissolve"
    assert layout_for(job(tmp_path), ShownParams(), "en").shots_ms == []
