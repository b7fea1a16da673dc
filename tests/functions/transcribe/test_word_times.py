from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.transcribe.word_times import Raw, whole, with_times

raw_words = st.lists(
    st.builds(Raw, text=st.text("abc", min_size=1, max_size=9), probability=st.just(0.5)),
    max_size=20,
)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([" for", " $1", ",250,", " at", " 3", ".5", "%"], [" for", " $1,250,", " at", " 3.5%"]),
        ([" www", ".example", ".com", "-prices."], [" www.example.com-prices."]),
        ([" Amer", "icans"], [" Americans"]),
        (["吾輩", "は", "iPhone", "15", "を"], ["吾輩", "は", "iPhone15", "を"]),
        ([" 사랑", "해요", "สวัส", "ดี"], [" 사랑해요", "สวัส", "ดี"]),
    ],
)
def test_a_word_is_what_is_written_as_one(pieces: list[str], words: list[str]) -> None:
    timed = [Raw(text, 0.9 - 0.1 * n, float(n), n + 1.0) for n, text in enumerate(pieces)]
    made = whole(timed)
    assert [one.text for one in made] == words
    assert (made[0].start_s, made[-1].end_s) == (0.0, float(len(pieces)))
    assert made[-1].probability == timed[-1].probability


def test_lost_words_share_the_gap_by_their_lengths() -> None:
    words = [Raw("one", 0.9, 1.0, 1.5), Raw("abcd", 0.9), Raw("ab", 0.9), Raw("two", 0.9, 2.1, 2.5)]
    timed = with_times(words, 1.0, 2.5)
    edges = [edge for word in timed[1:3] for edge in (word.start_s, word.end_s)]
    assert edges == pytest.approx([1.5, 1.9, 1.9, 2.1])
    assert [word.interpolated for word in timed] == [False, True, True, False]


def test_a_word_without_a_gap_takes_half_of_its_neighbour() -> None:
    timed = with_times(
        [Raw("one", 0.9, 1.0, 2.0), Raw("x", 0.9), Raw("two", 0.9, 2.0, 3.0)], 1.0, 3.0
    )
    assert [(word.start_s, word.end_s) for word in timed] == [(1.0, 1.5), (1.5, 2.0), (2.0, 3.0)]


def test_a_segment_without_any_times_is_shared_out() -> None:
    timed = with_times([Raw("aa", 0.5), Raw("bb", 0.5)], 3.0, 5.0)
    assert [(word.start_s, word.end_s) for word in timed] == [(3.0, 4.0), (4.0, 5.0)]


@given(raw_words, st.data())
def test_no_word_is_ever_without_a_time(words: list[Raw], data: st.DataObject) -> None:
    at, given_words = 0.0, []
    for word in words:
        kept = data.draw(st.booleans())
        start, end = at, at + data.draw(st.floats(0, 2))
        given_words.append(Raw(word.text, 0.5, start, end) if kept else word)
        at = end if kept else at
    timed = with_times(given_words, 0.0, at + 1)
    assert [word.text for word in timed] == [word.text for word in words]
    last = 0.0
    for word in timed:
        assert word.start_s is not None and word.end_s is not None
        assert last - 1e-6 <= word.start_s < word.end_s
        last = word.start_s
