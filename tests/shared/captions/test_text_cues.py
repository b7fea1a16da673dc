"""SubRip and WebVTT as people's programs write them: no cue is lost, no text is another thing's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.captions.caption_reading import read_captions
from shared.captions.text_cues import srt_cues, vtt_cues
from shared.errors import UnsupportedMedia

_FIRST = "1\n00:00:01,000 --> 00:00:02,000\nfirst\n\n"


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        ("1\n00:29:27,46 --> 00:29:29,5\na\n", [(1_767_460, 1_769_500, "a")]),
        ("1\n00:00:20 --> 00:00:24\na\n", [(20_000, 24_000, "a")]),
        ("1\n00:00:01, 000 --> 00:00:02, 000\na\n", [(1000, 2000, "a")]),
        ("1\n100:00:01,000 --> 100:00:02,000\na\n", [(360_001_000, 360_002_000, "a")]),
        (_FIRST.replace("\n", "\r"), [(1000, 2000, "first")]),
        (_FIRST + "00:00:03,000 --> 00:00:04,000 X1:0 X2:9\nb", [(3000, 4000, "b")]),
        (_FIRST.replace("first", "1984") + "2\n", [(1000, 2000, "1984")]),
        (_FIRST.replace("first", "1984"), [(1000, 2000, "1984")]),
        (
            "1\n0:00:01,000 --> 0:00:02,000\n{\\an8}<i>go</i> --> AT&amp;T\n",
            [(1000, 2000, "go --> AT&T")],
        ),
    ],
)
def test_each_way_in_which_subrip_is_written(text: str, cues: list[tuple[int, int, str]]) -> None:
    found = [(start, end, said.rstrip()) for start, end, said in srt_cues(text)]
    assert found[-1:] == cues


@pytest.mark.parametrize(
    "line", ["00:00:13,980 --> 00:00:19wer,580", "-00:00:01,000 --> 00:00:02,000"]
)
def test_a_cue_whose_times_cannot_be_read_is_not_left_out(line: str) -> None:
    with pytest.raises(ValueError, match="are no times of a cue"):
        list(srt_cues(f"{_FIRST}2\n{line}\nsecond\n"))
    with pytest.raises(ValueError, match="are no times of a cue"):
        list(vtt_cues("WEBVTT\n\n00:01.000 -> x --> 00:02.000\nsecond\n"))


def test_names_notes_and_styles_of_webvtt_are_no_text() -> None:
    text = """WEBVTT - a film
Kind: captions

NOTE
This was --> done by Kyle

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:left
<v Ann>Hi <00:01.500><c.loud>there</c> &lt;x&gt; {\\no}</v>

NOTE it may not last

chapter 2
01:00:03.000 --> 01:00:04.000align:start
The year was
1984

00:05.000 --> 00:06.000
b
00:07.000 --> 00:08.000
c
"""
    assert list(vtt_cues(text)) == [
        (1000, 2500, "Hi there <x> {\\no}"),
        (3_603_000, 3_604_000, "The year was\n1984"),
        (5000, 6000, "b"),
        (7000, 8000, "c"),
    ]


def test_drawings_and_comments_of_ass_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.ass").write_text(
        "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,Hi, {check this}you\n"
        "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 0 9 9{\\p0}\n"
    )
    assert [cue.text for cue in read_captions(tmp_path / "x.ass")] == ["Hi, you"]
    (tmp_path / "x.srt").write_bytes("1\n00:00:01,000 --> 00:00:02,000\nCafé".encode("cp1252"))
    with pytest.raises(UnsupportedMedia, match="save it as UTF-8"):
        read_captions(tmp_path / "x.srt")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\n"),
        (
            "a.ass",
            "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
            "Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,",
        ),
    ],
)
def test_braces_that_nobody_closes_take_no_minutes(name: str, begins: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(begins + "{\\an8}Hello" + "{\\" * 200_000)
    (cue,) = read_captions(path)
    assert cue.text.startswith("Hello")
