from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.captions.cues import Cue, Layout
from shared.captions.cues import make_cues as laid_out
from shared.captions.profiles import PROFILES
from shared.captions.text_width import columns
from shared.contracts.spoken_word import SpokenWord

LINE_CHARS, LINES, LONGEST_MS, SHORTEST_MS = 42, 2, 7000, 1000
ENGLISH = Layout(PROFILES["default"], "en")


def make_cues(words: list[SpokenWord], duration_ms: int, layout: Layout = ENGLISH) -> list[Cue]:
    return laid_out(words, duration_ms, layout)


SPEECH = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for"
    " your country. This is a rather long sentence which goes on and on because the speaker never"
    " stops to breathe or to think about anybody who has to read it. Yes. No! Well, perhaps."
)


def word(
    start_ms: int, end_ms: int, text: str, *, joined: bool = False, speaker: str | None = None
) -> SpokenWord:
    return SpokenWord(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        probability=0.9,
        timing="aligned",
        joined=joined,
        speaker_id=speaker,
    )


def said(text: str, *, ms_a_letter: int = 60, speaker: str | None = None) -> list[SpokenWord]:
    """As a calm speaker says it: a breath after each clause."""
    words, at = [], 300
    for each in text.split():
        end = at + 60 + ms_a_letter * len(each)
        words.append(word(at, end, each, speaker=speaker))
        at = end + (350 if each[-1] in ".,!?" else 30)
    return words


def shown(cues: list[Cue]) -> list[str]:
    return [" ".join(cue.lines) for cue in cues]


def test_reading_practice() -> None:
    words = said(SPEECH)
    cues = make_cues(words, words[-1].end_ms + 500)
    assert " ".join(shown(cues)) == SPEECH
    for cue in cues:
        assert len(cue.lines) <= LINES and max(map(len, cue.lines)) <= LINE_CHARS
        assert SHORTEST_MS <= cue.end_ms - cue.start_ms <= LONGEST_MS
        assert 1000 * sum(map(len, cue.lines)) / (cue.end_ms - cue.start_ms) <= 20


def test_cues_end_where_sentences_and_clauses_do() -> None:
    words = said(SPEECH)
    ends = [text[-1] for text in shown(make_cues(words, words[-1].end_ms))]
    assert sum(end in ".,!" for end in ends) >= len(ends) - 1


def test_a_long_pause_parts_cues() -> None:
    early, late = said("hello world"), said("music media")
    words = [*early, *(word(w.start_ms + 9000, w.end_ms + 9000, w.text) for w in late)]
    cues = make_cues(words, 12_000)
    assert shown(cues) == ["hello world", "music media"]
    assert cues[0].end_ms < 9000


def test_what_is_said_in_a_hurry_is_shown_while_the_speaker_slows_down() -> None:
    """Parted after the hurried words, which is shorter in letters, they would be gone too soon."""
    words, at = [], 300
    for index, text in enumerate(["anything", "quick", "over", "the", "dogs"]):
        words.append(word(at, at + 25 * len(text), text))
        at = words[-1].end_ms + (20 if index < 4 else 150)
    for text in ["home", "seventeen", "again", "home", "the", "seventeen", "anything"]:
        words.append(word(at, at + 90 * len(text), text))
        at = words[-1].end_ms + 150
    for cue in make_cues(words, at + 500):
        assert 1000 * sum(map(len, cue.lines)) / (cue.end_ms - cue.start_ms) <= 20


def test_speakers_never_share_a_cue() -> None:
    one = said("hello world", speaker="channel_1")
    other = [
        word(w.start_ms + 1500, w.end_ms + 1500, w.text, speaker="channel_2")
        for w in said("music media")
    ]
    assert [cue.speaker_id for cue in make_cues([*one, *other], 5000)] == ["channel_1", "channel_2"]


def test_a_short_word_is_shown_for_a_second() -> None:
    cue = make_cues([word(4900, 5000, "Stop!")], 5000)[0]
    assert (cue.start_ms, cue.end_ms) == (4000, 5000)


def test_words_without_spaces_are_joined() -> None:
    words = [word(200 * n, 200 * n + 200, "字", joined=n > 0) for n in range(50)]
    chinese = Layout(PROFILES["default"].to_read("zh"), "zh")
    lines = [line for cue in make_cues(words, 11_000, chinese) for line in cue.lines]
    assert "".join(lines) == "字" * 50 and max(map(columns, lines)) <= 32


def test_nothing_said_nothing_shown() -> None:
    assert make_cues([], 1000) == []


spoken_words = st.lists(
    st.tuples(
        st.text("abcdefgh.,!", min_size=1, max_size=60),
        st.integers(150, 9000),
        st.one_of(st.just(20), st.integers(0, 4000)),
    ),
    min_size=1,
    max_size=60,
)


@given(spoken_words, st.integers(0, 2000))
def test_always_readable(drawn: list[tuple[str, int, int]], rest_ms: int) -> None:
    words, at = [], 0
    for text, length_ms, pause_ms in drawn:
        words.append(word(at + pause_ms, at + pause_ms + length_ms, text))
        at = words[-1].end_ms
    duration_ms = max(at + rest_ms, 1100 * len(words))
    cues = make_cues(words, duration_ms)
    assert [cue.first_word for cue in cues] == [
        sum(cue.word_count for cue in cues[:index]) for index in range(len(cues))
    ]
    assert sum(cue.word_count for cue in cues) == len(words)
    for cue, later in zip(cues, [*cues[1:], None], strict=True):
        assert cue.end_ms <= (later.start_ms if later else duration_ms)
        assert SHORTEST_MS <= cue.end_ms - cue.start_ms <= LONGEST_MS
        assert len(cue.lines) <= LINES and max(map(len, cue.lines)) <= LINE_CHARS


# -- where lines and cues end ----------------------------------------------------------------------

TOGETHER = [
    (
        "en",
        "I have spoken at length about the committee and the house of lords may yet decide",
        "may",
    ),
    ("en", "She walked slowly up the hill and looked for the key under the mat of the door", "the"),
    ("en", "We counted all of the money twice and found that 25 kilometres of wire had gone", "25"),
    ("en", "Nobody at the table had heard that it was Mr. Robinson who had sent the letter", "Mr."),
    (
        "de",
        "Wir haben lange darüber gesprochen und dann ist der alte Mann nach Hause gegangen",
        "der",
    ),
    ("fr", "Longtemps je me suis couché de bonne heure et parfois la bougie était éteinte", "la"),
    ("es", "En un lugar de la Mancha de cuyo nombre no quiero acordarme vivía un hidalgo", "no"),
]


@pytest.mark.parametrize(("language", "text", "clinging"), TOGETHER)
def test_what_people_leave_together_stays_so(language: str, text: str, clinging: str) -> None:
    for name in PROFILES:
        words = said(text)
        layout = Layout(PROFILES[name].to_read(language), language)
        cues = make_cues(words, words[-1].end_ms + 900, layout)
        ends = [line.split()[-1] for cue in cues for line in cue.lines]
        assert clinging not in ends, [cue.lines for cue in cues]
        assert all(len(line.split()) > 1 for cue in cues for line in cue.lines)


def test_a_name_is_not_parted() -> None:
    words = said("After all of these years we heard that Virginia Woolf had said it first")
    lines = [line for cue in make_cues(words, 20_000) for line in cue.lines]
    assert any("Virginia Woolf" in line for line in lines)


def test_japanese_lines_hold_sixteen_and_begin_with_no_particle() -> None:
    text = list("吾輩は猫である名前はまだ無いどこで生れたか")
    words = [word(150 * n, 150 * n + 140, each, joined=n > 0) for n, each in enumerate(text * 3)]
    layout = Layout(PROFILES["default"].to_read("ja"), "ja")
    lines = [line for cue in make_cues(words, 20_000, layout) for line in cue.lines]
    assert "".join(lines) == "".join(text * 3)
    assert max(map(columns, lines)) <= 32
    assert not any(line[0] in "はでがを、。" for line in lines)


def test_two_frames_between_cues_and_short_gaps_are_closed() -> None:
    one, other = said("Hello there my friends."), said("And welcome back to us.")
    shift = one[-1].end_ms + 100
    later = [word(w.start_ms + shift, w.end_ms + shift, w.text) for w in other]
    first, second = make_cues([*one, *later], 20_000, replace(ENGLISH, frame_rate=25.0))
    assert second.start_ms - first.end_ms == 80


def test_times_go_to_shot_changes() -> None:
    words = said("Hello there my friends.")
    shown_ms = words[0].start_ms, words[-1].end_ms
    layout = replace(ENGLISH, shots_ms=[100.0, shown_ms[1] + 200.0], frame_rate=25.0)
    (cue,) = make_cues(words, 20_000, layout)
    assert (cue.start_ms, cue.end_ms) == (100, shown_ms[1] + 120)
    (far,) = make_cues(words, 20_000, replace(layout, shots_ms=[shown_ms[0] + 700.0]))
    assert far.start_ms == shown_ms[0]


def test_room_is_left_for_a_name() -> None:
    words = said("Hello there my friends and welcome to this", speaker="channel_1")
    (cue,) = make_cues(words, 20_000, replace(ENGLISH, names=True))
    assert len(cue.lines) == 2 and columns(cue.lines[0]) <= 42 - len("Channel 1: ")
    (plain,) = make_cues(words, 20_000)
    assert len(plain.lines) == 1


def test_signs_that_scripts_need_stay() -> None:
    texts = ["می\u200cخواهم", "\u200fשלום", "10\u00a0km", "東京\u3000駅"]
    words = [word(900 * n, 900 * n + 800, text) for n, text in enumerate(texts)]
    assert " ".join(shown(make_cues(words, 9000))) == " ".join(texts)
