"""What an edit of a cue keeps: profile, speaker, times, words without spaces, the writer's line breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.transcribe.captions import ENGINE, CaptionsParams
from functions.transcribe.transcript import edit_cue, make_transcript
from shared.captions.cues import Layout
from shared.captions.profiles import PROFILES
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import MediaInfo
from shared.contracts.audio_words import AudioWords
from shared.contracts.spoken_word import SpokenWord
from shared.contracts.step_engine import Backend, Job
from shared.errors import ValidationError
from tests.shared.captions.test_cues import said, word

SPEECH = "The committee may decide in the coming weeks whether it will support the proposal."
NOBODY = Backend("whisper", "test")


def transcript(
    words: list[SpokenWord], language: str = "en", profile: str = "default"
) -> Transcript:
    heard = AudioWords(
        duration_ms=words[-1].end_ms + 2000,
        language=language,
        words=tuple(words),
        speech=(),
        transcribed=True,
        model_used="base",
    )
    return make_transcript(heard, Layout(PROFILES[profile].to_read(language), language))


def test_profile_speaker_and_times_stay() -> None:
    before = transcript(said(SPEECH, speaker="channel_2"), profile="bbc")
    after = edit_cue(before, 1, before.cues[0].text.replace("committee", "Committee of Ways"))
    assert after.profile == "bbc"
    for cue, was in zip(after.cues, before.cues, strict=True):
        assert (cue.start_ms, cue.end_ms, cue.speaker_id) == (was.start_ms, was.end_ms, "channel_2")
    assert max(len(line) for line in after.cues[0].text.split("\n")) <= 37
    assert {one.speaker_id for one in after.words} == {"channel_2"}
    assert after.words[0] == before.words[0]
    assert after.words[4:] == before.words[2:]


def test_speakers_are_called_as_somebody_said_in_every_file_and_later_version(
    tmp_path: Path,
) -> None:
    before = transcript(said(SPEECH, speaker="speaker_1"))
    source = tmp_path / "transcript.json"
    before.write(source)
    asked = CaptionsParams(speaker_names={"speaker_1": "Ann & Co"}, names=True)
    job = Job(source, MediaInfo(container="wav", duration_ms=9000), tmp_path, lambda _: None)
    made = {output.name: output for output in ENGINE.run(job, asked, NOBODY).outputs}
    after = Transcript.read(made["transcript"].path)
    assert (after.version, after.speaker_names) == (2, {"speaker_1": "Ann & Co"})
    assert made["srt"].path.read_text().split("\n")[2].startswith("Ann & Co: The committee")
    assert "<v Ann &amp; Co>Ann" in made["vtt"].path.read_text()
    assert edit_cue(after, 1, "Quite.").speaker_names == after.speaker_names


@pytest.mark.parametrize("name", ["", "a\nb", "<b>", "x" * 41, "Ann: "])
def test_a_name_is_one_short_line(name: str) -> None:
    with pytest.raises(ValueError, match="speaker_names"):
        CaptionsParams(speaker_names={"speaker_1": name})


def test_what_does_not_fit_the_profile_is_refused() -> None:
    long = "x" * 36 + " " + "y" * 36 + " z z z"
    assert edit_cue(transcript(said(SPEECH)), 1, long).cues[0].text.count("\n") == 1
    with pytest.raises(ValidationError, match="2 lines of 37"):
        edit_cue(transcript(said(SPEECH), profile="ebu"), 1, long)


def test_the_writers_line_break_stays_where_it_fits() -> None:
    before = transcript(said(SPEECH))
    assert edit_cue(before, 1, "Well,\nthe committee may decide").cues[0].text == (
        "Well,\nthe committee may decide"
    )
    anew = edit_cue(before, 1, "Well, this first line is longer than forty-two columns\nare")
    assert all(len(line) <= 42 for line in anew.cues[0].text.split("\n"))


def test_japanese_words_that_stay_are_found_without_spaces() -> None:
    texts = ["吾輩", "は", "猫", "で", "ある。"]
    words = [word(400 * n, 400 * n + 380, text, joined=n > 0) for n, text in enumerate(texts)]
    for text in ("吾輩は犬である。", "吾輩は\n犬である。", "吾輩は 犬である。"):
        after = edit_cue(transcript(words, "ja"), 1, text)
        assert after.cues[0].text.replace("\n", "") == "吾輩は犬である。"
    assert [one.text for one in after.words] == ["吾輩", "は", "犬", "で", "ある。"]
    assert [one.timing for one in after.words] == [
        *["aligned"] * 2,
        "interpolated",
        *["aligned"] * 2,
    ]
    assert [one.joined for one in after.words] == [False, True, True, True, True]
    assert after.words[3] == words[3]


def test_words_with_spaces_stay_whole_beside_pieces_without() -> None:
    """Once whole words came out letter by letter where one of a cue's had been "3", ".5", "%"."""
    words = [word(400 * n, 400 * n + 380, text) for n, text in enumerate(["It", "grew", "by", "3"])]
    words.append(word(1600, 1980, ".5%.", joined=True))
    after = edit_cue(transcript(words), 1, "It shrank by 4.5% overall.")
    assert [one.text for one in after.words] == ["It", "shrank", "by", "4.5%", "overall."]
    assert not any(one.joined for one in after.words)


def test_a_foreign_name_is_one_word_among_those_without_spaces() -> None:
    words = [word(400 * n, 400 * n + 380, one, joined=n > 0) for n, one in enumerate("私は猫")]
    after = edit_cue(transcript(words, "ja"), 1, "私はAndroid")
    assert [one.text for one in after.words] == ["私", "は", "Android"]


@pytest.mark.parametrize(
    "text", ["10\u00a0km", "می\u200cخواهم", "\u200fשלום!\u200f", "東京\u3000駅"]
)
def test_signs_that_scripts_need_are_no_control_characters(text: str) -> None:
    after = edit_cue(transcript(said("hello there my friend")), 1, text)
    assert after.cues[0].text == text
    assert [one.text for one in after.words] == [text]
