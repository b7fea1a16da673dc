"""Measure word times on speech whose truth is exact, beside bare faster-whisper: docs/quality/speech.md.

python -m tests.bench.quality_times base
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from statistics import mean, median
from typing import Any

from functions.transcribe.one_window import BEAM_SIZE, Asked
from functions.transcribe.recognise import Recogniser
from functions.transcribe.whisper import find_model, load_model
from shared.media.vad import RATE_HZ
from shared.sound.speech import find_voiced
from tests.bench.quality_words import words_of
from tests.functions.transcribe.sounds import Samples
from tests.functions.transcribe.timed import Timed, TimedWord, continuous, joined, spliced

EARLY_S = 0.02
"""A word that begins so much before its sound begins in silence."""
SOUNDS: dict[str, Callable[[], Timed]] = {
    "words with pauses of 60 to 150 ms": lambda: spliced(1, (60, 150)),
    "words with pauses of 150 to 400 ms": lambda: spliced(2, (150, 400)),
    "the same, noise at -45 dBFS": lambda: spliced(2, (150, 400), -45),
    "sentences": continuous,
    "sentences, noise at -45 dBFS": lambda: continuous(-45),
    "readings, joined to a minute": lambda: joined(60),
}


@dataclass(frozen=True)
class Errors:
    """Of the words that were recognised and whose truth is known, in ms."""

    starts_ms: Sequence[float]
    ends_ms: Sequence[float]
    """Heard minus true."""
    in_silence: int
    """Words that begin where nobody speaks."""
    words: int

    @property
    def row(self) -> str:
        """Mean absolute errors of starts and ends, the share that begins in silence."""
        cells = [
            f"{mean(map(abs, each or [float('nan')])):.0f}"
            for each in (self.starts_ms, self.ends_ms)
        ]
        return f"{cells[0]} / {cells[1]} ms, {self.in_silence / max(1, self.words):.1%}"


def compared(truth: Timed, heard: Sequence[TimedWord]) -> Errors:
    """The words that both have, in order."""
    said = [_plain(word) for word in truth.words]
    told = [_plain(word) for word in heard]
    pairs = [
        (truth.words[a + at], heard[b + at])
        for a, b, size in SequenceMatcher(a=said, b=told, autojunk=False).get_matching_blocks()
        for at in range(size)
    ]
    return Errors(
        [1000 * (b.start_s - a.start_s) for a, b in pairs if not math.isnan(a.start_s)],
        [1000 * (b.end_s - a.end_s) for a, b in pairs if not math.isnan(a.end_s)],
        sum(
            any(low <= word.start_s < high - EARLY_S for low, high in truth.pauses_s)
            for word in heard
        ),
        len(heard),
    )


def _plain(word: TimedWord) -> str:
    return " ".join(words_of(word.text))


def bare(model: Any, sound: Samples) -> list[TimedWord]:
    segments, _ = model.transcribe(
        sound, language="en", beam_size=BEAM_SIZE, vad_filter=True, word_timestamps=True
    )
    return [
        TimedWord(word.word, word.start, word.end) for one in segments for word in one.words or ()
    ]


def ours(model: Any, sound: Samples) -> list[TimedWord]:
    voiced = find_voiced([sound], len(sound) * 1000 // RATE_HZ, 300, lambda done: None)
    spoken = Recogniser(model, Asked("en")).recognise([sound], voiced, lambda done: None)
    return [TimedWord(w.text, w.start_ms / 1000, w.end_ms / 1000) for w in spoken.words]


def main() -> None:
    model = load_model(find_model((sys.argv[1:] or ["base"])[0]), "cpu")
    print("| speech | bare: starts / ends, in silence | ours |\n| --- | --- | --- |")
    for name, make in SOUNDS.items():
        truth = make()
        errors = [compared(truth, hear(model, truth.sound)) for hear in (bare, ours)]
        print(f"| {name} | {errors[0].row} | {errors[1].row} |", flush=True)
    drift(model)


def drift(model: Any) -> None:
    """Readings of more than five minutes: the middle error of each minute, heard minus true."""
    truth = joined(300)
    edges = list(pairwise([*(60 * n for n in range(5)), 1e9]))
    for name, hear in (("bare", bare), ("ours", ours)):
        heard = hear(model, truth.sound)
        middles = []
        for low, high in edges:
            part = [w for w in truth.words if low <= _place(w) < high]
            found = compared(
                Timed(truth.sound, part, ()), [w for w in heard if low <= w.start_s < high]
            )
            middles.append(f"{median([*found.starts_ms, *found.ends_ms]):+.0f}")
        print(f"drift, {name}: {', '.join(middles)} ms", flush=True)


def _place(word: TimedWord) -> float:
    return word.start_s if not math.isnan(word.start_s) else word.end_s


if __name__ == "__main__":
    main()
