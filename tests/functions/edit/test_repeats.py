"""What is said twice, in words alone."""

from __future__ import annotations

import pytest

from functions.edit.repeats import said_twice
from functions.edit.spoken_phrases import said_at
from shared.contracts.spoken_word import SpokenWord


def words(text: str, pause_ms: int = 40) -> list[SpokenWord]:
    """Each 200 ms; ``|`` is a long pause."""
    made, at = [], 0
    for part in text.split():
        if part == "|":
            at += 500
            continue
        times = {"start_ms": at, "end_ms": at + 200}
        made.append(SpokenWord(**times, text=part, probability=1, timing="aligned"))
        at += 200 + pause_ms
    return made


def gone(text: str, language: str = "en") -> list[str]:
    said = words(text)
    return [
        " ".join(word.text for word in said[one.first : one.last])
        for one in said_twice(said, language)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I I think", ["I"]),
        ("I, I, I think", ["I,", "I,"]),
        ("we can we can go", ["we can"]),
        ("and then we and then we left", ["and then we"]),
        ("the rec- the recording", ["the rec-"]),
        ("a reco- recording", ["reco-"]),
        ("I was going | I was told", ["I was going"]),
        ("house | house", ["house"]),
        ("Sie wohnen hier", []),
    ],
)
def test_the_first_time_goes(text: str, expected: list[str]) -> None:
    assert gone(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "very very good",
        "No, no, no.",
        "I said no. No means no.",
        "he had had enough",
        "I know that that is so",
        "one one two",
        "room 4 4 5",
        "the house the garden",
        "we will fight, we will win",
        "I was there and I was glad",
        "house house",
    ],
)
def test_what_is_meant_stays(text: str) -> None:
    assert gone(text) == []


def test_two_speakers_repeat_nobody() -> None:
    one, other = words("I I")
    said = [
        one.model_copy(update={"speaker_id": "a"}),
        other.model_copy(update={"speaker_id": "b"}),
    ]
    assert list(said_twice(said, "en")) == []


def test_a_filler_between_both_times_is_passed_over() -> None:
    (found,) = said_twice(words("the um the house"), "en", frozenset({1}))
    assert (found.first, found.last) == (0, 1)


def test_phrases_are_found_by_their_letters() -> None:
    said = words("You, know what you know Anna's dog knows")
    assert list(said_at(said, ["you know"])) == [(0, 2), (3, 5)]
    assert list(said_at(said, ["anna"])) == []
    assert list(said_at(said, ["anna"], owned=True)) == [(5, 6)]


def test_a_phrase_is_found_across_joined_words() -> None:
    said = [
        word.model_copy(update={"joined": at > 0}) for at, word in enumerate(words("え ー と 今日"))
    ]
    assert list(said_at(said, ["えーと"])) == [(0, 3)]
