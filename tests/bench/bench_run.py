"""A whole default run beside a script of the bare tools, and hits and loops beside bare librosa.

    [BENCH_SECONDS=60,600] python -m tests.bench run

Ours is ``rushes process`` into a fresh home, all of it: command, workers, probes, results folder. Bare is
what somebody would write instead: librosa's onsets and beats, Silero's voice activity, faster-whisper
with word times, two-pass loudnorm. Both take the same Whisper weights (``base``), each in a process of
its own, in turn; processor time counts children's. A talk is readings joined with pauses, music Vibe
Ace, from ``../shared/media``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from functions.transcribe.whisper import find_model
from tests.bench.bench_detect import BEATS, RHYTHM, Cost, cost_of, least
from tests.bench.report import Row, show
from tests.functions.transcribe.harness import REAL_MEDIA

ROOT = Path(__file__).parents[2]
ROUNDS = 2
READINGS = sorted((REAL_MEDIA / "transcript").glob("LJ*.wav"))
MUSIC = REAL_MEDIA / "music" / "Kevin_MacLeod_-_Vibe_Ace.ogg"
PAUSE_S = 0.6

BARE = """
import json, subprocess, sys
import librosa
from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio
from faster_whisper.vad import get_speech_timestamps
source, model, made = sys.argv[1:]
samples, rate = librosa.load(source)
librosa.onset.onset_detect(y=samples, sr=rate)
librosa.beat.beat_track(y=samples, sr=rate)
voice = decode_audio(source)
get_speech_timestamps(voice)
whisper = WhisperModel(model, device="cpu", compute_type="int8")
segments, _ = whisper.transcribe(voice, beam_size=5, word_timestamps=True, vad_filter=True)
words = sum(len(segment.words) for segment in segments)
def loudnorm(more, *out):
    start = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-i", source]
    graph = "loudnorm=I=-16:TP=-1:print_format=json" + more
    ran = subprocess.run([*start, "-af", graph, *out], check=True, capture_output=True, text=True)
    return json.loads(ran.stderr[ran.stderr.rindex("{") : ran.stderr.rindex("}") + 1])
told = loudnorm("", "-f", "null", "-")
names = ("I", "LRA", "TP", "thresh")
known = "".join(f":measured_{name}={told['input_' + name.lower()]}" for name in names)
loudnorm(f":linear=true:offset={told['target_offset']}{known}", "-ar", "44100", "-c:a", "pcm_s24le", made)
"""


def talk(seconds: int, folder: Path) -> Path:
    """Readings with pauses, over and over; mono, 44.1 kHz."""
    return _joined(READINGS, f",apad=pad_dur={PAUSE_S}", seconds, folder / f"talk_{seconds}.wav")


def music(seconds: int, folder: Path) -> Path:
    """A piece with a beat, from its beginning, over and over; stereo, 44.1 kHz."""
    return _joined([MUSIC], "", seconds, folder / f"music_{seconds}.wav")


def _joined(sources: Sequence[Path], filters: str, seconds: int, path: Path) -> Path:
    once = path.with_suffix(".once.wav")
    inputs = [word for source in sources for word in ("-i", str(source))]
    each = [f"[{at}:a]aresample=44100{filters}[{at}o]" for at in range(len(sources))]
    joined = "".join(f"[{at}o]" for at in range(len(sources))) + f"concat=n={len(sources)}:v=0:a=1"
    ffmpeg = ["ffmpeg", "-y", "-nostdin", "-v", "error"]
    made = [*ffmpeg, *inputs, "-filter_complex", ";".join([*each, joined]), str(once)]
    subprocess.run(made, check=True)
    looped = [*ffmpeg, "-stream_loop", "-1", "-i", str(once), "-t", str(seconds), str(path)]
    subprocess.run(looped, check=True)
    once.unlink()
    return path


def ours(source: Path) -> Cost:
    """``rushes process``, into a home that has seen nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "infra.command.main", "process", str(source)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return cost_of(
            [*command, "--data", f"{folder}/home", "--out", folder, "--json"], environment
        )


def bare(source: Path) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", BARE, str(source), str(find_model("base"))]
        return cost_of([*command, f"{folder}/normalised.wav"], {**os.environ})


def cheapest(costs: Sequence[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.cpu_s)


def run_rows(name: str, source: Path, rounds: int) -> list[Row]:
    """In turn, so that a busy machine hurts both alike."""
    taken = [(ours(source), bare(source)) for _ in range(rounds)]
    mine, theirs = (cheapest(costs) for costs in zip(*taken, strict=True))
    return [
        Row(f"{name}: processor", mine.cpu_s, theirs.cpu_s, "s", "at most 1.0"),
        Row(f"{name}: wall", mine.wall_s, theirs.wall_s, "s", "at most 0.8"),
        Row(f"{name}: peak of one process", mine.memory_mib, theirs.memory_mib, "MiB"),
    ]


def rhythm_rows(seconds: int, source: Path, folder: Path) -> list[Row]:
    """What activity, hits and loops take, beside librosa's onsets and beats."""
    mine, theirs = (least(work, source, folder / "numba", ROUNDS) for work in (RHYTHM, BEATS))
    what = f"hits and loops, music of {seconds} s"
    return [
        Row(f"{what}: processor", mine.cpu_s, theirs.cpu_s, "s", "at most 1.0"),
        Row(f"{what}: peak of one process", mine.memory_mib, theirs.memory_mib, "MiB", "0.1"),
    ]


def main() -> None:
    """Measure and show."""
    lengths_s = [int(word) for word in os.environ.get("BENCH_SECONDS", "60,600").split(",")]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seconds in lengths_s:
            rounds = ROUNDS if seconds <= 60 else 1
            rows += run_rows(f"a talk of {seconds} s", talk(seconds, folder), rounds)
            piece = music(seconds, folder)
            rows += run_rows(f"music of {seconds} s", piece, rounds)
            rows += rhythm_rows(seconds, piece, folder)
            show("run", rows, bare="bare tools")
