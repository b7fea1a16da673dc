"""Words recognised in parts are those of the recording as a whole, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functions.transcribe import windows, words
from shared.sound.speech import Voiced
from shared.sound.speech_params import SpeechParams
from tests.functions.in_parts import done_in_parts
from tests.functions.transcribe.harness import heard, run
from tests.functions.transcribe.sounds import FIVE, FOUR, TWO, silence, spoken, write


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
@pytest.mark.parametrize("pause_s", [0.5, 4.0])
def test_the_words_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    said = [spoken(text) for text in (FIVE, FOUR, TWO, FIVE, FOUR)]
    sound = np.concatenate([part for one in said for part in (silence(pause_s), one)])
    path = tmp_path / "said.wav"
    write(path, sound)
    monkeypatch.setattr(windows, "WINDOW_MS", 5000)  # so that there are several
    whole = run(words.ENGINE, path, tmp_path / "whole", language="en")
    monkeypatch.setattr(words, "PART_SPEECH_MS", 2000)
    alone = run(words.ENGINE, path, tmp_path / "alone", language="en")
    inputs = heard(path, tmp_path / "activity", SpeechParams(language="en"))
    result, count = done_in_parts(words.ENGINE, path, tmp_path / "parts", inputs, language="en")
    assert count > 1
    assert result.outputs[0].path.read_bytes() == alone.result.outputs[0].path.read_bytes()
    one, other = (made.body["words"] for made in (whole, alone))
    assert one and [word["text"] for word in one] == [word["text"] for word in other]
    # Windows begin anew with each part: this small model places a few words elsewhere for it.
    for edge in ("start_ms", "end_ms"):
        assert [word[edge] for word in other] == pytest.approx(
            [word[edge] for word in one], abs=300
        )


def test_a_part_hears_no_further_than_the_phrase_behind_it() -> None:
    phrases = [Voiced(10_000 * n, 10_000 * n + 9_000, 1.0) for n in range(60)]
    reached = words._reached(phrases, words.Part(0, 100_000))
    assert list(reached) == phrases[:11]
