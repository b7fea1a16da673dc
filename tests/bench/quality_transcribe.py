"""Measure how well speech, music and noise are told apart: the tables in docs/quality/speech.md.

python -m tests.bench.quality_transcribe
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile

from functions.transcribe.semantics import ENGINE
from shared.media.vad import RATE_HZ, speech_probabilities, speech_spans
from shared.settings import settings
from shared.sound.beats import pulse_clarity
from shared.sound.music import music_scores
from shared.sound.tones import FeatureMeter
from tests.functions.transcribe.harness import MODEL, REAL_MEDIA, Ran, run
from tests.functions.transcribe.sounds import FIVE, FOUR, MUSIC, OTHER, TWO, Samples, spoken, write
from tests.onset_tracks import analyse

KINDS = ("speech", "music", "silence", "other")
SECONDS = 20


def kinds_table(folder: Path) -> None:
    print("| recording | speech | music | silence | other |\n| --- | --- | --- | --- | --- |")
    sources: dict[str, Path] = {}
    for group in (MUSIC, OTHER):
        for name, make in group.items():
            sources[name] = write(folder / f"{name}.wav", make(SECONDS))
    for part in ("music", "loops", "transcript", "segments"):
        sources |= {f"`{path.name[:32]}`": path for path in sorted((REAL_MEDIA / part).glob("*.*"))}
    for name, source in sources.items():
        ran = run(ENGINE, source, folder / f"out {name}")
        print(f"| {name} | {' | '.join(f'{share(ran, kind):.2f}' for kind in KINDS)} |")


def share(ran: Ran, kind: str) -> float:
    total = sum(event["end_ms"] - event["start_ms"] for event in ran.events(kind))
    return float(total / max(1, ran.body["duration_ms"]))


def features_table() -> None:
    print(
        "\n| sound | tonality | pulse clarity | music score, least to most |\n| --- | --- | --- | --- |"
    )
    groups: tuple[Mapping[str, Callable[[float], Samples]], ...] = (MUSIC, OTHER)
    for name, make in (item for group in groups for item in group.items()):
        meter = FeatureMeter()
        samples = make(SECONDS)
        meter.add(samples)
        tracks = analyse([samples[:, None]], RATE_HZ)
        features = meter.finish()
        clarity = np.median(pulse_clarity(tracks.flux_db, tracks.frames_per_s))
        scores = music_scores(features, tracks, 0, SECONDS)
        tonality = np.median(features.tonality)
        print(
            f"| {name} | {tonality:.2f} | {clarity:.2f} | {scores.min():.2f} to {scores.max():.2f} |"
        )


def speech_table() -> None:
    print("\n| recording | precision | recall |\n| --- | --- | --- |")
    for path in sorted((REAL_MEDIA / "truth" / "segments").glob("*.json")):
        truth = json.loads(path.read_text())
        samples, rate = soundfile.read(REAL_MEDIA / truth["file"], dtype="float32", always_2d=True)
        assert rate == RATE_HZ
        mono = samples.mean(axis=1)
        until = truth.get("covers", [0, len(mono) / rate])[1]
        said, heard = (np.zeros(round(100 * until), bool) for _ in range(2))
        for segment in truth["segments"]:
            if segment["label"] == "speech":
                said[round(100 * segment["start"]) : round(100 * segment["end"])] = True
        for span in speech_spans(speech_probabilities(mono), len(mono)):
            heard[span.start // 160 : span.stop // 160] = True
        both = (said & heard).sum()
        print(f"| `{path.stem}` | {both / heard.sum():.3f} | {both / said.sum():.3f} |")


def words_table(folder: Path) -> None:
    """Words of the model of twenty, through everything: one phrase a file."""
    draw = np.random.default_rng(7)
    known = [*FIVE.split(), *FOUR.split(), *TWO.split()]
    said = wrong = 0
    for index in range(20):
        text = " ".join(draw.choice(known, size=draw.integers(2, 7)))
        quiet = np.zeros(RATE_HZ, np.float32)
        ran = run(
            ENGINE, write(folder / f"{index}.wav", quiet, spoken(text), quiet), folder / f"w{index}"
        )
        heard = " ".join(event.get("transcription", "") for event in ran.events("speech")).split()
        said += len(text.split())
        wrong += edits(text.split(), heard)
    print(f"\nWord errors: {wrong} of {said} ({wrong / said:.1%}).")


def edits(said: list[str], heard: list[str]) -> int:
    """Levenshtein's distance in words."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, 1):
        corner, row[0] = row[0], index
        for at, other in enumerate(heard, 1):
            corner, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, corner + (word != other))
    return row[-1]


def main() -> None:
    os.environ["AUDIO_SEMANTIC_WHISPER_MODEL"] = str(MODEL)
    settings.cache_clear()
    with tempfile.TemporaryDirectory() as folder:
        kinds_table(Path(folder))
        features_table()
        speech_table()
        words_table(Path(folder))


if __name__ == "__main__":
    main()
