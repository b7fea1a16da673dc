"""Captions in every format, as the libraries that keep the formats and ffmpeg read them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from html import unescape
from io import BytesIO, StringIO
from pathlib import Path
from xml.etree import ElementTree

import pysubs2
import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from ttconv.imsc import reader as imsc_reader
from ttconv.isd import ISD
from ttconv.model import Br, ContentDocument, Text
from ttconv.scc import reader as scc_reader
from ttconv.srt import reader as srt_reader
from ttconv.stl import reader as stl_reader
from ttconv.vtt import reader as vtt_reader

from shared.captions.rewrapping import rewrapped
from shared.captions.subtitles import FORMATS, shown
from shared.contracts.asr_transcript import ShownCue, TranscriptCue
from shared.errors import ValidationError

ENGLISH = ["Three blind mice,\nsee how they run.", "They all ran - café & crème!"]
SCRIPTS = {
    "ru": "Не ветер бушует\nнад бором,",
    "el": "Τι είναι η πατρίδα\nμας;",
    "ar": "هذا، هو النص.",
    "he": "שלום, עולם!",
    "ja": "吾輩は猫である。\n名前はまだ無い。",
    "ko": "나 보기가 역겨워",
    "hi": "यह हिन्दी है।",
    "fa": "می\u200cخواهم",
    "emoji": "well done 👩‍👩‍👧 👍🏽",
}


def cues(*texts: str, speaker_id: str | None = None) -> list[ShownCue]:
    return [
        ShownCue(start_ms=4000 * n + 2000, end_ms=4000 * n + 5500, text=text, speaker_id=speaker_id)
        for n, text in enumerate(texts)
    ]


def written(name: str, *texts: str, speaker_id: str | None = None, language: str = "en") -> bytes:
    return FORMATS[name].write(cues(*texts, speaker_id=speaker_id), language)


def test_srt_as_players_read_it() -> None:
    assert written("srt", "three music\nhello", "stop").decode() == (
        "1\n00:00:02,000 --> 00:00:05,500\nthree music\nhello\n\n"
        "2\n00:00:06,000 --> 00:00:09,500\nstop\n\n"
    )


def test_webvtt_as_browsers_read_it() -> None:
    assert written("vtt", "rhythm & <blues>", speaker_id="channel_1").decode() == (
        "WEBVTT\n\n00:00:02.000 --> 00:00:05.500\n<v channel_1>rhythm &amp; &lt;blues&gt;</v>\n"
    )


def test_a_long_row_of_hyphens_is_looked_at_once() -> None:
    """From each of them to its end took minutes, in which a server answers nobody."""
    begun = time.process_time()
    assert b"-x" in written("vtt", "-" * 100_000 + "x")
    assert time.process_time() - begun < 5
    assert b"a\xe2\x86\x92b -> c" in written("vtt", "a---->b -> c").replace(b"&gt;", b">")


def test_hours_do_not_wrap() -> None:
    late = [ShownCue(start_ms=100 * 3_600_000, end_ms=100 * 3_600_000 + 1, text="x")]
    assert b"100:00:00,000" in FORMATS["srt"].write(late, "en")
    assert b"100:00:00.000" in FORMATS["vtt"].write(late, "en")
    with pytest.raises(ValidationError, match="24 hours"):
        FORMATS["stl"].write(late, "en")
    with pytest.raises(ValidationError, match="10 hours"):
        FORMATS["ass"].write(late, "en")


def test_plain_text_has_a_paragraph_a_pause_and_a_speaker() -> None:
    def said(*rows: tuple[int, str, str | None]) -> str:
        made = [
            ShownCue(start_ms=at, end_ms=at + 500, text=text, speaker_id=speaker)
            for at, text, speaker in rows
        ]
        return FORMATS["txt"].write(made, "en").decode()

    assert said() == ""
    near = said((0, "and\nso", None), (600, "my fellow", None), (9000, "ask not", None))
    assert near == "and so my fellow\n\nask not\n"
    two = said((0, "who", "channel_1"), (600, "me", "channel_2"))
    assert two == "channel 1: who\n\nchannel 2: me\n"
    assert (
        said((0, "吾輩は\n猫である。", None), (600, "名前は", None)) == "吾輩は猫である。名前は\n"
    )


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("使用OpenMontage製作的影片", 14, ["使用", "OpenMontage", "製作的影片"]),
        ("吾輩は猫である。", 14, ["吾輩は", "猫である。"]),
        ("one two three", 8, ["one two", "three"]),
    ],
)
def test_no_word_is_broken_where_full_width_characters_stand_beside_it(
    text: str, columns: int, lines: list[str]
) -> None:
    assert list(rewrapped(text, columns, 3)) == lines


def test_names_stand_where_another_one_begins_to_speak() -> None:
    rows = [("a", "channel_1"), ("b", "channel_1"), ("c", "channel_2")]
    made = [
        TranscriptCue(
            index=n + 1,
            start_ms=2000 * n,
            end_ms=2000 * n + 1500,
            text=text,
            first_word=n,
            word_count=1,
            speaker_id=speaker,
        )
        for n, (text, speaker) in enumerate(rows)
    ]
    assert [cue.text for cue in shown(made)] == ["a", "b", "c"]
    assert shown([made[0].model_copy(update={"text": "\x07"})]) == []
    assert [cue.text for cue in shown(made, names=True)] == ["Channel 1: a", "b", "Channel 2: c"]


def read_by_ttconv(document: ContentDocument) -> list[tuple[float, str]]:
    """When each text begins to be shown, and the text."""

    def text_of(element: object) -> str:
        if isinstance(element, Text):
            return element.get_text()
        return "\n" if isinstance(element, Br) else "".join(map(text_of, element))  # type: ignore[call-overload]

    found = []
    for at, isd in ISD.generate_isd_sequence(document):
        text = "".join(text_of(region) for region in isd.iter_regions())
        if text:
            found.append((float(at), text))
    return found


def as_ttconv_reads(name: str, body: bytes) -> list[tuple[float, str]]:
    if name == "ttml":
        return read_by_ttconv(imsc_reader.to_model(ElementTree.parse(BytesIO(body))))
    if name == "stl":
        return read_by_ttconv(stl_reader.to_model(BytesIO(body)))
    if name == "scc":
        return read_by_ttconv(scc_reader.to_model(body.decode()))
    reader = {"srt": srt_reader, "vtt": vtt_reader}[name]
    return read_by_ttconv(reader.to_model(StringIO(body.decode())))


@pytest.mark.parametrize("name", ["srt", "vtt", "ttml", "scc", "stl"])
def test_ttconv_reads_times_and_lines(name: str) -> None:
    read = as_ttconv_reads(name, written(name, *ENGLISH))
    assert [text for _, text in read] == ENGLISH
    assert [at for at, _ in read] == pytest.approx([2.0, 6.0], abs=0.04)


@pytest.mark.parametrize("name", ["srt", "vtt", "ttml", "ass"])
def test_pysubs2_reads_times_and_lines(name: str) -> None:
    file = pysubs2.SSAFile.from_string(written(name, *ENGLISH).decode(), format_=name)
    texts = [event.plaintext for event in file]  # pysubs2 leaves WebVTT's &amp; as it is
    assert [unescape(text) for text in texts] == ENGLISH
    assert [(event.start, event.end) for event in file] == [(2000, 5500), (6000, 9500)]


@pytest.mark.parametrize(
    ("name", "demuxer"), [("srt", "srt"), ("vtt", "webvtt"), ("ass", "ass"), ("scc", "scc")]
)
def test_ffmpeg_reads_every_cue(name: str, demuxer: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(written(name, *ENGLISH))
    command = ["ffmpeg", "-v", "error", "-f", demuxer, "-i", str(tmp_path / "in"), "-f", "srt", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    read = list(srt.parse(done.stdout.decode()))
    # Of SCC it tells when a caption's first code is sent, not when it is shown.
    within_s = 1.0 if name == "scc" else 0.01
    times_s = [subtitle.start.total_seconds() for subtitle in read]
    assert times_s == pytest.approx([2, 6], abs=within_s)
    said = [re.sub(r"<[^>]*>|{[^}]*}|\\h", "", one.content).split() for one in read]
    assert said == [text.split() for text in ENGLISH]


def test_json_holds_the_text_as_it_is() -> None:
    body = json.loads(written("json", "吾輩\u3000は", language="ja"))
    assert body == {
        "language": "ja",
        "cues": [{"start_ms": 2000, "end_ms": 5500, "text": "吾輩\u3000は"}],
    }


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", ["srt", "vtt", "ttml", "ass"])
def test_no_script_loses_a_sign(name: str, script: str) -> None:
    text = SCRIPTS[script]
    file = pysubs2.SSAFile.from_string(written(name, text, language=script).decode(), format_=name)
    assert file[0].plaintext.strip("\u200f") == text


def test_right_to_left_lines_stand_between_marks() -> None:
    """Or a player that draws lines from left to right puts the full stop on the wrong side."""
    for name in ("srt", "vtt"):
        assert f"\u200f{SCRIPTS['he']}\u200f".encode() in written(name, SCRIPTS["he"])
        assert b"\xe2\x80\x8f" not in written(name, "hello")


def test_right_to_left_is_said_in_ttml() -> None:
    assert b'direction="rtl"' in written("ttml", SCRIPTS["he"], language="he")
    assert b'direction="rtl"' not in written("ttml", "hello")


@pytest.mark.parametrize("script", ["ru", "el"])
def test_stl_holds_latin_cyrillic_and_greek(script: str) -> None:
    (read,) = as_ttconv_reads("stl", written("stl", SCRIPTS[script], language=script))
    assert read[1] == SCRIPTS[script]


def test_stl_holds_the_accents_of_europe() -> None:
    text = "Příliš žluťoučký kůň, Łódź,\nŐrség, ÀÉÎÖÜ ß ñ ø"
    assert as_ttconv_reads("stl", written("stl", text))[0][1] == text


def test_long_lines_are_broken_anew_for_scc_and_stl() -> None:
    text = "And so, my fellow Americans, ask not what\nyour country can do for you, ask what you"
    for name, most in (("scc", 32), ("stl", 37)):
        lines = as_ttconv_reads(name, written(name, text))[0][1].split("\n")
        assert " ".join(lines) == text.replace("\n", " ")
        assert max(map(len, lines)) <= most


def test_an_stl_text_longer_than_a_block_goes_on_in_the_next() -> None:
    text = "\n".join(["x" * 37] * 3)
    body = written("stl", text)
    assert len(body) == 1024 + 2 * 128
    assert as_ttconv_reads("stl", body)[0][1] == text


@pytest.mark.parametrize("name", ["scc", "stl"])
@pytest.mark.parametrize("script", ["ja", "ar", "emoji"])
def test_what_a_format_does_not_hold_is_refused_by_name(name: str, script: str) -> None:
    with pytest.raises(ValidationError, match=rf"{name} has no .* \(U\+"):
        written(name, SCRIPTS[script])


def test_scc_delays_what_it_could_not_send_in_time() -> None:
    """ttconv alone would leave the second caption out."""
    long = "and this is a caption of sixty\nletters, which takes a while"
    quick = [
        ShownCue(start_ms=100, end_ms=900, text="Yes."),
        ShownCue(start_ms=1000, end_ms=4000, text=long),
    ]
    read = as_ttconv_reads("scc", FORMATS["scc"].write(quick, "en"))
    assert [text for _, text in read] == ["Yes.", long]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_said_is_a_file_without_cues(name: str) -> None:
    body = FORMATS[name].write([], "en")
    assert body or name in ("srt", "txt")


texts = st.lists(
    st.text(min_size=1).filter(lambda text: text.strip() and text.isprintable()), max_size=5
)


@given(texts)
def test_text_never_breaks_the_file(lines: list[str]) -> None:
    body = cues(*(f"{line}\n\n{line} --> {line}\n\n" for line in lines))
    assert len(list(srt.parse(FORMATS["srt"].write(body, "en").decode()))) == len(lines)
    assert len(webvtt.from_buffer(StringIO(FORMATS["vtt"].write(body, "en").decode()))) == len(
        lines
    )
    ElementTree.fromstring(FORMATS["ttml"].write(body, "en"))
    ass = pysubs2.SSAFile.from_string(FORMATS["ass"].write(body, "en").decode(), format_="ass")
    assert len(ass) == len(lines)


@pytest.mark.parametrize(
    "text", ["<b>bold</b>", "{\\an8}up", "a < b > c", "{\\k50}x", "&amp; &lt;"]
)
def test_nothing_that_was_said_is_a_command(text: str) -> None:
    for name in ("vtt", "ttml"):
        assert pysubs2.SSAFile.from_string(written(name, text).decode(), format_=name)[0].text
    assert written("srt", text).count(b"<b") == 0
    assert b"{\\" not in written("ass", text).split(b"[Events]")[1]
