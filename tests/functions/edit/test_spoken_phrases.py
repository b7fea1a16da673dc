"""Phrases among words: what is said, what is touched, and how letters tell."""

from __future__ import annotations

import pytest

from functions.edit.spoken_phrases import letters_of, said_at, touched_at
from shared.contracts.spoken_word import SpokenWord
from tests.functions.edit.test_repeats import words


def joined(text: str) -> list[SpokenWord]:
    """As a recogniser parts a language without spaces: its words are joined."""
    return [word.model_copy(update={"joined": True}) for word in words(text)]


def test_phrases_are_found_by_their_letters() -> None:
    said = words("You, know what you know Anna's dog knows")
    assert list(said_at(said, ["you know"])) == [(0, 2), (3, 5)]
    assert list(said_at(said, ["anna"])) == []


def test_a_phrase_is_found_across_joined_words() -> None:
    said = [
        word.model_copy(update={"joined": at > 0}) for at, word in enumerate(words("え ー と 今日"))
    ]
    assert list(said_at(said, ["えーと"])) == [(0, 3)]


@pytest.mark.parametrize(
    ("said", "private", "expected"),
    [
        ("田中さん は 東京 に", "田中", [(0, 1)]),
        ("それは田 中 です", "田中", [(0, 2)]),
        ("我 是王小 明", "王小明", [(1, 3)]),
        ("我 是王小 明", "王 小明", [(1, 3)]),
        ("คุณสม ชาย มา", "สมชาย", [(0, 2)]),
        ("我的Anna很 好", "Anna", [(0, 1)]),
        ("田 さん 、 中", "田中", []),
        ("林林林 です", "林林", [(0, 1)]),
    ],
)
def test_a_name_that_begins_or_ends_within_joined_words_touches_them(
    said: str, private: str, expected: list[tuple[int, int]]
) -> None:
    assert touched_at(joined(said), [private]) == expected


def test_within_words_that_spaces_part_a_name_is_found_at_signs_alone() -> None:
    said = words("Anna-Lena d\u2019Antoine don't annasazi twenty -five therapist the rapist")
    said[5] = said[5].model_copy(update={"joined": True})
    private = ["Lena", "Antoine", "Don", "Anna", "twenty-five"]
    assert touched_at(said, private) == [(0, 1), (1, 2), (4, 6)]
    assert touched_at(said, ["the rapist"]) == [(7, 9)]
    assert touched_at(said, ["therapist"]) == [(6, 7)]


@pytest.mark.parametrize(
    ("said", "private", "expected"),
    [
        ("so Anna-Lena came", "Anna Lena", [(1, 2)]),
        ("so Anna Lena came", "Anna-Lena", [(1, 3)]),
        ("call 555 - 1234 now", "555-1234", [(1, 4)]),
        ("call 555-1234 now", "555 1234", [(1, 2)]),
        ("Ms O Brien's", "O\u2019Brien", [(1, 3)]),
        ("to New-York's mayor", "New York", [(1, 2)]),
        ("and Smith-Jones's dog", "Jones", [(1, 2)]),
        ("then Anna'll and Anna\u2019d sing", "Anna", [(1, 2), (3, 4)]),
        ("an Annall and I don't", "Anna", []),
        ("no NewYork and no new yorker", "New York", []),
        ("the rapist", "therapist", []),
    ],
)
def test_a_name_is_found_with_a_hyphen_or_a_space_and_before_an_ending(
    said: str, private: str, expected: list[tuple[int, int]]
) -> None:
    assert touched_at(words(said), [private]) == expected


def test_of_phrases_that_overlap_all_words_are_touched() -> None:
    said = words("so Anna Maria Schmidt Anna")
    assert touched_at(said, ["Anna Maria", "Maria Schmidt", "Anna"]) == [(1, 4), (4, 5)]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("की", "का", False),  # "of", of a woman's and a man's
        ("दिन", "दीन", False),  # day, poor
        ("ปี", "ปู", False),  # year, crab
        ("ไม้", "ไม่", False),  # wood, not
        ("বাবা", "বাবু", False),
        ("ペン", "ベン", False),
        ("ज़रूर", "जरूर", True),  # the dot is written or not
        ("דָּוִד", "דוד", True),
        ("كَتَبَ", "كتب", True),
        ("cafe\u0301", "Caf\u00e9!", True),
        ("\u0130stanbul", "istanbul", True),
        ("葛\U000e0100城", "葛城", True),
    ],
)
def test_vowel_signs_make_words_and_points_and_punctuation_don_t(
    one: str, other: str, alike: bool
) -> None:
    assert (letters_of(one) == letters_of(other)) is alike


def test_a_letter_is_not_parted_from_its_vowel_sign() -> None:
    said = joined("ที่นาย มี")
    assert touched_at(said, ["ท"]) == [] and touched_at(said, ["นาย"]) == [(0, 1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("José", "Jose"), ("Алёна", "Алена"), ("ΆΝΝΑ", "Άννα"), ("IŞIK", "ışık"), ("Huế", "Hue")],
)
def test_accents_hide_no_private_word(one: str, other: str) -> None:
    for said, private in ((one, other), (other, one), (one, one.casefold())):
        assert touched_at(words(f"so {said}'s friend"), [private]) == [(1, 2)]
    assert touched_at(words("ペン"), ["ベン"]) == [] and touched_at(words("कि"), ["कु"]) == []
    assert (
        touched_at(words("한국"), ["한국"]) == [(0, 1)] and touched_at(words("한국"), ["하"]) == []
    )
