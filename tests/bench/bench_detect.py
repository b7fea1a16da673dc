"""Hits, loops, phrases and the pack beside the calls that a user of librosa (or aubio) would write.

    python -m tests.bench detect

Each measurement is a process of its own: wall time, CPU time with its children's (ffmpeg), and the
memory of the largest of them. Bare librosa loads the whole file and calls onset_detect, or onset_detect and
beat_track; it cuts and writes nothing. "Cold" begins with an empty numba cache, as a new container
does. BENCH_AUBIO names a Python that has aubio, to measure its onset and tempo tools too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.bench.report import Row, show
from tests.functions.detect import synth

RATE_HZ = 44_100
LENGTHS_S: Mapping[str, int] = {"60 s": 60, "30 min": 1800}
TIMES = {"60 s": 3, "30 min": 1}

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
LIBROSA = """
import sys
import librosa
samples, rate = librosa.load(sys.argv[1])
librosa.onset.onset_detect(y=samples, sr=rate)
if "beats" in sys.argv[3]:
    librosa.beat.beat_track(y=samples, sr=rate)
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
_MEASURED = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Cost:
    """Of one process and its children."""

    wall_s: float
    cpu_s: float
    memory_mib: float


@dataclass(frozen=True)
class Work:
    """What is done to a recording, and by which Python."""

    script: str
    what: str
    python: str = sys.executable


HITS = Work(OURS, "detect.activity,detect.hits")
RHYTHM = Work(OURS, "detect.activity,detect.hits,detect.loops")
PACK = Work(OURS, "detect.activity,detect.hits,detect.loops,detect.phrases,sample.pack")
ONSETS = Work(LIBROSA, "onsets")
BEATS = Work(LIBROSA, "onsets,beats")


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


def cost(work: Work, source: Path, *, numba_cache: Path) -> Cost:
    """In a fresh interpreter, imports included."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(numba_cache)}
    with tempfile.TemporaryDirectory() as folder:
        command = [work.python, "-c", work.script, str(source), folder, work.what]
        return cost_of(command, environment)


def cost_of(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Of a command and all that it starts."""
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        env=environment,
        check=True,
        capture_output=True,
    )
    return Cost(*json.loads(ran.stdout))


def least(work: Work, source: Path, numba_cache: Path, times: int) -> Cost:
    """The cheapest of several runs: what other work on the machine adds is noise."""
    costs = [cost(work, source, numba_cache=numba_cache) for _ in range(times)]
    return min(costs, key=lambda each: each.wall_s)


def rows(name: str, ours: Cost, bare: Cost, aims: Sequence[str] = ("", "", "")) -> list[Row]:
    """Wall, CPU and memory."""
    return [
        Row(f"{name}: wall", ours.wall_s, bare.wall_s, "s", aims[0]),
        Row(f"{name}: CPU", ours.cpu_s, bare.cpu_s, "s", aims[1]),
        Row(f"{name}: peak memory", ours.memory_mib, bare.memory_mib, "MiB", aims[2]),
    ]


def beside_librosa(folder: Path) -> list[Row]:
    found: list[Row] = []
    warm = folder / "numba"
    cost(BEATS, recording(60, folder), numba_cache=warm)
    for length, seconds in LENGTHS_S.items():
        source, times = recording(seconds, folder), TIMES[length]
        memory = "well under 1" if length == "30 min" else ""
        wall = "at most 1" if length == "60 s" else ""
        onsets, beats = (least(bare, source, warm, times) for bare in (ONSETS, BEATS))
        for ours, bare in ((HITS, onsets), (RHYTHM, beats), (PACK, beats)):
            steps = ", ".join(step.split(".")[1] for step in ours.what.split(","))
            aims = (wall if ours is not PACK else "", "", memory)
            found += rows(f"{length}, {steps}", least(ours, source, warm, times), bare, aims)
    source = folder / "60.wav"
    cold = [
        cost(work, source, numba_cache=folder / f"{i}") for i, work in enumerate((RHYTHM, BEATS))
    ]
    return [*found, *rows("60 s, hits, loops, empty numba cache", *cold, ("at most 1", "", ""))]


def beside_aubio(folder: Path, python: str) -> list[Row]:
    """Aubio also goes through the file in blocks, in C, and also cuts nothing."""
    found: list[Row] = []
    for length, seconds in LENGTHS_S.items():
        source, times = folder / f"{seconds}.wav", TIMES[length]
        for ours, what in ((HITS, "onsets"), (RHYTHM, "onsets,beats")):
            bare = least(Work(AUBIO, what, python), source, folder / "numba", times)
            mine = least(ours, source, folder / "numba", times)
            found += rows(f"{length}, {what.replace(',', ', ')}", mine, bare)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show("detect", beside_librosa(folder), bare="librosa")
        if python := os.environ.get("BENCH_AUBIO"):
            show("detect-aubio", beside_aubio(folder, python), bare="aubio")


if __name__ == "__main__":
    main()
