"""What the validator says of files, and that what layout makes breaks nothing that it can help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.command.main import rushes
from shared.captions.caption_reading import read_captions
from shared.captions.cue_check import breaches
from shared.captions.cues import Layout, make_cues
from shared.captions.profiles import PROFILES, script_of
from shared.captions.subtitles import FORMATS, shown
from shared.contracts.asr_transcript import ShownCue
from shared.errors import NotFound, UnsupportedMedia
from tests.shared.captions.test_cues import SPEECH, said

NETFLIX = PROFILES["netflix"].to_read("en")


def cue(start_ms: int, end_ms: int, text: str = "Four score and seven") -> ShownCue:
    return ShownCue(start_ms=start_ms, end_ms=end_ms, text=text)


@pytest.mark.parametrize(
    ("cues", "rules"),
    [
        ([cue(0, 2000)], []),
        ([cue(0, 4000, "")], ["empty"]),
        ([cue(0, 4000, "x" * 43)], ["line_length"]),
        ([cue(0, 4000, "吾輩は猫である" * 4)], ["line_length"]),
        ([cue(0, 4000, "a\nb\nc")], ["lines"]),
        ([cue(2000, 2800, "Yes.")], ["too_short"]),
        ([cue(0, 7100)], ["too_long"]),
        ([cue(2000, 2900, "Four score and seven years")], ["speed"]),
        ([cue(0, 2000), cue(2020, 4000)], ["gap"]),
        ([cue(0, 2000), cue(2067, 4000)], []),
        ([cue(0, 2000), cue(2084, 4000)], []),
        ([cue(0, 2000), cue(2300, 4000)], ["gap"]),
        ([cue(0, 2000), cue(1900, 4000)], ["overlap"]),
        ([cue(900, 2500)], ["shot"]),
        ([cue(1000, 2500)], []),
        ([cue(2300, 2930)], ["too_short", "speed"]),
        ([cue(2000, 2000)], ["too_short", "speed"]),
    ],
)
def test_each_rule(cues: list[ShownCue], rules: list[str]) -> None:
    found = list(breaches(cues, NETFLIX, shots_ms=[1000.0]))
    assert [one.rule for one in found] == rules


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("kind", ["srt", "vtt", "ass", "ttml"])
def test_what_is_laid_out_for_a_profile_breaks_nothing_of_it(
    name: str, kind: str, tmp_path: Path
) -> None:
    """Of a calm speaker: nobody can show a quick one's words for longer than they last."""
    profile = PROFILES[name].to_read("en")
    words = said(SPEECH, ms_a_letter=72)
    made = make_cues(words, words[-1].end_ms + 2000, Layout(profile, "en"))
    body = FORMATS[kind].write(shown([one.written(1) for one in made]), "en")
    (tmp_path / f"x.{kind}").write_bytes(body)
    read = read_captions(tmp_path / f"x.{kind}")
    assert len(read) == len(made)
    assert list(breaches(read, profile)) == []


@pytest.mark.parametrize("kind", ["stl", "scc"])
def test_broadcasters_formats_are_read(kind: str, tmp_path: Path) -> None:
    body = FORMATS[kind].write([cue(2000, 4000), cue(5000, 7000, "years\nago")], "en")
    (tmp_path / f"x.{kind}").write_bytes(body)
    read = read_captions(tmp_path / f"x.{kind}")
    assert [one.text for one in read] == ["Four score and seven", "years\nago"]
    assert [one.end_ms for one in read] == pytest.approx([4000, 7000], abs=40)


def test_captions_of_a_part_that_begins_later_are_not_lost(tmp_path: Path) -> None:
    """Broadcasters give a reel its offset: ``div`` begins at 10 s, and its captions count from there."""
    told = '<p begin="1s" end="3s">one</p><p begin="4s" dur="1s">two</p>'
    part = f'<body><div begin="10s">{told}</div><div begin="20s" end="30s">{told}</div></body>'
    (tmp_path / "x.ttml").write_text(f'<tt xmlns="http://www.w3.org/ns/ttml">{part}</tt>')
    read = read_captions(tmp_path / "x.ttml")
    assert [one.start_ms for one in read] == [11_000, 14_000, 21_000, 24_000]
    assert [one.end_ms for one in read] == [13_000, 15_000, 23_000, 25_000]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x.txt", b"hello"),
        ("x.srt", b"hello"),
        ("x.srt", b"\xff\x00\xff"),
        ("x.ttml", b"<tt"),
        ("x.stl", b"short"),
        ("x.scc", b"nothing"),
        ("x.vtt", b"WEBVTT\n"),
    ],
)
def test_what_is_no_caption_file_is_said_so(name: str, body: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(UnsupportedMedia, match=name):
        read_captions(tmp_path / name)


def test_a_script_tells_how_fast_it_is_read() -> None:
    assert [script_of(text) for text in ("hello 猫", "吾輩は猫", "我是猫", "고양이", "")] == [
        *("und", "ja", "zh", "ko", "und")
    ]


def test_the_command_tells_each_breach_with_number_and_time(tmp_path: Path) -> None:
    file = tmp_path / "talk.srt"
    file.write_bytes(FORMATS["srt"].write([cue(0, 2000), cue(61_000, 69_000)], "en"))
    ran = CliRunner().invoke(rushes, ["captions", "check", str(file), "--profile", "netflix"])
    assert ran.exit_code == 1
    assert ran.stdout == "cue 2 at 0:01:01.000: shown for 8000 ms, at most 7000 (too_long)\n"
    asked = ["captions", "check", str(file), "--json"]
    (only,) = json.loads(CliRunner().invoke(rushes, asked).stdout)["breaches"]
    assert (only["cue"], only["at_ms"], only["rule"]) == (2, 61_000, "too_long")
    file.write_bytes(FORMATS["srt"].write([cue(0, 2000)], "en"))
    ran = CliRunner().invoke(rushes, ["captions", "check", str(file)])
    assert (ran.exit_code, ran.stdout) == (0, "1 cue, none broken\n")
    ran = CliRunner().invoke(rushes, ["captions", "check", str(file), "--profile", "hbo"])
    assert "known: default, netflix, bbc, ebu" in str(ran.exception)
    for gone in (["gone.srt"], [str(file), "--shots", "gone.srt"]):
        ran = CliRunner().invoke(rushes, ["captions", "check", *gone, "--json"])
        assert isinstance(ran.exception, NotFound), "an error object, as of every missing file"


def test_a_cue_whose_times_are_missing_is_not_the_former_cues_text(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    timed = "1\n00:00:00,500 --> 00:00:07,000\nCaption text #1\n\n"
    path.write_text(
        timed + "2\nCaption text #2\n\n3\n00:00:11,890 --> 00:00:16,320\nCaption text #3\n"
    )
    with pytest.raises(UnsupportedMedia, match="cue 2 has no times"):
        read_captions(path)
    path.write_text(timed.replace("text #1", "text #1\n\n42\nis the answer"))
    assert [cue.text for cue in read_captions(path)] == ["Caption text #1\n42\nis the answer"]
