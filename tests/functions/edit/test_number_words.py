"""Which words are numbers: what was said digit by digit must not be heard."""

from __future__ import annotations

import pytest

from functions.edit.number_words import numbers_at
from shared.contracts.spoken_word import SpokenWord


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("en", "Call five, five oh one or 555-1234 this one time", "five, five oh one 555-1234"),
        ("en", "a hundred and twenty-one people and one dog, oh no", "hundred and twenty-one"),
        ("en", "Oh, one often attends often", "Oh, one"),
        (
            "de",
            "Das sind einundzwanzig Euro, ein Haus und siebenhundertsechzehn",
            "einundzwanzig siebenhundertsechzehn",
        ),
        (
            "de",
            "null eins sieben, Dreißig und ein Hund einverstanden",
            "null eins sieben, Dreißig und ein",
        ),
        (
            "fr",
            "zéro six quatre-vingt-dix-neuf, un homme neuf",
            "zéro six quatre-vingt-dix-neuf, un",
        ),
        ("es", "veintiuno, dieciséis y un once", "veintiuno, dieciséis y un once"),
        ("it", "tu sei ventuno e trentasei", "sei ventuno e trentasei"),
        ("pt", "oitenta e três de um dia", "oitenta e três"),
        ("nl", "tweeëntwintig en een huis", "tweeëntwintig en een"),
        ("ja", "三百 です 一緒", "三百"),
        ("sv", "sju 7", "7"),
    ],
)
def test_numbers_are_found_however_they_are_written(language: str, text: str, numbers: str) -> None:
    words = [
        SpokenWord(start_ms=at, end_ms=at + 1, text=one, probability=1, timing="aligned")
        for at, one in enumerate(text.split())
    ]
    assert [words[at].text for at in numbers_at(words, language)] == numbers.split()
