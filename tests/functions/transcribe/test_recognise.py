from __future__ import annotations

import random
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from functions.transcribe.left_over import reached, until_broken_off
from functions.transcribe.one_window import Asked, Heard, OneWindow
from functions.transcribe.recognise import Recogniser, Spoken
from functions.transcribe.whisper import find_model, load_model
from functions.transcribe.windows import Part
from functions.transcribe.word_times import Raw
from shared.errors import ValidationError
from shared.sound.speech import Voiced, find_voiced
from tests.functions.transcribe.sounds import (
    FIVE,
    FOUR,
    RATE_HZ,
    TWO,
    Samples,
    noise,
    silence,
    spoken,
)

pytestmark = pytest.mark.usefixtures("words_model")


def recognised(model: Any, sound: Samples) -> Spoken:
    phrases: list[Voiced] = find_voiced(
        [sound], len(sound) * 1000 // RATE_HZ, 300, lambda done: None
    )
    return Recogniser(model, Asked("en")).recognise([sound], phrases, lambda done: None)


@pytest.fixture
def model() -> Any:
    return load_model(find_model("tiny"), "cpu")


def windows_heard(monkeypatch: pytest.MonkeyPatch, most_s: float = 30.0) -> list[Heard]:
    """What each window held; a model that listens for ``most_s`` of it says where it stopped."""
    heard: list[Heard] = []
    hear = OneWindow.hear

    def listening(self: OneWindow, sound: Samples) -> Heard:
        found = hear(self, sound[: round(most_s * RATE_HZ)])
        heard.append(found if len(sound) <= most_s * RATE_HZ else replace(found, rest_s=most_s))
        return heard[-1]

    monkeypatch.setattr(OneWindow, "hear", listening)
    return heard


@pytest.mark.real_case("transcribe.words")
def test_speech_without_a_pause_is_cut_between_words(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute, one phrase to voice activity: what is behind the cut is heard whole."""
    draw = random.Random(1)
    said = [" ".join(draw.choices(f"{FIVE} {FOUR} {TWO}".split(), k=5)) for _ in range(14)]
    sound = np.concatenate([part for text in said for part in (spoken(text), silence(0.15))])
    windows = windows_heard(monkeypatch)
    words = [word.text for word in recognised(model, sound).words]
    assert len(windows) == 2
    assert " ".join(words).endswith(" ".join(said[-2:]))


def test_what_the_model_left_of_a_window_is_heard_with_what_follows(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops after three seconds, behind the first phrase: two windows, and no word twice or lost."""
    windows = windows_heard(monkeypatch, most_s=4.0)
    sound = np.concatenate([silence(1), spoken(FIVE), silence(1.5), spoken(FOUR), silence(1)])
    words = recognised(model, sound).words
    assert [word.text for word in words] == f"{FIVE} {FOUR}".split()
    assert words[5].start_ms > words[4].end_ms + 500
    assert len(windows) == 2


def test_a_phrase_that_the_model_left_halfway_is_cut_there() -> None:
    """What was heard stays where it is in the window; what is left are the rest, and all that follows."""
    first, second, third = (Voiced(at, at + 2000, 0.9) for at in (1000, 4000, 7000))
    window = [
        Part(first, 800, 3500, 0),
        Part(second, 3500, 6500, 2700),
        Part(third, 6500, 9200, 5700),
    ]
    voice = noise(10)
    voice[16 * 4775 : 16 * 4825] = 0  # the last word ends 95 ms later than the model says
    heard, left = reached(voice, window, 3905.0)
    assert heard == [window[0], Part(replace(second, end_ms=4800), 3500, 4800, 2700)]
    assert [(part.phrase.start_ms, part.start_ms, part.end_ms) for part in left] == [
        (4800, 4800, 6500),
        (7000, 6500, 9200),
    ]
    assert reached(voice, window, None) == (window, [])
    assert reached(voice, window, 100.0) == (window, []), (
        "nothing was heard: it would be no better again"
    )
    assert reached(voice, window, 5000.0)[0][1].end_ms == 6500, (
        "the second one's end, but for a breath"
    )


def test_a_model_that_breaks_off_is_made_to_hear_on() -> None:
    """What it calls silence is speech: its last word, which nothing placed, is heard again with the rest."""
    window = [Part(Voiced(0, 9000, 0.9), 0, 9250, 0)]
    placed = [Raw(" movable", 0.9, 5.7, 6.2), Raw(" types,", 0.9, 6.2, 6.7)]
    strewn = Raw(" the", 0.9, 6.7, 9.9, interpolated=True)
    assert until_broken_off(window, [*placed, strewn], None) == (placed, 6700.0)
    later = replace(placed[1], end_s=7.5)
    assert until_broken_off(window, [placed[0], later], None) == ([placed[0], later], None)
    assert until_broken_off(window, [strewn], None) == ([strewn], None), "no word is lost for it"
    early = Raw(" the", 0.9, 0.0, 0.2)
    assert until_broken_off(window, [early], None) == ([early], None), "it would be no better again"


def test_a_phrase_that_was_passed_over_is_looked_at_again(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model says that it heard all, and has no word of the second phrase."""
    hear = OneWindow.hear

    def forgetful(self: OneWindow, sound: Samples) -> Heard:
        return replace(hear(self, sound[: 3 * RATE_HZ]), rest_s=None)

    monkeypatch.setattr(OneWindow, "hear", forgetful)
    sound = np.concatenate([silence(1), spoken(FIVE), silence(1.5), spoken(FOUR), silence(1)])
    assert [word.text for word in recognised(model, sound).words] == f"{FIVE} {FOUR}".split()


@pytest.mark.parametrize("language", [None, "en"])
def test_a_window_is_encoded_once(
    model: Any, monkeypatch: pytest.MonkeyPatch, language: str | None
) -> None:
    """Whether or not its language is to be detected."""
    encode = Mock(side_effect=model.encode)
    monkeypatch.setattr(model, "encode", encode)
    heard = OneWindow(model, Asked(language), lambda found, _: found).hear(spoken(FIVE))
    assert encode.call_count == 1 and heard.language == "en"
    assert "".join(segment.text for segment in heard.segments).split() == FIVE.split()


def test_a_glossary_and_the_task_are_what_the_model_is_asked_for(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe = Mock(side_effect=model.transcribe)
    monkeypatch.setattr(model, "transcribe", transcribe)
    asked = Asked("en", "translate", "hello, world")
    OneWindow(model, asked, lambda found, _: found).hear(spoken(TWO))
    told = transcribe.call_args.kwargs
    assert told["task"] == "translate" and told["hotwords"] == "hello, world"


def test_what_the_model_cannot_do_is_refused(model: Any) -> None:
    with pytest.raises(ValidationError, match="glossary"):
        Recogniser(model, Asked(glossary="hello " * 300))

    class English:
        supported_languages = ("en",)

    with pytest.raises(ValidationError, match="task"):
        Recogniser(English(), Asked(task="translate"))
