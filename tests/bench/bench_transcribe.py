"""The transcriptions beside the bare libraries, on the same model and sound.

python -m tests.bench transcribe

Bare means what a user of faster-whisper writes: decode the file, ``vad_filter``, word times, the same
beam. The models are the one of twenty words, whose network is so small that what is around it shows
at its worst, and the same grown to the width and layers of ``tiny``, nearer to what users pay; or the
one that BENCH_WHISPER names. What is said are words that they know: of others each makes up as many
as it likes. Librosa's compiled code is warm in both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from functions.transcribe import words
from functions.transcribe.whisper import find_model, load_model
from shared.contracts.step_engine import Job
from shared.media.probe import probe
from shared.settings import settings
from shared.sound.beats import hear_beats
from shared.sound.onsets import analyse
from shared.sound.speech_params import SpeechParams
from shared.sound.tones import FeatureMeter
from tests.bench.grown_whisper import grow
from tests.bench.report import Row, median_s, show
from tests.functions.transcribe.harness import MODEL, heard
from tests.functions.transcribe.sounds import RATE_HZ, band, silence, spoken, write

SENTENCES = (
    "three music hello seven drums",
    "play bass stop nine",
    "voice test world two media",
    "zero eight four one six hello",
)
PAUSES_S = (0.3, 0.5, 0.8, 1.2)


def speech(folder: Path, length_s: float) -> Path:
    """Phrases of words that the models know, with pauses as between sentences."""
    said = zip(SENTENCES, PAUSES_S, strict=True)
    parts = [part for text, pause_s in said for part in (spoken(text), silence(pause_s))]
    cycle_s = sum(map(len, parts)) / RATE_HZ
    times = max(1, round(length_s / cycle_s))
    return write(folder / f"{length_s:.0f}_s.wav", *(parts * times), rate_hz=44_100)


def bare_whisper(source: Path) -> Callable[[], Any]:
    from faster_whisper.audio import decode_audio

    model = load_model(find_model(settings().whisper_model), "cpu")

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
    """Words of ever longer sound, then beats."""
    phrase = write(folder / "phrase.wav", silence(1), spoken(SENTENCES[0]), silence(1))
    sources = {
        "a phrase, 4 s": (phrase, 9),
        "four, 10 s": (speech(folder, 10), 9),
        "a minute": (speech(folder, 60), 5),
        "ten minutes": (speech(folder, 600), 1),
    }
    found = []
    for model, path in models(folder).items():
        use_model(path)
        for name, (source, times) in sources.items():
            found.append(word_row(f"words, {model}, {name}", source, folder, times))
    return [*found, *beat_rows()]


def models(folder: Path) -> dict[str, Path]:
    """What each is called, and where it lies."""
    if named := os.environ.get("BENCH_WHISPER"):
        return {Path(named).name: Path(named)}
    return {"tiny's size": grow(MODEL, folder / "grown"), "test model": MODEL}


def use_model(path: Path) -> None:
    os.environ["VIDEO_CAPTIONS_MODEL"] = os.environ["AUDIO_SEMANTIC_WHISPER_MODEL"] = str(path)
    settings.cache_clear()


def word_row(name: str, source: Path, folder: Path, times: int) -> Row:
    ours, bare = our_words(source, folder), bare_whisper(source)
    ours(), bare()
    took = median_s(ours, times=times), median_s(bare, times=times)
    return Row(name, *took, "s", "at most 1.05")


def our_words(source: Path, folder: Path) -> Callable[[], Any]:
    """The step; who speaks when it is told by the recording's activity, which other steps read, too."""
    params, backend, media = SpeechParams(language="en"), words.backend(), probe(source)
    given = heard(source, Path(tempfile.mkdtemp(dir=folder)) / "activity", params)

    def work() -> Any:
        with tempfile.TemporaryDirectory(dir=folder) as workdir:
            job = Job(source, media, Path(workdir), lambda _: None, inputs=given)
            return words.run(job, params, backend)

    return work


def beat_rows() -> list[Row]:
    import librosa

    samples = band(60)

    def ours() -> object:
        meter = FeatureMeter()
        meter.add(samples)
        meter.finish()
        return hear_beats(analyse([samples[:, None]], RATE_HZ))

    def bare() -> object:
        return librosa.beat.beat_track(y=samples, sr=RATE_HZ)

    ours(), bare()
    return [Row("a minute's beats, all features", median_s(ours), median_s(bare), "s")]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        show("transcribe", rows(Path(folder)), bare="bare library")


if __name__ == "__main__":
    main()
