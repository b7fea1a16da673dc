from __future__ import annotations

from pathlib import Path

import pytest

from functions.transcribe import words as words_step
from functions.transcribe.captions import ENGINE, CaptionsParams
from functions.transcribe.transcript import edit_cue
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import MediaInfo
from shared.contracts.step import StepState
from shared.contracts.step_engine import Job, Result
from shared.errors import NotFound, ValidationError
from shared.settings import settings
from tests.functions.transcribe.conftest import twenty_words
from tests.functions.transcribe.harness import MODEL, Ran, recognised, run
from tests.functions.transcribe.sounds import (
    FIVE,
    FOUR,
    MUSIC,
    OTHER,
    TWO,
    band,
    noise,
    silence,
    spoken,
    write,
)

pytestmark = pytest.mark.usefixtures("words_model")


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("captioned")
    parts = (silence(1), spoken(FIVE), silence(2), spoken(FOUR), silence(1))
    with twenty_words(folder):
        return run(ENGINE, write(folder / "in.wav", *parts), folder / "out")


@pytest.mark.heavy
def test_words_cues_and_subtitles(captioned: Ran) -> None:
    body = captioned.body
    assert [word["text"] for word in body["words"]] == f"{FIVE} {FOUR}".split()
    assert [cue["text"] for cue in body["cues"]] == [FIVE, FOUR]
    assert (body["language"], body["model_used"], body["version"]) == ("en", "tiny", 1)
    srt = captioned.named("srt").path.read_text().splitlines()
    assert srt[0] == "1" and srt[2] == FIVE
    assert captioned.named("vtt").path.read_text().startswith("WEBVTT\n")
    assert captioned.named("srt").meta == {
        "language": "en",
        "format": "srt",
        "transcript": "transcript",
    }


@pytest.mark.heavy
def test_words_have_times_inside_the_recording(captioned: Ran) -> None:
    words = captioned.body["words"]
    assert all(word["timing"] in ("aligned", "interpolated") for word in words)
    edges = [(word["start_ms"], word["end_ms"]) for word in words]
    assert edges == sorted(edges) and all(start < end for start, end in edges)
    assert edges[0][0] >= 850 and edges[-1][1] <= captioned.body["duration_ms"]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["pink noise", "footsteps"])
def test_nothing_is_made_up_in_noise(name: str, tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", OTHER[name](12)), tmp_path / "out")
    assert (ran.body["words"], ran.body["cues"]) == ([], [])
    told = (ran.result.state, ran.result.reason)
    assert told == (StepState.DONE, "no words: its captions are empty")


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["drums, 120 bpm", "band"])
def test_nothing_is_made_up_in_music(name: str, tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", MUSIC[name](12)), tmp_path / "out")
    assert ran.body["words"] == []


@pytest.mark.heavy
def test_the_bare_model_would_have_made_something_up() -> None:
    """Or the tests above could not fail."""
    from functions.transcribe.whisper import find_model, load_model

    segments, _ = load_model(find_model("tiny"), "cpu").transcribe(noise(12), temperature=0.0)
    assert "".join(segment.text for segment in segments).split()


@pytest.mark.heavy
def test_speech_between_music_and_noise_is_all_there_is(tmp_path: Path) -> None:
    parts = (band(6), silence(0.7), spoken(TWO), silence(0.7), noise(6))
    ran = run(ENGINE, write(tmp_path / "in.wav", *parts), tmp_path / "out")
    assert [cue["text"] for cue in ran.body["cues"]] == [TWO]


@pytest.mark.heavy
def test_the_same_words_twice_are_both_kept(tmp_path: Path) -> None:
    parts = (spoken(TWO), silence(0.8), spoken(TWO), silence(0.8), spoken(TWO))
    ran = run(ENGINE, write(tmp_path / "in.wav", *parts), tmp_path / "out")
    assert [word["text"] for word in ran.body["words"]] == TWO.split() * 3


@pytest.mark.heavy
def test_missing_weights_leave_the_speech_without_words(no_weights: None, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", silence(1), spoken(FIVE), silence(1))
    ran = run(ENGINE, source, tmp_path / "out")
    assert ran.result.state is StepState.DEGRADED
    assert "whisper-tiny" in (ran.result.reason or "")
    assert ran.body["words"] == [] and len(ran.body["speech"]) == 1
    (words,) = recognised(source, tmp_path / "words", CaptionsParams())[words_step.STEP]
    assert "1 stretch of speech without words" in words.path.read_text("utf-8")
    assert [output.kind for output in ran.result.outputs] == ["asr_transcript"]


def test_the_old_name_of_the_backend_is_known(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("VIDEO_CAPTIONS_BACKEND", "whisper_openai")
    assert ENGINE.backend().name == "whisper"


def test_settings_reach_the_version_and_the_params(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("VIDEO_CAPTIONS_LANGUAGE", "de")
    configured.setenv("VIDEO_CAPTIONS_MODEL", "base")
    configured.setenv("VIDEO_CAPTIONS_DEVICE", "cuda")
    (settings().models / "base").symlink_to(MODEL)
    settings.cache_clear()
    assert CaptionsParams().language == "de"
    assert ENGINE.backend().version == "captions_whisper_v7+cuda+base"
    configured.setenv("RUSHES_WHISPER_COMPUTE", "int8")
    settings.cache_clear()
    assert ENGINE.backend().version == "captions_whisper_v7+cuda+int8+base"


@pytest.mark.heavy
def test_what_computes_is_part_of_the_version(
    configured: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """int8 is the plain version; float32 hears the same words, for these are clear."""
    source = write(tmp_path / "in.wav", spoken(FIVE), silence(1))
    eight = run(ENGINE, source, tmp_path / "int8")
    configured.setenv("RUSHES_WHISPER_COMPUTE", "float32")
    settings.cache_clear()
    full = run(ENGINE, source, tmp_path / "float32")
    assert ENGINE.backend().version == "captions_whisper_v7+float32"
    for ran in (eight, full):
        assert [word["text"] for word in ran.body["words"]] == FIVE.split()
    assert eight.body != full.body, "their probabilities are not the same numbers"


@pytest.mark.heavy
def test_a_language_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"language: 'de' is none of the model's: en"):
        run(ENGINE, write(tmp_path / "in.wav", spoken(TWO)), tmp_path / "out", language="de")


def test_a_language_must_look_like_one() -> None:
    with pytest.raises(ValueError, match="language"):
        CaptionsParams(language="../en")


# -- the next version ----------------------------------------------------------------------------


def edited(transcript: Path, workdir: Path, *edits: tuple[int, str]) -> Result:
    workdir.mkdir()
    media = MediaInfo(container="wav", duration_ms=1)
    job = Job(transcript, media, workdir, lambda _: None, artifact_id="art_1")
    params = CaptionsParams.model_validate(
        {"edits": [{"cue": cue, "text": text} for cue, text in edits]}
    )
    return ENGINE.run(job, params, ENGINE.backend())


@pytest.mark.real_case("transcribe.captions")
def test_an_edit_makes_the_next_version_without_listening(
    captioned: Ran, tmp_path: Path, configured: pytest.MonkeyPatch
) -> None:
    configured.setattr("functions.transcribe.captions.words_given", None)
    before = captioned.body
    new = "three music HELLO again seven drums"
    made = Ran(edited(captioned.named("transcript").path, tmp_path / "edit", (1, new)), [])
    after = made.body
    assert (after["version"], after["cues"][0]["text"]) == (2, new)
    assert [word["text"] for word in after["words"]] == f"{new} {FOUR}".split()
    assert after["words"][0] == before["words"][0]
    assert after["words"][-4:] == before["words"][-4:]
    assert {word["timing"] for word in after["words"][2:4]} == {"interpolated"}
    assert after["cues"][1]["first_word"] == 6
    assert after["edits"] == [{"cue": 1, "was": FIVE}]
    assert new in made.named("srt").path.read_text()


@pytest.mark.heavy
def test_an_edit_is_checked(captioned: Ran) -> None:
    transcript = Transcript.read(captioned.named("transcript").path)
    for text in ("", " \n ", "word " * 40, "a\x07b"):
        with pytest.raises(ValidationError, match="text"):
            edit_cue(transcript, 1, text)
    with pytest.raises(NotFound, match="cue"):
        edit_cue(transcript, 3, "hello")


def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"words": "none"}')
    with pytest.raises(ValidationError, match="no transcript"):
        edited(tmp_path / "in.json", tmp_path / "edit", (1, "hello"))


@pytest.mark.heavy
def test_edits_of_a_recording_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", spoken(TWO))
    with pytest.raises(ValidationError, match="edits"):
        run(ENGINE, source, tmp_path / "out", edits=[{"cue": 1, "text": "no"}])


def test_a_text_that_fits_no_cue_is_refused_before_it_is_laid_out() -> None:
    """Flags and letters of it were paired from each to the end: 48,000 took a minute."""
    with pytest.raises(ValueError, match="at most 1000 characters"):
        CaptionsParams.model_validate({"edits": [{"cue": 1, "text": "x" * 1_001}]})
