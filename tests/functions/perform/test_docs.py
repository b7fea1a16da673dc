import json
import re

import numpy as np
import pytest

from functions.perform import bank
from functions.perform.format import read_pattern, to_score
from shared.audio import modules
from tests.bench.quality_listening import SOUNDS, markdown, row
from tests.functions.perform.rig import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "musician.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_s_examples_run_one_after_another():
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(code, names)
    for rendered, frames in (("audio", 96_000), ("wobbling", 96_000)):
        audio = names[rendered]
        assert audio.shape == (frames, 2)
        assert audio.dtype == np.float32
        assert 0.01 < np.abs(audio).max() < 4.0


def test_the_guide_s_pattern_is_one():
    (text,) = blocks("json")
    score = to_score(read_pattern(text))
    assert score.length_beats == 2
    assert json.loads(text)["name"] == "Verse"


def test_the_guide_names_every_sound_and_module():
    named = set(re.findall(r"\w+", GUIDE))
    assert set(bank.names()) <= named
    playable = {name for name in modules.__all__ if name not in ("AudioModule", "ClipSampleLayer")}
    assert playable <= named


@pytest.mark.heavy
def test_the_listening_notes_quote_what_is_measured():
    notes = (REPOSITORY / "docs" / "listening.md").read_text("utf-8")
    assert markdown([row(name) for name in SOUNDS]) in notes
