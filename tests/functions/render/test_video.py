"""Cuts, shapes and captions in rendered files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.detect import visual_meta
from functions.detect.centerface import FaceDetector
from functions.render.video import ENGINE, VideoRenderParams
from functions.render.video.video_plan import make_plan
from shared.contracts.step_engine import InputFile, Job
from shared.errors import BackendFailed, MissingDependency, ValidationError
from shared.media.decode import audio_blocks
from shared.media.frames import Wanted
from tests.functions import video
from tests.shared.media.recordings import probed
from tests.shared.media.test_frames import packet_times_ms, read

Inputs = Mapping[str, list[InputFile]]
WORDS = [
    {"start_ms": 500, "end_ms": 1500, "text": "First we look\nthis way."},
    {"start_ms": 2000, "end_ms": 3000, "text": "Then {\\b1}that\\N way."},
]


def transcript(folder: Path, **meta: Any) -> InputFile:
    path = folder / "transcript.json"
    cues = [
        {**cue, "index": index, "first_word": 0, "word_count": 0}
        for index, cue in enumerate(WORDS, 1)
    ]
    head = {"duration_ms": 4000, "language": "en", "model_used": "tiny", "words": []}
    path.write_text(json.dumps({**head, "cues": cues}))
    known = {"backend_type": "whisper", "backend_version": "captions-1", "cue_count": 2, **meta}
    return InputFile("art-captions", "asr_transcript", path, {**known, "cache_key": "key"})


@pytest.fixture(scope="module")
def inputs(
    hidden_face: video.Ran, seen_face: video.Ran, tmp_path_factory: pytest.TempPathFactory
) -> Inputs:
    """What the earlier steps make of the face clip."""
    return {
        "anonymise.faces": [hidden_face.as_input("video_anonymised")],
        "detect.visual_meta": [seen_face.as_input("visual_meta")],
        "transcribe.captions": [transcript(tmp_path_factory.mktemp("inputs"))],
    }


@pytest.fixture(scope="module")
def originals() -> list[NDArray[np.int64]]:
    """The face clip's frames, every eighth pixel each way."""
    return [frame[::8, ::8].astype(int) for frame in shown(video.FACE_CLIP)]


def render(
    folder: Path, inputs: Inputs, source: Path = video.FACE_CLIP, **params: Any
) -> video.Ran:
    return video.run(ENGINE, source, folder, inputs=inputs, **params)


def shown(path: Path) -> list[NDArray[np.uint8]]:
    stream = probed(path).video[0]
    found, _ = read(path, Wanted(stream.width, stream.height))
    return [frame.data.reshape(stream.height, stream.width, 3) for frame in found]


@pytest.mark.heavy
def test_a_dry_run_gives_the_whole_plan_and_renders_nothing(inputs: Inputs, tmp_path: Path) -> None:
    ran = render(tmp_path, inputs, dry_run=True, aspect="9:16", captions="burn")
    (output,) = ran.result.outputs
    plan = json.loads(output.path.read_text())
    assert output.meta["plan"] == plan
    assert [row["step"] for row in plan["selected"]] == sorted(inputs)
    assert plan["selected"][0]["backend_version"].startswith("faces-")
    assert plan["selected"][0]["cache_key"] == "key-of-video_anonymised"
    assert plan["selected"][0]["summary_artifact_id"] == "art-video_region_summary"
    assert plan["selected"][0]["summary_backend_version"].startswith("regions-")
    assert {notice["level"] for notice in plan["dependency_notices"]} == {"info"}
    assert (plan["width"], plan["height"]) == (1080, 1920)
    assert plan["estimate"]["frames"] == 150
    assert plan["estimate"]["work_s"] > 0


def test_a_dry_run_says_what_is_missing_and_a_real_one_refuses(tmp_path: Path) -> None:
    asked = {"aspect": "1:1", "captions": "track"}
    ran = render(tmp_path / "dry", {}, dry_run=True, **asked)
    notices = ran.body("video_render")["dependency_notices"]
    assert [notice["level"] for notice in notices] == ["error"] * 3
    assert "captions=none renders it without" in str(notices)
    with pytest.raises(MissingDependency, match="no video_anonymised"):
        render(tmp_path / "real", {}, **asked)


@pytest.mark.parametrize(("doubts", "told"), [(1, "in 1 place"), (2, "in 2 places")])
def test_covers_in_doubt_are_told_in_words(tmp_path: Path, doubts: int, told: str) -> None:
    known = {"backend_type": "ffmpeg", "backend_version": "faces-1", "cache_key": "key"}
    covered = InputFile("a", "video_anonymised", video.FACE_CLIP, {**known, "doubt_count": doubts})
    ran = render(tmp_path / "out", {"anonymise.faces": [covered]}, dry_run=True)
    assert f"in doubt {told}" in str(ran.body("video_render")["dependency_notices"])


@pytest.mark.heavy
def test_no_faces_is_no_reason_to_refuse_but_a_failure_is(tmp_path: Path) -> None:
    short = video.shortened(tmp_path / "short.mp4", 0.4, video.BROLL_CLIP)
    said = {"anonymise.faces": {"reason": "no faces"}}
    ran = video.run(ENGINE, short, tmp_path / "a", failed=said)
    assert ran.of("video_render")[0].meta["plan"]["picture"] == "original"
    for told, match in (
        ({"code": "backend_failed", "message": "ffmpeg failed"}, "ffmpeg failed"),
        ({"reason": "no faces found, but the recording is damaged"}, "damaged"),
        ({"reason": "coverage is in doubt, so no video is delivered: ..."}, "in doubt"),
    ):
        with pytest.raises(MissingDependency, match=match):
            video.run(ENGINE, short, tmp_path / "b", failed={"anonymise.faces": told})


@pytest.mark.heavy
def test_stubs_are_not_rendered_from(inputs: Inputs, tmp_path: Path) -> None:
    stub = {**inputs, "transcribe.captions": [transcript(tmp_path, backend_type="stub")]}
    with pytest.raises(MissingDependency, match="stub"):
        render(tmp_path / "out", stub, captions="burn")


@pytest.mark.heavy
def test_the_whole_keeps_every_frame_and_hides_the_face(
    inputs: Inputs, hidden_face: video.Ran, tmp_path: Path
) -> None:
    (output,) = render(tmp_path, inputs).of("video_render")
    assert output.meta["plan"]["picture"] == "anonymised"
    assert packet_times_ms(output.path) == packet_times_ms(video.FACE_CLIP)
    hidden = shown(hidden_face.of("video_anonymised")[0].path)
    for one, other in zip(shown(output.path)[::25], hidden[::25], strict=True):
        assert np.abs(one.astype(int) - other).mean() < 3


CUTS = [[(4000, 4510), (0, 480), (300, 1200)], [(133, 777.5), (777.5, 1301)]]


@pytest.mark.heavy
@pytest.mark.parametrize("cuts", CUTS)
def test_cuts_show_and_sound_what_was_cut_out(
    cuts: list[tuple[float, float]], originals: list[NDArray[np.int64]], tmp_path: Path
) -> None:
    """Each frame is the one that was on display, and the sound's length is right to the sample."""
    rows = [{"start_ms": start, "end_ms": end} for start, end in cuts]
    (output,) = render(tmp_path, {}, faces="original", cuts=rows).of("video_render")
    times_ms, frames = packet_times_ms(output.path), shown(output.path)
    length_ms = sum(end - start for start, end in cuts)
    assert output.meta["duration_ms"] == round(length_ms)
    assert all(later - earlier < 41 for earlier, later in pairwise([*times_ms, length_ms]))
    for time_ms, frame in zip(times_ms, frames, strict=True):
        source_ms = in_source(time_ms, cuts)
        expected = originals[int((source_ms + 0.5) // 40)]
        assert np.abs(frame[::8, ::8] - expected).mean() < 4
    assert sound_length_ms(output.path) == pytest.approx(length_ms, abs=22)


def in_source(time_ms: float, cuts: list[tuple[float, float]]) -> float:
    for start, end in cuts:
        if time_ms < end - start - 0.01:
            return start + time_ms
        time_ms -= end - start
    raise AssertionError("after the end")


def sound_length_ms(path: Path) -> float:
    with audio_blocks(path, probed(path)) as blocks:
        return 1000 * sum(len(block) for block in blocks) / blocks.sample_rate_hz


@pytest.mark.heavy
def test_picture_and_sound_stay_together(tmp_path: Path) -> None:
    """A flash and a beep at 1.0 s and 2.6 s are still together after cutting and reordering."""
    path = tmp_path / "a.mp4"
    dark = "color=black:s=64x48:r=25:d=4,geq=lum='if(eq(N,25)+eq(N,65),235,16)':cb=128:cr=128"
    beeps = "aevalsrc='sin(2*PI*1000*t)*(between(t,1,1.04)+between(t,2.6,2.64))':s=48000:d=4"
    codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "256k"]
    words = ["-f", "lavfi", "-i", dark, "-f", "lavfi", "-i", beeps, *codecs, path]
    subprocess.run(["ffmpeg", "-v", "error", *map(str, words)], check=True)
    cuts = [{"start_ms": 2313, "end_ms": 3000}, {"start_ms": 707, "end_ms": 1507}]
    ran = render(tmp_path / "out", {}, path, faces="original", cuts=cuts)
    result = ran.of("video_render")[0].path
    bright = [frame.mean() > 100 for frame in shown(result)]
    flashes_ms = [at for at, lit in zip(packet_times_ms(result), bright, strict=True) if lit]
    with audio_blocks(result, probed(result), channels=1) as blocks:
        loud = np.abs(np.concatenate(list(blocks))[:, 0]) > 0.3
    onsets_ms = 1000 * np.flatnonzero(loud[1:] & ~loud[:-1]) / 48_000
    first_ms = [onsets_ms[onsets_ms > after][0] for after in (0, 687)]
    assert flashes_ms == pytest.approx([287, 687 + 293], abs=1)
    assert first_ms == pytest.approx(flashes_ms, abs=10)


@pytest.mark.heavy
def test_the_whole_is_as_long_as_its_longest_stream(tmp_path: Path) -> None:
    """The first and the last picture stand where there is sound alone."""
    path = tmp_path / "a.mp4"
    words = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=1",
        "-f",
        "lavfi",
        "-i",
        "sine=d=3:r=48000",
    ]
    words += [
        "-vf",
        "setpts=PTS+0.8/TB",
        "-fps_mode",
        "passthrough",
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
    ]
    subprocess.run(["ffmpeg", "-v", "error", *words, path], check=True)
    (output,) = render(tmp_path / "out", {}, path, faces="original").of("video_render")
    times_ms = packet_times_ms(output.path)
    assert times_ms == pytest.approx([0, *(840 + 40 * n for n in range(24))], abs=0.1)
    assert output.meta["duration_ms"] == pytest.approx(3000, abs=30)
    assert output.meta["drift_ms"] < 1


SIDEWAYS = {"9:16": (134, 240), "16:9": (320, 180)}


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inputs]:
    """A face that crosses the picture, and its visual meta."""
    folder = tmp_path_factory.mktemp("walker")

    def face(t: float) -> video.Pose:
        return video.Pose(90 + 150 * t, 130, 60)

    clip = video.moving(folder / "a.mp4", face, 2.0, "-vf", "scale=320:240,setsar=1")
    seen = video.run(visual_meta.ENGINE, clip.path, folder / "v").as_input("visual_meta")
    return clip.path, {"detect.visual_meta": [seen]}


@pytest.mark.heavy
@pytest.mark.parametrize("aspect", ["9:16", "16:9"])
def test_the_subject_stays_in_the_new_shape(
    aspect: str, walker: tuple[Path, Inputs], tmp_path: Path
) -> None:
    source, inputs = walker
    ran = render(tmp_path, inputs, source, faces="original", aspect=aspect, size="source")
    (output,) = ran.of("video_render")
    width, height = SIDEWAYS[aspect]
    assert (output.meta["width"], output.meta["height"]) == (width, height)
    detector = FaceDetector.load(320, turned=False)
    for frame in shown(output.path)[::4]:
        x, _, wide, _, confidence = detector.find(frame)[0]
        assert confidence > 0.5
        assert x > 1
        assert x + wide < width - 1


@pytest.mark.heavy
def test_captions_are_burnt_in_where_they_belong(inputs: Inputs, tmp_path: Path) -> None:
    cuts = [{"start_ms": 1000, "end_ms": 3500}]
    plain, burnt = (
        shown(render(tmp_path / mode, inputs, captions=mode, cuts=cuts).of("video_render")[0].path)
        for mode in ("none", "burn")
    )
    changed = [
        bool((np.abs(a.astype(int) - b) > 90).sum() > 40) for a, b in zip(plain, burnt, strict=True)
    ]
    heard = [time < 500 or 1080 <= time < 2000 for time in range(0, 2500, 40)]
    assert all(seen for seen, spoken in zip(changed, heard, strict=False) if spoken)
    assert not any(changed[2400 // 40 :])
    text = np.abs(plain[2].astype(int) - burnt[2]).max(axis=2) > 90
    rows, columns = np.nonzero(text)
    assert rows.max() < 240 * 0.95  # the safe area
    assert columns.min() > 320 * 0.08
    assert columns.max() < 320 * 0.92


@pytest.mark.heavy
def test_captions_are_a_track(inputs: Inputs, tmp_path: Path) -> None:
    cuts = [{"start_ms": 1000, "end_ms": 3500}]
    (output,) = render(tmp_path, inputs, captions="track", cuts=cuts).of("video_render")
    words = ["ffmpeg", "-v", "error", "-i", output.path, "-map", "0:s", "-f", "srt", "-"]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "00:00:00,000 --> 00:00:00,500\nFirst we look\nthis way." in text
    assert "00:00:01,000 --> 00:00:02,000\nThen ｛⧵b1｝that⧵N way." in text


@pytest.mark.heavy
def test_the_same_plan_gives_the_same_bytes_on_any_number_of_cores(
    inputs: Inputs, tmp_path: Path
) -> None:
    import os

    asked: dict[str, Any] = {
        "captions": "burn",
        "aspect": "1:1",
        "cuts": [{"start_ms": 400, "end_ms": 1300}],
    }
    cores = os.sched_getaffinity(0)
    one = render(tmp_path / "a", inputs, **asked).of("video_render")[0].path.read_bytes()
    os.sched_setaffinity(0, {min(cores)})
    try:
        other = render(tmp_path / "b", inputs, **asked).of("video_render")[0].path.read_bytes()
    finally:
        os.sched_setaffinity(0, cores)
    assert one == other


@pytest.mark.heavy
def test_a_height_is_kept_to(inputs: Inputs, tmp_path: Path) -> None:
    cuts = [{"start_ms": 0, "end_ms": 500}]
    (output,) = render(tmp_path, inputs, height=120, cuts=cuts).of("video_render")
    stream = probed(output.path).video[0]
    assert (stream.width, stream.height) == (160, 120)


AS_PLANNED = {"frames": 10, "start_ms": 0.0, "end_ms": 400.0, "width": 320, "height": 240}
AS_HEARD = {"frames": 20, "start_ms": 0.0, "end_ms": 405.0}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("check", "picture", "sound"),
    [
        ("size", {"height": 238}, {}),
        ("frame_count", {"frames": 9}, {}),
        ("duration", {"end_ms": 441}, {}),
        ("sound", {}, None),
        ("drift", {}, {"end_ms": 450.0}),
        ("drift", {}, {"start_ms": 45.0}),
    ],
)
def test_a_file_that_is_not_as_planned_fails_with_a_code(
    check: str,
    picture: dict[str, float],
    sound: dict[str, float] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from functions.render.video import check as checks

    heard = {} if sound is None else {**AS_HEARD, **sound}
    monkeypatch.setattr(checks, "_streams", lambda path: ({**AS_PLANNED, **picture}, heard))
    job = Job(video.FACE_CLIP, probed(video.FACE_CLIP), tmp_path, lambda fraction: None)
    cuts = [{"start_ms": 0, "end_ms": 400}]
    plan = make_plan(job, VideoRenderParams.model_validate({"faces": "original", "cuts": cuts}))
    with pytest.raises(BackendFailed, match=f"{check} is not what was planned") as failed:
        checks.check_rendering(tmp_path, plan, 10, sound=True)
    assert failed.value.to_json()["details"]["check"] == check


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"cuts": [{"start_ms": 5, "end_ms": 5}]}, "cuts.0"),
        ({"cuts": [{"start_ms": -5, "end_ms": 5}]}, "cuts.0"),
        ({"cuts": [{"start_ms": 0, "end_ms": 1}] * 501}, "cuts"),
        ({"caption_style": "comic"}, "caption_style.*known: clean"),
        ({"height": 121}, "height"),
        ({"aspect": "4:3"}, "aspect"),
    ],
)
def test_wrong_params_are_named(params: dict[str, Any], field: str) -> None:
    with pytest.raises((ValidationError, ValueError), match=field):
        VideoRenderParams.model_validate(params)


@pytest.mark.heavy
def test_cuts_after_the_end_are_refused(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="after the recording, at 6"):
        render(tmp_path, inputs, cuts=[{"start_ms": 0, "end_ms": 9000}])


def test_a_picture_cannot_be_rendered(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), video.portrait())
    with pytest.raises(ValidationError, match="still picture"):
        render(tmp_path / "out", {}, tmp_path / "a.png", faces="original")
