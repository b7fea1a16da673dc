"""The transcriptions beside the bare libraries, on the same model and sound.

python -m tests.bench transcribe

Bare means what a user of faster-whisper writes: decode the file, ``vad_filter``, word times, the same
beam. The models are the one of twenty words, whose network is so small that what is around it shows
at its worst, and the same grown to the width and layers of ``tiny``, nearer to what users pay; or the
one that BENCH_WHISPER names. Librosa's compiled code is warm in both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from functions.transcribe import captions, recognise, semantics
from functions.transcribe.features import FLUX_FRAMES_PER_S, FeatureMeter
from functions.transcribe.whisper import find_model, load_model
from shared.contracts.engine import Job
from shared.media.beats import track_beats
from shared.media.probe import probe
from shared.settings import settings
from tests.bench.grown_whisper import grow
from tests.bench.report import Row, median_s, show
from tests.functions.transcribe.harness import MODEL, REAL_MEDIA
from tests.functions.transcribe.sounds import RATE_HZ, band, silence, spoken, write

SENTENCES = (
    "three music hello seven drums",
    "play bass stop nine",
    "voice test world two media",
    "zero eight four one six hello",
)


def speech(folder: Path) -> Path:
    """Two minutes of phrases, one behind the other."""
    parts = [part for text in SENTENCES for part in (spoken(text), silence(0.45))]
    return write(folder / "speech.wav", *(parts * 12), rate_hz=44_100)


def steady(source: Path, step: Callable[[Job], Any], folder: Path) -> Callable[[], Any]:
    media = probe(source)

    def work() -> Any:
        with tempfile.TemporaryDirectory(dir=folder) as workdir:
            return step(Job(source, media, Path(workdir), lambda _: None))

    return work


def bare_whisper(source: Path) -> Callable[[], Any]:
    from faster_whisper.audio import decode_audio

    model = load_model(find_model(settings().captions_model), "cpu")

    def work() -> Any:
        segments, _ = model.transcribe(
            decode_audio(str(source)),
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=True,
        )
        return list(segments)

    return work


def rows(folder: Path) -> list[Row]:
    """Captions of ever longer sound, then beats, then everything at once."""
    sources = {
        "a phrase, 4 s": (
            write(folder / "phrase.wav", silence(1), spoken(SENTENCES[0]), silence(1)),
            9,
        ),
        "a reading, 10 s": (REAL_MEDIA / "transcript/LJ001-0003.wav", 9),
        "a minute": (joined_readings(folder / "minute.wav", 60), 5),
        "ten minutes": (joined_readings(folder / "ten_minutes.wav", 600), 1),
    }
    found = []
    for model, path in models(folder).items():
        use_model(path)
        for name, (source, times) in sources.items():
            if source.exists():
                row = f"captions, {model}, {name}"
                found.append(caption_row(row, source, folder, times))
    phrases = speech(folder)
    return [*found, *beat_rows(), whole_row(phrases, folder)]


def models(folder: Path) -> dict[str, Path]:
    """What each is called, and where it lies."""
    if named := os.environ.get("BENCH_WHISPER"):
        return {Path(named).name: Path(named)}
    return {"tiny's size": grow(MODEL, folder / "grown"), "test model": MODEL}


def use_model(path: Path) -> None:
    os.environ["VIDEO_CAPTIONS_MODEL"] = os.environ["AUDIO_SEMANTIC_WHISPER_MODEL"] = str(path)
    settings.cache_clear()


def caption_row(name: str, source: Path, folder: Path, times: int) -> Row:
    ours, bare = our_captions(source, folder), bare_whisper(source)
    ours(), bare()
    # Of words that it doesn't know this model hears few; one that hears all needs no second look.
    with patch.object(recognise, "_covered", return_value=True):
        took = median_s(ours, times=times), median_s(bare, times=times)
    return Row(name, *took, "s", "at most 1.03")


def joined_readings(path: Path, length_s: int) -> Path:
    """Sentences one behind the other, again and again; no file where the recordings are not here."""
    import soundfile

    found = sorted((REAL_MEDIA / "transcript").glob("LJ*.wav"))
    if found:
        read = [soundfile.read(each) for each in found]
        rate_hz = read[0][1]
        samples = np.concatenate([samples for samples, _ in read])
        soundfile.write(path, np.resize(samples, length_s * rate_hz), rate_hz)
    return path


def our_captions(source: Path, folder: Path) -> Callable[[], Any]:
    params = captions.CaptionsParams(language="en")
    return steady(source, lambda job: captions.transcribe(job, params, weights=True), folder)


def beat_rows() -> list[Row]:
    import librosa

    samples = band(60)

    def ours() -> object:
        meter = FeatureMeter()
        meter.add(samples)
        return track_beats(meter.finish().flux, FLUX_FRAMES_PER_S)

    def bare() -> object:
        return librosa.beat.beat_track(y=samples, sr=RATE_HZ)

    ours(), bare()
    return [Row("a minute's beats, all features", median_s(ours), median_s(bare), "s")]


def whole_row(source: Path, folder: Path) -> Row:
    """Everything that semantics does, beside our own captions alone."""
    params = semantics.SemanticsParams(language="en")
    ours = steady(source, lambda job: semantics.hear(job, params, transcribe=True), folder)
    words = our_captions(source, folder)
    ours(), words()
    what = "semantics over captions (+ beats, loudness, kinds)"
    return Row(what, median_s(ours, times=3), median_s(words, times=3), "s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        show("transcribe", rows(Path(folder)), bare="bare library")


if __name__ == "__main__":
    main()
