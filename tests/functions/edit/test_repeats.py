"""What is said twice, in words alone."""

from __future__ import annotations

import pytest

from functions.edit.repeats import said_twice
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
