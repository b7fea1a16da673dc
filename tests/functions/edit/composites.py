"""Talks in which it is known, to the sample, what is a word, a filler, a breath, a silence.

spelled   words by espeak-ng, one by one, in a room's noise, with everything that edit.cut takes out
read      readings by people, with fillers and silences between them
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
import soxr

from functions.detect import activity
from functions.edit import cut
from functions.edit.cut_points import decoded
from functions.edit.cut_rules import CutParams
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.audio_words import AudioWords
from shared.contracts.edit_list import Edit, EditList
from shared.contracts.spoken_word import SpokenWord
from shared.contracts.step_engine import InputFile, Job, Result
from tests.functions.transcribe.sounds import RATE_HZ, Samples, noise, silence, spoken
from tests.functions.transcribe.timed import SENTENCES, readings, sounding
from tests.shared.media.recordings import probed

Kind = Literal["word", "filler", "hum", "breath", "silence", "repeat", "name"]
"""``filler``: a word that the recogniser wrote; ``hum``: voice that it passed over."""


@dataclass(frozen=True)
class Piece:
    """One sound of a talk, and where it is."""

    kind: Kind
    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Talk:
    """A sound and all that is in it, in order."""

    sound: Samples
    pieces: Sequence[Piece]

    def of(self, *kinds: Kind) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind in kinds]

    @property
    def words(self) -> AudioWords:
        """As a recogniser without fault would have heard them: the hums are no words."""
        said = tuple(
            SpokenWord(
                start_ms=round(piece.start_ms),
                end_ms=round(piece.end_ms),
                text=piece.text,
                probability=0.9,
                timing="aligned",
            )
            for piece in self.of("word", "filler", "repeat", "name")
        )
        return AudioWords(
            duration_ms=round(len(self.sound) * 1000 / RATE_HZ),
            language="en",
            words=said,
            speech=(),
            transcribed=True,
            model_used="truth",
        )


class _Builder:
    def __init__(self) -> None:
        self._parts: list[Samples] = []
        self._pieces: list[Piece] = []
        self._at = 0

    def add(self, kind: Kind, sound: Samples, text: str = "") -> None:
        start, self._at = self._at, self._at + len(sound)
        self._parts.append(sound)
        times = (start * 1000 / RATE_HZ, self._at * 1000 / RATE_HZ)
        self._pieces.append(Piece(kind, text, *times))

    def pause(self, ms: float) -> None:
        """Too short to be one of the silences that are looked for."""
        self._parts.append(silence(ms / 1000))
        self._at += len(self._parts[-1])

    def talk(self, noise_db: float) -> Talk:
        sound = np.concatenate(self._parts)
        drawn = np.random.default_rng(7).standard_normal(len(sound))
        mixed = sound + 10 ** (noise_db / 20) * drawn
        return Talk(np.asarray(mixed, np.float32), self._pieces)


@cache
def hum(length: int, pitch: int) -> Samples:
    """A held "uh" in one of espeak-ng's voices."""
    command = [
        "espeak-ng",
        "-v",
        "en-us",
        "-s",
        "120",
        "-p",
        str(pitch),
        "--stdout",
        f"[[V{':' * length}]]",
    ]
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32768
    return sounding(soxr.resample(samples, 22_050, RATE_HZ))


def breath(seconds: float, level: float = 0.012) -> Samples:
    """Air: noise that swells and fades."""
    sound = noise(seconds, 0.6, level)
    return np.asarray(sound * np.hanning(len(sound)) * 1.6, np.float32)


def spelled(seed: int = 1, noise_db: float = -66.0, count: int = len(SENTENCES)) -> Talk:
    """The first ``count`` sentences word by word, with all that can be cut strewn in."""
    draw, build = random.Random(seed), _Builder()
    build.add("silence", silence(0.9))
    for sentence in SENTENCES[:count]:
        said = [text.strip(".") for text in sentence.split()]
        for at, text in enumerate(said):
            if 0 < at < len(said) - 1 and draw.random() < 0.25:
                _stray(draw, build)
            if at in (0, 2) and draw.random() < 0.3:
                # Two words that are begun twice: said[at], said[at + 1], and again.
                for again in said[at : at + 2]:
                    build.add("repeat", sounding(spoken(again)), again)
                    build.pause(draw.uniform(60, 240))
            build.add("word", sounding(spoken(text)), text + ("." if at == len(said) - 1 else ""))
            build.pause(draw.uniform(30, 220)) if at < len(said) - 1 else None
        build.add("silence", silence(draw.uniform(0.75, 2.5)))
    return build.talk(noise_db)


def _stray(draw: random.Random, build: _Builder) -> None:
    build.pause(draw.uniform(80, 250))
    match draw.choice(("filler", "hum", "breath")):
        case "filler":
            text = draw.choice(("um", "uh", "erm"))
            build.add("filler", sounding(spoken(text)), text)
        case "hum":
            build.add("hum", hum(draw.randint(0, 3), draw.choice((20, 40, 60, 80))))
        case "breath":
            build.add("breath", breath(draw.uniform(0.2, 0.45)))
    build.pause(draw.uniform(80, 250))


def read(seed: int, count: int, noise_db: float = -60.0) -> Talk:
    """The first ``count`` readings by people, each one ``word`` of many; between them hums and silences."""
    draw, build = random.Random(seed), _Builder()
    build.add("silence", silence(1.0))
    for sound, said in readings()[:count]:
        build.add("word", sound, " ".join(said))
        build.pause(draw.uniform(150, 350))
        build.add("hum", hum(draw.randint(0, 3), draw.choice((20, 40, 60, 80))))
        build.pause(draw.uniform(150, 350)) if draw.random() < 0.5 else build.add(
            "silence", silence(draw.uniform(0.8, 2.0))
        )
    return build.talk(noise_db)


def saved(talk: Talk, folder: Path, rate_hz: int = RATE_HZ) -> Path:
    """As a recording of so many samples a second."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "talk.wav"
    soundfile.write(path, soxr.resample(talk.sound, RATE_HZ, rate_hz), rate_hz, subtype="PCM_16")
    return path


def listened(source: Path, folder: Path) -> InputFile:
    """The recording's activity."""
    folder.mkdir(parents=True)
    job = Job(source, probed(source), folder, lambda done: None)
    made = activity.ENGINE.run(job, activity.ENGINE.params(), activity.ENGINE.backend()).outputs[0]
    assert AudioActivity.kind == made.kind
    return InputFile("art_activity", made.kind, made.path, made.meta)


def heard_as(source: Path, folder: Path, heard: InputFile, words: AudioWords) -> cut.Heard:
    """What edit.cut goes by."""
    activity_heard = AudioActivity.read(heard.path)
    folder.mkdir(parents=True)
    job = Job(source, probed(source), folder, lambda done: None)
    sound = decoded(job, activity_heard.duration_ms, lambda done: None)
    return cut.Heard(activity_heard, words, None, sound)


def cut_list(
    source: Path, heard: InputFile, words: AudioWords, folder: Path, **params: Any
) -> tuple[EditList, Result]:
    """What the step makes of it."""
    folder.mkdir(parents=True)
    words.write(folder / "words.json")
    inputs = {
        "detect.activity": [heard],
        "transcribe.words": [InputFile("art_words", "audio_words", folder / "words.json", {})],
    }
    progress: list[float] = []
    job = Job(source, probed(source), folder, progress.append, inputs=inputs)
    result = cut.ENGINE.run(job, CutParams(**params), cut.ENGINE.backend())
    assert progress == sorted(progress) and progress[-1] == 1
    return EditList.read(result.outputs[0].path), result


def cuts(edits: EditList, *reasons: str) -> list[Edit]:
    """The standing ones of these reasons."""
    return [edit for edit in edits.standing if edit.reason in reasons]


def overlap_ms(edit: Edit, piece: Piece) -> float:
    return min(edit.end_ms, piece.end_ms) - max(edit.start_ms, piece.start_ms)


def wrongly_cut(edits: EditList, talk: Talk, most_ms: float = 10.0) -> Iterator[tuple[Piece, Edit]]:
    """Words that stay and of which more than ``most_ms`` is gone."""
    for piece in talk.of("word", "name"):
        for edit in edits.standing:
            if edit.action == "cut" and overlap_ms(edit, piece) > most_ms:
                yield piece, edit
