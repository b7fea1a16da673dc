"""Cuts on talks in which it is known, to the sample, what is a word and what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from functions.edit import cut
from functions.edit.cut_rules import CutParams
from shared.contracts.audio_words import AudioWords
from shared.contracts.edit_list import EditList, sample_at
from shared.contracts.step import StepState
from shared.contracts.step_engine import InputFile, Result
from shared.errors import ValidationError
from tests.functions.edit.composites import (
    Talk,
    cut_list,
    cuts,
    heard_as,
    listened,
    overlap_ms,
    saved,
    spelled,
    wrongly_cut,
)


@dataclass(frozen=True)
class Desk:
    """A talk, heard once, and cut as often as is wanted."""

    talk: Talk
    source: Path
    activity: InputFile
    heard: cut.Heard

    def cut(self, words: AudioWords | None = None, **params: Any) -> EditList:
        heard = replace(self.heard, spoken=words or self.talk.words)
        return cut.edits_of(heard, CutParams(**params))

    def made(self, folder: Path, words: AudioWords, **params: Any) -> tuple[EditList, Result]:
        """By the whole step."""
        return cut_list(self.source, self.activity, words, folder / "cut", **params)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("talk")
    talk = spelled(seed=39, count=2)
    source = saved(talk, folder, 22_050)
    activity = listened(source, folder / "activity")
    return Desk(talk, source, activity, heard_as(source, folder / "sound", activity, talk.words))


@pytest.mark.heavy
def test_nothing_is_cut_unasked(desk: Desk) -> None:
    edits = desk.cut()
    assert edits.edits == () and edits.new_duration_ms == edits.duration_ms
    assert edits.duration_ms == pytest.approx(1000 * soundfile.info(desk.source).duration, abs=1e-5)


def test_silences_are_cut_but_for_their_padding(desk: Desk) -> None:
    edits = desk.cut(silence_ms=600, silence_pad_ms=150)
    silences = desk.talk.of("silence")
    found = cuts(edits, "silence")
    assert len(found) == len(silences)
    for edit, silence in zip(found, silences, strict=True):
        lead = 150 if silence.start_ms > 0 else 0
        tail = 150 if silence is not silences[-1] else 0
        assert edit.start_ms - lead == pytest.approx(silence.start_ms, abs=20)
        assert edit.end_ms + tail == pytest.approx(silence.end_ms, abs=20)


@pytest.mark.heavy
def test_a_noisy_room_is_silent_too_or_it_is_said_that_it_is_not(tmp_path: Path) -> None:
    found = {}
    for noise_db in (-40, -34):  # 17 and 11 LU below the speech
        talk, folder = spelled(seed=39, count=2, noise_db=noise_db), tmp_path / f"{noise_db}"
        source = saved(talk, folder, 22_050)
        activity = listened(source, folder / "activity")
        heard = heard_as(source, folder / "sound", activity, talk.words)
        edits = cut.edits_of(heard, CutParams(silence_ms=600))
        found[noise_db] = (len(cuts(edits, "silence")), len(edits.notices))
        assert not list(wrongly_cut(edits, talk))
    assert found == {-40: (3, 0), -34: (0, 1)}


@pytest.mark.parametrize("action", ["shorten", "speed_up", "mute"])
def test_silences_are_edited_as_is_asked(desk: Desk, action: str) -> None:
    edits = desk.cut(silence_ms=600, silence_action=action, silence_to_ms=250, silence_speed=5)
    count = len(desk.talk.of("silence"))
    assert [edit.action for edit in edits.edits] == [action] * count
    length_ms = sum(edit.end_ms - edit.start_ms for edit in edits.edits)
    less_ms = {"shorten": length_ms - 250 * count, "speed_up": 0.8 * length_ms, "mute": 0}[action]
    assert edits.duration_ms - edits.new_duration_ms == pytest.approx(less_ms, abs=0.1)


def test_fillers_go_and_no_word_with_them(desk: Desk) -> None:
    edits = desk.cut(fillers=True)
    strays = desk.talk.of("filler", "hum")
    found = cuts(edits, "filler")
    assert strays and all(any(overlap_ms(edit, one) > 100 for edit in found) for one in strays)
    assert all(any(overlap_ms(edit, one) > 100 for one in strays) for edit in found)
    assert list(wrongly_cut(edits, desk.talk)) == []


def test_what_is_begun_twice_is_said_once(desk: Desk) -> None:
    edits = desk.cut(repeats=True)
    twice = desk.talk.of("repeat")
    assert twice
    for piece in twice:
        gone = max(overlap_ms(edit, piece) for edit in edits.standing)
        assert gone > 0.8 * (piece.end_ms - piece.start_ms)
    assert list(wrongly_cut(edits, desk.talk)) == []


def test_breaths_are_cut_and_hums_are_none(desk: Desk) -> None:
    edits = desk.cut(breaths=True)
    air = desk.talk.of("breath")
    found = cuts(edits, "breath")
    assert air and len(found) == len(air)
    assert all(overlap_ms(edit, one) > 0.8 * 200 for edit, one in zip(found, air, strict=True))


def test_cuts_lie_at_zero_crossings_and_on_samples(desk: Desk) -> None:
    edits = desk.cut(silence_ms=600, fillers=True, repeats=True, breaths=True)
    sound, rate = soundfile.read(desk.source)
    for edit in edits.standing:
        for time_ms in (edit.start_ms, edit.end_ms):
            at = sample_at(time_ms, rate)
            assert at * 1000 / rate == pytest.approx(time_ms, abs=1e-6)
            if 0 < at < len(sound):
                assert sound[at - 1] * sound[at] <= 0 or abs(sound[at]) < 1 / 32_767
            # And in the quietest 20 ms that are near.
            around = np.abs(sound[max(at - rate // 100, 0) : at + rate // 100])
            assert around.mean() < 0.02


def test_chosen_words_go_wherever_they_are_said(desk: Desk) -> None:
    first = desk.talk.words.words[0].text
    edits = desk.cut(drop_words=[first.upper()], drop_word_indexes=[3])
    words = desk.talk.words.words
    gone = {at for at, word in enumerate(words) if word.text.lower() == first.lower()} | {3}
    # Neighbours go in one cut.
    assert len(edits.edits) == sum(at - 1 not in gone for at in gone)
    assert {edit.reason for edit in edits.edits} == {"word"}
    assert edits.edits[0].confidence == 1 and edits.edits[0].text == first


def test_only_chosen_phrases_and_stretches_stay(desk: Desk) -> None:
    second = next(word for word in desk.talk.words.words if word.text == "opened")
    edits = desk.cut(keep_phrases=["opened"])
    assert len(edits.keeps) == 1
    assert edits.keeps[0].start_ms <= second.start_ms and second.end_ms <= edits.keeps[0].end_ms
    ranged = desk.cut(keep_ranges=[[1000, 2000], [3000, 4000]])
    assert [round(keep.start_ms, -1) for keep in ranged.keeps] == [1000, 3000]
    assert ranged.new_duration_ms == pytest.approx(2000, abs=20)
    assert {edit.reason for edit in ranged.edits} == {"chapter"}
    # An end far behind the recording's is its end.
    assert desk.cut(keep_ranges=[[0, 1e12]]).edits == ()


def test_only_a_chosen_speaker_stays(desk: Desk) -> None:
    told = desk.talk.words
    half = len(told.words) // 2
    words = told.model_copy(
        update={
            "words": tuple(
                word.model_copy(update={"speaker_id": "speaker_1" if at < half else "speaker_2"})
                for at, word in enumerate(told.words)
            ),
            "speakers": ("speaker_1", "speaker_2"),
        }
    )
    edits = desk.cut(words, keep_speakers=["speaker_2"], speakers="auto")
    (keep,) = edits.keeps
    assert told.words[half - 1].end_ms <= keep.start_ms <= told.words[half].start_ms
    with pytest.raises(ValidationError, match="'speaker_9' is not heard"):
        desk.cut(words, keep_speakers=["speaker_9"], speakers="auto")


@pytest.mark.real_case("edit.cut")
def test_private_words_are_covered_whole_and_written_nowhere(desk: Desk, tmp_path: Path) -> None:
    word = desk.talk.words.words[4]
    edits, result = desk.made(tmp_path, desk.talk.words, privacy_words=[word.text], fillers=True)
    covers = [edit for edit in edits.edits if edit.reason == "privacy"]
    assert covers[0].action == "bleep"
    assert covers[0].start_ms <= word.start_ms and word.end_ms <= covers[0].end_ms
    assert edits.new_duration_ms < edits.duration_ms, "bleeps leave time alone, fillers don't"
    assert all(edit.text is None for edit in covers)
    assert result.outputs[0].meta["rules"]["privacy_words"] == 1


def test_what_was_asked_for_and_is_not_said_is_told(desk: Desk) -> None:
    word = desk.talk.words.words[4].text
    edits = desk.cut(drop_words=["zebra", word], privacy_words=["Anna", word])
    assert len(edits.notices) == 2
    assert "nobody says 'zebra'" in edits.notices[0]
    assert "1 of 2" in edits.notices[1] and "Anna" not in edits.notices[1]


def test_no_edit_tells_a_private_word(desk: Desk) -> None:
    word = desk.talk.words.words[4].text
    edits = desk.cut(drop_words=[word], privacy_words=[word])
    assert {edit.reason for edit in edits.edits} == {"word", "privacy"}
    assert all(edit.text is None for edit in edits.edits)


def test_a_name_within_a_longer_word_is_covered_kept_and_not_dropped(desk: Desk) -> None:
    told = desk.talk.words
    named = told.words[4].model_copy(update={"text": "田中さん", "joined": True})
    spoken = told.model_copy(update={"words": (*told.words[:4], named, *told.words[5:])})
    hidden = desk.cut(spoken, privacy_words=["田中"])
    (cover,) = hidden.edits
    assert cover.start_ms <= named.start_ms and named.end_ms <= cover.end_ms
    assert hidden.notices == ()
    kept = desk.cut(spoken, keep_phrases=["田中"])
    assert any(one.start_ms <= named.start_ms and named.end_ms <= one.end_ms for one in kept.keeps)
    dropped = desk.cut(spoken, drop_words=["田中"])
    assert dropped.edits == () and "in longer words alone" in dropped.notices[0]


@pytest.mark.parametrize("over_ms", [(-100, 100), (100, 100), (-100, -100), (20, -20)])
def test_a_private_word_that_another_speaks_over_is_bleeped_not_cut_in_part(
    desk: Desk, over_ms: tuple[int, int]
) -> None:
    told = desk.talk.words
    private = told.words[4].model_copy(update={"text": "Zebra"})
    other = {"start_ms": private.start_ms + over_ms[0], "end_ms": private.end_ms + over_ms[1]}
    over = told.words[5].model_copy(update=other)
    for pair in ((private, over), (over, private)):
        words = (*told.words[:4], *pair, *told.words[6:])
        spoken = told.model_copy(update={"words": words})
        (cover,) = desk.cut(spoken, privacy_words=["Zebra"], privacy_action="cut").edits
        assert cover.action == "bleep" and cover.text is None
        assert cover.start_ms <= private.start_ms and private.end_ms <= cover.end_ms
    alone = desk.cut(privacy_words=[told.words[4].text], privacy_action="cut").edits
    assert {edit.action for edit in alone} == {"cut"}


@pytest.mark.parametrize("action", ["bleep", "mute", "cut"])
@pytest.mark.parametrize("wrong", [{"end_ms": 74}, {"end_ms": 900, "timing": "interpolated"}])
def test_a_private_word_whose_time_is_likely_wrong_is_covered_with_those_beside_it(
    desk: Desk, wrong: dict[str, Any], action: str
) -> None:
    told = desk.talk.words
    before, word, after = told.words[3:6]
    changed = {"text": "Zebra", **wrong, "end_ms": word.start_ms + wrong["end_ms"]}
    following = after.model_copy(
        update={"start_ms": word.start_ms + 900, "end_ms": word.start_ms + 1300}
    )
    words = (before, word.model_copy(update=changed), following)
    spoken = told.model_copy(update={"words": words})
    made = desk.cut(spoken, privacy_words=["Zebra"], privacy_action=action)
    (cover,) = made.edits
    assert cover.action == ("bleep" if action == "cut" else action)
    assert cover.start_ms <= before.start_ms and following.end_ms <= cover.end_ms
    (notice,) = made.notices
    assert "likely wrong" in notice and "Zebra" not in notice
    assert f"listen around {word.start_ms / 1000:.1f} s" in notice


def test_a_private_word_with_the_time_to_say_it_is_covered_alone(desk: Desk) -> None:
    told = desk.talk.words
    word = told.words[4]
    long = word.model_copy(update={"text": "Zebra", "end_ms": word.start_ms + 75})
    spoken = told.model_copy(update={"words": (*told.words[:4], long, *told.words[5:])})
    made = desk.cut(spoken, privacy_words=["Zebra"])
    assert made.notices == ()
    assert made.edits[0].start_ms > told.words[3].start_ms + 60


def test_what_is_in_doubt_is_proposed_only(desk: Desk) -> None:
    edits = desk.cut(fillers=True, least_confidence=1)
    assert edits.edits and not edits.standing and len(edits.keeps) == 1


@pytest.mark.heavy
def test_rules_about_words_are_not_said_to_be_followed_without_words(
    desk: Desk, tmp_path: Path
) -> None:
    untold = desk.talk.words.model_copy(update={"words": (), "transcribed": False})
    edits, result = desk.made(tmp_path, untold, silence_ms=600, privacy_words=["Anna"])
    assert result.state is StepState.DEGRADED and "nothing was transcribed" in str(result.reason)
    assert cuts(edits, "silence")


def test_the_same_again_is_the_same(desk: Desk) -> None:
    rules: dict[str, Any] = {"silence_ms": 600, "fillers": True, "repeats": True, "breaths": True}
    assert desk.cut(**rules) == desk.cut(**rules)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"silence_ms": 10}, "silence_ms"),
        ({"drop_ranges": [[5, 5]]}, "drop_ranges"),
        ({"privacy_words": [" "]}, "privacy_words"),
        ({"privacy_words": ["Anna", "!!!"]}, "privacy_words"),
        ({"keep_speakers": ["speaker_1"]}, "keep_speakers"),
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        CutParams(**wrong)
