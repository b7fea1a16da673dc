"""Words recognised in parts are those of the recording as a whole, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functions.transcribe import windows, words
from shared.sound.speech import Voiced
from tests.functions.in_parts import done_in_parts
from tests.functions.transcribe.harness import heard, run
from tests.functions.transcribe.sounds import FIVE, FOUR, TWO, silence, spoken, write


@pytest.mark.usefixtures("words_model")
@pytest.mark.parametrize("pause_s", [0.5, 4.0])
def test_the_words_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    said = [spoken(text) for text in (FIVE, FOUR, TWO, FIVE, FOUR)]
    sound = np.concatenate([part for one in said for part in (silence(pause_s), one)])
    path = tmp_path / "said.wav"
    write(path, sound)
    for module in (windows, words):  # so that there are several
        monkeypatch.setattr(module, "WINDOW_MS", 5000)
    whole = run(words.ENGINE, path, tmp_path / "whole", language="en")
    monkeypatch.setattr(words, "PART_SPEECH_MS", 2000)
    params = words.WordsParams(language="en")
    inputs = heard(path, tmp_path / "activity", params)
    result, count = done_in_parts(words.ENGINE, path, tmp_path / "parts", inputs, language="en")
    assert count > 1 and whole.body["words"]
    made = result.outputs[0].path.read_bytes()
    assert made == whole.result.outputs[0].path.read_bytes()


def test_a_part_hears_as_far_as_its_last_window_may_reach() -> None:
    phrases = [Voiced(10_000 * n, 10_000 * n + 9_000, 1.0) for n in range(60)]
    reached = words._reached(phrases, words.Part(0, 100_000))
    beyond_ms = sum(one.end_ms - one.start_ms for one in reached if one.start_ms >= 100_000)
    assert words.WINDOW_MS < beyond_ms < 80_000
