from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from functions.transcribe.recognise import Recogniser, Spoken
from functions.transcribe.whisper import find_model, load_model
from shared.sound.speech import Voiced, find_voiced
from tests.functions.transcribe.sounds import FIVE, FOUR, RATE_HZ, TWO, Samples, silence, spoken

pytestmark = pytest.mark.usefixtures("words_model")


def recognised(model: Any, sound: Samples) -> Spoken:
    phrases: list[Voiced] = find_voiced(
        [sound], len(sound) * 1000 // RATE_HZ, 300, lambda done: None
    )
    return Recogniser(model, "en").recognise([sound], phrases, lambda done: None)


@pytest.fixture
def model() -> Any:
    return load_model(find_model("tiny"), "cpu")


def test_speech_without_a_pause_is_cut_between_words(model: Any) -> None:
    """Half a minute, one phrase to voice activity: what is behind the cut is heard whole."""
    draw = random.Random(1)
    said = [" ".join(draw.choices(f"{FIVE} {FOUR} {TWO}".split(), k=5)) for _ in range(14)]
    sound = np.concatenate([part for text in said for part in (spoken(text), silence(0.15))])
    windows: list[float] = []

    class Counting:
        supported_languages = model.supported_languages

        def transcribe(self, sound: Samples, **how: Any) -> tuple[Iterator[Any], Any]:
            windows.append(len(sound) / RATE_HZ)
            return model.transcribe(sound, **how)

    words = [word.text for word in recognised(Counting(), sound).words]
    assert len(windows) == 2 and max(windows) < 30
    assert " ".join(words).endswith(" ".join(said[-2:]))


def test_what_a_window_passes_over_is_looked_at_again(model: Any) -> None:
    class Forgetful:
        """Stops listening after three seconds, as small models do after a phrase."""

        supported_languages = model.supported_languages

        def transcribe(self, sound: Samples, **how: Any) -> tuple[Iterator[Any], Any]:
            return model.transcribe(sound[: 3 * RATE_HZ], **how)

    sound = np.concatenate([silence(1), spoken(FIVE), silence(1.5), spoken(FOUR), silence(1)])
    words = recognised(Forgetful(), sound).words
    assert [word.text for word in words] == f"{FIVE} {FOUR}".split()
    assert words[5].start_ms > words[4].end_ms + 500
