"""Cues parted and joined by a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.transcribe.captions import ENGINE, CaptionsParams
from functions.transcribe.cue_shape import join_cues, split_cue
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import MediaInfo, VideoStream
from shared.contracts.step_engine import Job
from shared.errors import NotFound, ValidationError
from tests.functions.transcribe.test_transcript_edits import NOBODY, SPEECH, transcript
from tests.shared.captions.test_cues import said

TALK = f"{SPEECH} Nobody knows what they will say. {SPEECH}"


def whole(one: Transcript) -> None:
    """Every word in one cue, in order; no cue over the next; texts are of their words."""
    at = 0
    for number, cue in enumerate(one.cues, 1):
        assert (cue.index, cue.first_word) == (number, at)
        at += cue.word_count
        own = one.words[cue.first_word : at]
        assert cue.text.split() == [word.text for word in own]
        assert cue.start_ms < cue.end_ms
    assert at == len(one.words)
    assert all(a.end_ms <= b.start_ms for a, b in zip(one.cues, one.cues[1:], strict=False))


def test_a_cue_is_parted_at_a_word_and_nothing_else_moves() -> None:
    before = transcript(said(TALK))
    after = split_cue(before, 2, 3)
    whole(after)
    assert after.version == before.version + 1 and after.words == before.words
    assert len(after.cues) == len(before.cues) + 1
    cue = before.cues[1]
    first, second = after.cues[1:3]
    assert (first.start_ms, first.word_count) == (cue.start_ms, 3)
    assert (second.start_ms, second.end_ms) == (
        before.words[cue.first_word + 3].start_ms,
        cue.end_ms,
    )
    assert [one.text for one in after.cues[3:]] == [one.text for one in before.cues[2:]]
    assert after.edits[-1].was == cue.text


def test_parted_cues_stand_two_frames_of_the_film_apart(tmp_path: Path) -> None:
    """Two of 24 a second, as the recording's probing says, are 84 ms; without a picture 67 ms."""
    source = tmp_path / "transcript.json"
    transcript(said(TALK)).write(source)
    picture = VideoStream(index=0, codec="h264", width=64, height=64, frame_rate=24.0)
    params = CaptionsParams.model_validate({"edits": [{"cue": 2, "split_after": 3}]})
    for video, gap_ms in (((picture,), 84), ((), 67)):
        workdir = tmp_path / str(gap_ms)
        workdir.mkdir()
        media = MediaInfo(container="x", duration_ms=60_000, video=video)
        job = Job(source, media, workdir, lambda fraction: None)
        result = ENGINE.run(job, params, NOBODY)
        first, second = Transcript.read(result.outputs[0].path).cues[1:3]
        assert second.start_ms - first.end_ms == gap_ms


@given(st.data())
def test_what_is_parted_and_joined_again_is_as_it_was(data: st.DataObject) -> None:
    before = transcript(said(TALK))
    index = data.draw(st.integers(1, len(before.cues)))
    words = data.draw(st.integers(1, before.cues[index - 1].word_count - 1))
    parted = split_cue(before, index, words)
    whole(parted)
    assert join_cues(parted, index).cues == before.cues


def test_what_cannot_be_is_refused() -> None:
    one = transcript(said(TALK))
    last = len(one.cues)
    for words in (0, one.cues[0].word_count):
        with pytest.raises(ValidationError, match="on either side"):
            split_cue(one, 1, words)
    for index in (last, last + 1):
        with pytest.raises(NotFound):
            join_cues(one, index)
    with pytest.raises(ValidationError, match="lines of 42"):
        join_cues(one, 1)
    two = [*said("Yes.", speaker="speaker_1"), *said("No.", speaker="speaker_2")]
    with pytest.raises(ValidationError, match="somebody else's"):
        join_cues(transcript(two), 1)


def test_edits_are_made_in_their_order_by_a_request(tmp_path: Path) -> None:
    source = tmp_path / "transcript.json"
    transcript(said(TALK)).write(source)
    job = Job(source, MediaInfo(container="wav", duration_ms=9000), tmp_path, lambda _: None)
    edits = [
        {"cue": 1, "split_after": 2},
        {"cue": 2, "text": "might decide"},
        {"cue": 1, "join": True},
    ]
    made = ENGINE.run(job, CaptionsParams.model_validate({"edits": edits}), NOBODY)
    after = Transcript.read(made.outputs[0].path)
    assert after.version == 4 and after.cues[0].text == "The committee might decide"
    srt = next(one for one in made.outputs if one.name == "srt").path.read_text()
    assert "The committee might decide" in srt


@pytest.mark.parametrize("edit", [{}, {"text": "a", "join": True}, {"split_after": 0}])
def test_an_edit_is_one_thing(edit: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="edits"):
        CaptionsParams.model_validate({"edits": [{"cue": 1, **edit}]})
