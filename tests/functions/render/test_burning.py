"""Captions laid out for a shape, lit word by word, in fonts that hold them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pysubs2
import pytest

from functions.render.video import ENGINE, VideoRenderParams, burning, fonts_at_hand
from functions.render.video.burning import burnt_in, columns_of
from functions.render.video.caption_styles import STYLES
from functions.render.video.fonts_at_hand import Face, face_for, faces, lacking, shown_signs
from functions.render.video.rendered_windows import Window
from shared.captions.cues import Layout, make_cues
from shared.captions.profiles import PROFILES
from shared.captions.rewrapping import words_of
from shared.contracts.asr_transcript import Transcript
from shared.contracts.context import RequestContext
from shared.errors import MissingDependency
from tests.functions import video
from tests.functions.render.test_video import render, transcript

UPRIGHT, WIDE = (1080, 1920), (1920, 1080)
SPEECH = (
    "And so, my fellow Americans, ask not what your country can do for you,"
    " ask what you can do for your country."
)


def said(text: str, language: str = "en") -> Transcript:
    words = words_of(text, 300, 300 + 80 * len(text))
    length_ms = words[-1].end_ms + 1500
    layout = Layout(PROFILES["default"].to_read(language), language)
    cues = [cue.written(n) for n, cue in enumerate(make_cues(words, length_ms, layout), 1)]
    return Transcript(
        duration_ms=length_ms,
        language=language,
        words=tuple(words),
        cues=tuple(cues),
        model_used="x",
    )


def burnt(
    text: str, style: str = "clean", size: tuple[int, int] = WIDE, *cuts: tuple[float, float]
) -> pysubs2.SSAFile:
    spoken = said(text)
    windows, at = [], 0.0
    for start_ms, end_ms in cuts or [(0, spoken.duration_ms)]:
        windows.append(Window(start_ms, end_ms, at))
        at += end_ms - start_ms
    body = burnt_in(spoken, windows, STYLES[style], size)
    return pysubs2.SSAFile.from_string(body, format_="ass") if body else pysubs2.SSAFile()


@pytest.mark.parametrize("style", STYLES)
def test_an_upright_picture_has_two_lines_of_twenty(style: str) -> None:
    assert columns_of(STYLES[style], UPRIGHT) == 20
    file = burnt(SPEECH, style, UPRIGHT)
    lines = [event.plaintext.split("\n") for event in file]
    assert max(map(len, lines)) == 2
    assert max(len(line) for pair in lines for line in pair) <= 20


def test_a_wide_picture_has_the_lines_of_broadcasters() -> None:
    assert columns_of(STYLES["clean"], WIDE) == 42
    assert " ".join(event.plaintext.replace("\n", " ") for event in burnt(SPEECH)) == SPEECH


def test_no_line_is_wider_than_the_safe_area() -> None:
    file = burnt("WWWWWWWWWWWWWWWWWWW MMMMMMMMMMMMMMMMMMMM", "large", UPRIGHT)
    style = file.styles["Default"]
    lines = [line for event in file for line in event.plaintext.split("\n")]
    face = face_for("".join(lines), "DejaVu Sans", "en", bold=True)
    assert fonts_at_hand.widest(lines, face, style.fontsize) <= 0.8 * 1080 + 1


def test_each_word_is_lit_while_it_is_heard() -> None:
    file = burnt("ask what you can do", "spoken")
    lit = [re.search(r"{\\1c&H00D7FF&}(.*?){", event.text) for event in file]
    assert [found[1] for found in lit if found] == ["ask", "what", "you", "can", "do"]
    assert {event.plaintext for event in file} == {"ask what you can do"}
    spoken = said("ask what you can do").words
    starts = [event.start for event in file][1:]
    assert starts == pytest.approx([word.start_ms for word in spoken[1:]], abs=10)
    assert all(one.end == other.start for one, other in pairwise(file))


def test_captions_follow_the_cuts() -> None:
    spoken = said(SPEECH)
    ask = next(word for word in spoken.words if word.text == "ask")
    file = burnt(SPEECH, "clean", WIDE, (ask.start_ms, ask.start_ms + 1500), (0, 1200))
    assert file[0].plaintext.startswith("ask not")
    assert file[0].start == 0 and file[0].end <= 1500
    assert file[1].plaintext.startswith("And so") and file[1].start >= 1500
    assert not burnt(SPEECH, "clean", WIDE, (0, 100))


def test_what_is_said_is_no_command() -> None:
    for style in ("clean", "spoken"):
        for event in burnt("a {\\b1}b\\N c", style):
            assert "\\b1" not in event.text and event.plaintext.count("\n") == 0


def test_the_base_direction_is_the_texts() -> None:
    assert burnt("שלום").styles["Default"].encoding == -1


@pytest.fixture
def latin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose only font has ASCII and accents."""
    path = next(face.path for face in faces() if face.family == "DejaVu Sans")
    only = (Face("DejaVu Sans", path, 0, bold=False, starts=(0x20, 0xC0), ends=(0x7E, 0x17F)),)
    monkeypatch.setattr(fonts_at_hand, "faces", lambda: only)
    monkeypatch.setattr(burning, "lacking", lacking)


def test_what_no_font_has_is_left_out(latin_alone: None) -> None:
    assert lacking("naïve ♪ 吾") == ["♪", "吾"]
    assert [event.plaintext for event in burnt("well ♪ done")] == ["well done"]


def test_joiners_and_marks_need_no_glyph_of_their_own() -> None:
    assert shown_signs("a\u200d b\u0301\u00a0\u200fc") == ["a", "b", "c"]


def test_a_font_that_has_more_of_the_text_goes_first(latin_alone: None) -> None:
    path = faces()[0].path
    both = (
        *fonts_at_hand.faces(),
        Face("Kana", path, 0, bold=False, starts=(0x3041,), ends=(0x30FF,)),
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fonts_at_hand, "faces", lambda: both)
        assert face_for("ニャーニャー ab", "DejaVu Sans", "ja", bold=False).family == "Kana"
        assert face_for("hello", "DejaVu Sans", "en", bold=False).family == "DejaVu Sans"


@pytest.mark.parametrize(
    ("text", "level", "told"),
    [("no ♪ here", "warning", "♪ (U+266A): left out"), ("吾輩", "error", "吾 (U+543E), 輩")],
)
def test_a_plan_tells_what_no_font_has(
    latin_alone: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str,
    level: str,
    told: str,
) -> None:
    monkeypatch.setattr("functions.render.video.video_plan.lacking", lacking)
    file = transcript(tmp_path)
    body = json.loads(file.path.read_text())
    body["cues"][0]["text"] = text
    file.path.write_text(json.dumps(body))
    asked = {"captions": "burn", "faces": "original", "dry_run": True}
    ran = render(tmp_path / "out", {"transcribe.captions": [file]}, video.FACE_CLIP, **asked)
    notices = ran.body("video_render")["dependency_notices"]
    assert [(one["level"], told in one["message"]) for one in notices[1:]] == [(level, True)]


def test_no_fontconfig_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise FileNotFoundError("fc-list")

    monkeypatch.setattr(fonts_at_hand, "started", away)
    faces.cache_clear()
    with pytest.raises(MissingDependency, match="fontconfig"):
        lacking("a")


def test_other_fonts_make_another_rendering(
    latin_alone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def keys() -> tuple[str, str]:
        fonts_at_hand.fonts_digest.cache_clear()
        burn, track = (VideoRenderParams(captions=way) for way in ("burn", "track"))
        ctx = RequestContext.of("t1", "dev")
        assert ENGINE.cache_key is not None
        one, other = (ENGINE.cache_key(ctx, "x", None, said, "1", {}) for said in (burn, track))
        return one, other

    try:
        before = keys()
        assert keys() == before
        (only,) = fonts_at_hand.faces()
        moved = tmp_path / "moved.ttf"
        moved.write_bytes(only.path.read_bytes())
        monkeypatch.setattr(fonts_at_hand, "faces", lambda: (replace(only, path=moved),))
        assert keys() == before, "the same font elsewhere draws the same"
        moved.write_bytes(only.path.read_bytes() + b"\0")
        after = keys()
        assert after[0] != before[0] and after[1] == before[1]
    finally:
        fonts_at_hand.fonts_digest.cache_clear()
