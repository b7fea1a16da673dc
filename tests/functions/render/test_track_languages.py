"""A caption track says which language it is in, to players that list them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES

from functions.render.video.track_languages import track_language


@pytest.mark.parametrize(
    ("told", "written"),
    [
        *[("en", "eng"), ("de", "deu"), ("pt", "por"), ("zh", "zho"), ("el", "ell"), ("hy", "hye")],
        *[("haw", "haw"), ("jw", "jav"), ("yue", "zho"), ("und", "und"), ("xx", "und")],
    ],
)
def test_languages_have_three_letters(told: str, written: str) -> None:
    assert track_language(told) == written


def test_every_language_that_is_told_apart_is_named_in_mp4(tmp_path: Path) -> None:
    text, made = tmp_path / "x.srt", tmp_path / "x.mp4"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    args = ["ffmpeg", "-v", "error", "-i", str(text)]
    args += ["-map", "0:s"] * len(_LANGUAGE_CODES)
    for number, code in enumerate(_LANGUAGE_CODES):
        args += [f"-metadata:s:s:{number}", f"language={track_language(code)}"]
    subprocess.run([*args, "-c:s", "mov_text", str(made)], check=True)
    asked = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(made)]
    found = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["streams"]
    assert len(found) == len(_LANGUAGE_CODES) >= 99
    named = [one["tags"]["language"] for one in found]  # without the tag it is und
    assert named == [track_language(code) for code in _LANGUAGE_CODES]
    assert len(set(named)) == len(named) - 1, "Cantonese alone is one with another"
