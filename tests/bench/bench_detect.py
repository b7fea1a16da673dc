"""Hits, loops and phrases beside the calls that a user of librosa (or aubio) would write.

    python -m tests.bench detect

Each measurement is a process of its own: wall time, CPU time with its children's (ffmpeg), and the
memory of the largest of them. "And nothing else" is what activity calls for onsets (to half a
millisecond, either channel, masking) and beats, without speech, levels, kinds of sound and cutting.
Bare librosa loads the whole file and calls onset_detect, or onset_detect and beat_track; it cuts and
writes nothing. "Cold" begins with an empty numba cache, as a new container does. BENCH_AUBIO names a
Python that has aubio, to measure its onset and tempo tools too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.bench.measuring import Cost, cheapest, cost_of
from tests.bench.report import Row
from tests.functions.detect import synth

RATE_HZ = 44_100
HEARS_MORE = (
    "activity hears speech, levels and kinds of sound, too; hits and loops are cut and written"
)
FINER = "twice the frames, each channel, at the recording's own rate; what masks them"

OURS = """
import json, sys
from importlib import import_module
from pathlib import Path
from shared.contracts.step_engine import InputFile, Job
from shared.media.probe import probe
source, work, steps = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
media, made = probe(source), {}
for step in steps:
    engine = import_module(f"functions.{step}").ENGINE
    folder = work / step
    folder.mkdir()
    backend = engine.backend()
    assert not backend.stub
    job = Job(source, media, folder, lambda done: None, made, asset_id="ast_bench")
    result = engine.run(job, engine.params(), backend)
    assert result.state == "done", result.reason
    made[step] = [InputFile(o.name, o.kind, o.path, o.meta) for o in result.outputs]
"""
ALONE = """
import sys
from pathlib import Path
import numpy as np
from shared.media.decode import audio_blocks
from shared.media.probe import probe
from shared.sound.attacks import STEPS_PER_S, find_onsets, slope_energy
from shared.sound.beats import hear_beats
from shared.sound.onsets import OnsetStrength
source = Path(sys.argv[1])
media, slopes = probe(source), []
rate = media.heard.sample_rate_hz
with audio_blocks(source, media, block_frames=3_000 * (rate // STEPS_PER_S)) as blocks:
    strength = OnsetStrength(rate)
    for block in blocks:
        strength.process(block)
        slopes.append(slope_energy(block, rate).astype(np.float32))
tracks = strength.finish()
assert find_onsets(tracks, np.concatenate(slopes))
if "beats" in sys.argv[3]:
    assert hear_beats(tracks)
"""
LIBROSA = """
import sys
import librosa
samples, rate = librosa.load(sys.argv[1])
librosa.onset.onset_detect(y=samples, sr=rate)
if "beats" in sys.argv[3]:
    librosa.beat.beat_track(y=samples, sr=rate)
"""
SILERO = """
import sys
from faster_whisper.audio import decode_audio
from faster_whisper.vad import get_speech_timestamps
get_speech_timestamps(decode_audio(sys.argv[1]))
"""
AUBIO = """
import sys
import aubio
with aubio.source(sys.argv[1], 0, 512) as source:
    onset = aubio.onset("default", 1024, 512, source.samplerate)
    tempo = aubio.tempo("default", 1024, 512, source.samplerate)
    read, frames = 512, 0
    while read == 512:
        mono, read = source()
        onset(mono)
        if "beats" in sys.argv[3]:
            tempo(mono)
        frames += read
    assert frames >= source.duration
"""


@dataclass(frozen=True)
class Work:
    """What is done to a recording, and by which Python."""

    script: str
    what: str
    python: str = sys.executable


HITS = Work(OURS, "detect.activity,detect.hits")
RHYTHM = Work(OURS, "detect.activity,detect.hits,detect.loops")
PHRASES = Work(OURS, "detect.activity,detect.phrases")
ONSETS_ALONE = Work(ALONE, "onsets")
BEATS_ALONE = Work(ALONE, "onsets,beats")
ONSETS = Work(LIBROSA, "onsets")
BEATS = Work(LIBROSA, "onsets,beats")
VOICE = Work(SILERO, "voice activity")
BESIDE = (
    (ONSETS_ALONE, ONSETS),
    (BEATS_ALONE, BEATS),
    (HITS, ONSETS),
    (RHYTHM, BEATS),
)
"""What is compared: what both do, then all that our steps do."""


def recording(seconds: int, folder: Path) -> Path:
    """Drums, notes and noise, stereo; written a minute at a time."""
    drums = synth.drums(bars=28, bpm=120, noise_dbfs=-50).samples
    notes = synth.melody(attack_s=0.01, notes=200, seed=4).samples
    mono = np.resize(drums, 60 * RATE_HZ)
    mono[: 40 * RATE_HZ] += 0.5 * np.resize(notes, 40 * RATE_HZ)
    path = folder / f"{seconds}.wav"
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "PCM_16") as file:
        for minute in range(seconds // 60):
            turned = 0.7 * np.roll(mono, 7_919 * minute)
            file.write(np.stack([turned, 0.9 * turned], axis=1))
    return path


def cost(work: Work, source: Path, numba_cache: Path) -> Cost:
    """In a fresh interpreter, imports included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [work.python, "-c", work.script, source, folder, work.what]
        return cost_of(command, {"NUMBA_CACHE_DIR": str(numba_cache)})


def beside(
    what: str,
    ours: Work,
    bare: Work,
    source: Path,
    numba_cache: Path,
    *,
    goals: tuple[str, str],
    rounds: int = 1,
) -> list[Row]:
    """Processor and memory."""
    why = FINER if ours.script is ALONE else HEARS_MORE
    mine, theirs = cheapest(
        lambda: cost(ours, source, numba_cache),
        lambda: cost(bare, source, numba_cache),
        rounds=rounds,
    )
    return [
        Row(f"{what}: processor", mine.cpu_s, theirs.cpu_s, "s", goals[0], why),
        Row(f"{what}: memory", mine.peak_mib, theirs.peak_mib, "MiB", goals[1]),
    ]


def measure() -> Iterator[Row]:
    """A minute, and ten."""
    yield from beside_librosa({"60 s": 60, "10 min": 600})


def measure_long() -> Iterator[Row]:
    """Half an hour; and aubio, which goes through the file in blocks, too, in C, and cuts nothing."""
    lengths_s = {"60 s": 60, "30 min": 1800}
    yield from beside_librosa(lengths_s)
    if python := os.environ.get("BENCH_AUBIO"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for length, seconds in lengths_s.items():
                source = recording(seconds, folder)
                for ours, what in ((HITS, "onsets"), (RHYTHM, "onsets,beats")):
                    bare = Work(AUBIO, what, python)
                    asked = f"hits of {length}, beside aubio's {what.replace(',', ' and ')}"
                    yield from beside(asked, ours, bare, source, folder / "numba", goals=("", ""))


def beside_librosa(lengths_s: Mapping[str, int]) -> Iterator[Row]:
    """Each length with librosa's compiled code kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm = folder / "numba"
        sources = {length: recording(seconds, folder) for length, seconds in lengths_s.items()}
        cost(BEATS, sources["60 s"], warm)
        for length, source in sources.items():
            rounds = 2 if length == "60 s" else 1
            for ours, bare in BESIDE:
                made = ours.what.replace("detect.", "").replace(",", ", ")
                alone = " and nothing else" if ours.script is ALONE else ""
                asked = bare.what.replace(",", " and ")
                what = f"{made}{alone} of {length}, beside librosa's {asked}"
                goals = "ratio <= 1.0", "" if length == "60 s" else "ratio <= 1.0"
                yield from beside(what, ours, bare, source, warm, goals=goals, rounds=rounds)
        what = "phrases of 60 s, beside Silero alone"
        goals = "", ""
        yield from beside(what, PHRASES, VOICE, sources["60 s"], warm, goals=goals, rounds=2)
