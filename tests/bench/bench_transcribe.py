"""The transcriptions beside the bare libraries, on the same model and sound.

python -m tests.bench transcribe

Bare means what a user of faster-whisper writes: decode the file, ``vad_filter``, word times, the same
beam. The table has a minute's talk by ``base``, each in a process of its own. At length (`long
transcribe`) words are heard by the model of twenty words, whose network is so small that what is around
it shows at its worst, and by the same grown to the width and layers of ``tiny``, nearer to what users
pay; or by the one that BENCH_WHISPER names. What is said there are words that they know: of others each
makes up as many as it likes. Librosa's compiled code is warm in both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from functions.transcribe import words
from functions.transcribe.whisper import find_model, load_model
from shared.contracts.step_engine import Job
from shared.media.probe import probe
from shared.settings import settings
from shared.sound.beats import hear_beats
from shared.sound.speech_params import SpeechParams
from shared.sound.tones import FeatureMeter
from tests.bench.bench_detect import OURS, Work, cost
from tests.bench.bench_run import model as published
from tests.bench.bench_run import talk
from tests.bench.grown_whisper import grow
from tests.bench.measuring import cheapest, cpu_s
from tests.bench.report import Row
from tests.functions.transcribe.harness import MODEL, heard
from tests.functions.transcribe.sounds import RATE_HZ, band, silence, spoken, write
from tests.onset_tracks import analyse

SENTENCES = (
    "three music hello seven drums",
    "play bass stop nine",
    "voice test world two media",
    "zero eight four one six hello",
)
PAUSES_S = (0.3, 0.5, 0.8, 1.2)
FASTER_WHISPER = """
import sys
from faster_whisper import WhisperModel
whisper = WhisperModel(sys.argv[3], device="cpu", compute_type="int8")
segments, _ = whisper.transcribe(sys.argv[1], beam_size=5, word_timestamps=True, vad_filter=True)
words = sum(len(segment.words) for segment in segments)
"""
CAPTIONS = Work(OURS, "detect.activity,transcribe.words,transcribe.captions")


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


def measure() -> Iterator[Row]:
    """Captions of a minute's talk, by published weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = talk(60, folder)
        bare = Work(FASTER_WHISPER, str(published()))
        mine, theirs = cheapest(
            lambda: cost(CAPTIONS, source, folder / "numba"),
            lambda: cost(bare, source, folder / "numba"),
            rounds=2,
        )
        what = "activity, words and captions of 60 s by base, beside faster-whisper"
        why = "a window of Whisper more: pauses stay whole"
        yield Row(f"{what}: processor", mine.cpu_s, theirs.cpu_s, "s", "ratio <= 1.05", why)
        yield Row(f"{what}: memory", mine.peak_mib, theirs.peak_mib, "MiB", "ratio <= 1.05")


def measure_long() -> Iterator[Row]:
    """Words of ever longer sound with the tests' models, then beats."""
    with tempfile.TemporaryDirectory() as name:
        yield from rows(Path(name))


def rows(folder: Path) -> Iterator[Row]:
    """Every model and length."""
    phrase = write(folder / "phrase.wav", silence(1), spoken(SENTENCES[0]), silence(1))
    sources = {
        "a phrase, 4 s": (phrase, 9),
        "four, 10 s": (speech(folder, 10), 9),
        "a minute": (speech(folder, 60), 5),
        "ten minutes": (speech(folder, 600), 1),
    }
    for model, path in models(folder).items():
        use_model(path)
        for name, (source, times) in sources.items():
            yield word_row(f"words, {model}, {name}", source, folder, times)
    yield beat_row()


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
    return Row(name, *cpu_s(ours, bare, rounds=times), "s", "ratio <= 1.05")


def our_words(source: Path, folder: Path) -> Callable[[], Any]:
    """The step; who speaks when it is told by the recording's activity, which other steps read, too."""
    params, backend, media = SpeechParams(language="en"), words.backend(), probe(source)
    given = heard(source, Path(tempfile.mkdtemp(dir=folder)) / "activity", params)

    def work() -> Any:
        with tempfile.TemporaryDirectory(dir=folder) as workdir:
            job = Job(source, media, Path(workdir), lambda _: None, inputs=given)
            return words.run(job, params, backend)

    return work


def beat_row() -> Row:
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
    return Row("a minute's beats, all features", *cpu_s(ours, bare, rounds=5), "s")
