"""Whisper's published weights on readings of people: no word is lost on the way from the model.

``make test`` installs the weights; the readings lie beside the repository, where they do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from functions.transcribe import captions
from functions.transcribe.one_window import Asked
from functions.transcribe.recognise import Recogniser
from functions.transcribe.whisper import find_model, load_model
from shared.media.vad import RATE_HZ
from shared.sound.speech import find_voiced
from tests.bench.quality_words import bare, errors, telephone, words_of
from tests.functions.transcribe.harness import REAL_MEDIA, run
from tests.functions.transcribe.sounds import Samples, band, noise, silence, spoken, write

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.real_weights,
    pytest.mark.usefixtures("real_models"),
    pytest.mark.skipif(
        not (REAL_MEDIA / "transcript").is_dir(), reason=f"no recordings in {REAL_MEDIA}"
    ),
]
READINGS = ("jfk", "lj_LJ001-0002", "lj_LJ001-0006", "ps_0880")


def reading(name: str) -> tuple[Samples, list[str]]:
    from faster_whisper.audio import decode_audio

    truth = json.loads((REAL_MEDIA / "truth" / "transcript" / f"{name}.json").read_text())
    return decode_audio(str(REAL_MEDIA / truth["file"])), words_of(truth["text"])


def heard(model: str, sound: Samples) -> list[str]:
    """Words in order, and each reaches into where voice activity hears somebody."""
    duration_ms = len(sound) * 1000 // RATE_HZ
    phrases = find_voiced([sound], duration_ms, 300, lambda done: None)
    recogniser = Recogniser(load_model(find_model(model), "cpu"), Asked("en"))
    words = recogniser.recognise([sound], phrases, lambda done: None).words
    starts = [word.start_ms for word in words]
    assert starts == sorted(starts)
    for word in words:
        assert any(one.start_ms < word.end_ms and word.start_ms < one.end_ms for one in phrases)
    return words_of(" ".join(word.text for word in words))


def test_the_word_after_a_pause_is_there() -> None:
    sound, said = reading("jfk")
    assert heard("base", sound) == said


def test_a_slow_reader_loses_no_first_words() -> None:
    """Four readings, joined by pauses: at most one error more than bare faster-whisper makes."""
    read = [reading(name) for name in READINGS]
    said = [word for _, words in read for word in words]
    sound = np.concatenate([part for one, _ in read for part in (one, silence(0.7))])
    theirs = errors(said, bare(load_model(find_model("base"), "cpu"), sound))
    ours = errors(said, heard("base", sound))
    assert ours.total <= theirs.total + 1 and ours.lost <= theirs.lost


_GERMAN = (
    "Guten Morgen, meine Damen und Herren. Ich freue mich sehr, dass Sie heute zu uns gekommen sind. Wir"
    " wollen über die Geschichte unserer Stadt sprechen, und danach gehen wir zusammen in den Garten."
)


def test_a_language_is_detected_and_translated() -> None:
    """German, by espeak-ng; encoded once for both. Of a single sentence of its voice each processor's
    kernels think otherwise (0.24 German, 0.24 English, 0.23 Thai); of these they are sure (0.985).
    """
    sound = spoken(_GERMAN, "de")
    model = load_model(find_model("base"), "cpu")
    phrases = find_voiced([sound], len(sound) * 1000 // RATE_HZ, 300, lambda done: None)
    with patch.object(model, "encode", side_effect=model.encode) as encode:
        recogniser = Recogniser(model, Asked(task="translate"))
        found = recogniser.recognise([sound], phrases, lambda done: None)
    assert found.language == "de" and encode.call_count == 1
    assert words_of(" ".join(word.text for word in found.words))[:2] == ["good", "morning"]


@pytest.mark.parametrize(
    ("name", "change"),
    [("lj_LJ001-0001", telephone), ("lj_LJ001-0002", lambda sound: sound + np.float32(0.1))],
)
def test_what_a_recording_begins_with_is_heard(
    name: str, change: Callable[[Samples], Samples]
) -> None:
    """As a telephone sends it, and with an offset: somebody speaks from the first moment."""
    sound, said = reading(name)
    assert heard("base", change(sound))[:2] == said[:2]


@pytest.mark.parametrize("model", ["base", "tiny.en"])
def test_nothing_is_said_in_silence_noise_or_music(model: str) -> None:
    for sound in (silence(12), noise(12), band(12)):
        assert heard(model, sound) == []


def test_captions_stand_in_with_real_words(tmp_path: Path) -> None:
    sound, said = reading("jfk")
    ran = run(captions.ENGINE, write(tmp_path / "in.wav", sound), tmp_path / "out")
    assert words_of(" ".join(word["text"] for word in ran.body["words"])) == said
    assert ran.body["model_used"] in ("tiny", "base")
