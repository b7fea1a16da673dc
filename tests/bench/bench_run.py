"""A whole default run beside a script of the bare tools.

    python -m tests.bench run

Ours is ``rushes process`` into a fresh home, all of it: command, workers, probes, results folder. Bare is
what somebody would write instead: librosa's onsets and beats, Silero's voice activity, faster-whisper
with word times, two-pass loudnorm. Both take the same Whisper weights (``base``), each in a process of
its own, in turn; processor time counts children's. A talk is readings joined with pauses, music Vibe
Ace, from ``../shared/media``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from functions.transcribe.whisper import find_model
from tests.bench.measuring import Cost, cheapest, cost_of
from tests.bench.report import Row
from tests.functions.transcribe.harness import REAL_MEDIA

WHY = "command, worker and imports; a talk's windows of Whisper keep its pauses whole"
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
        command = [sys.executable, "-m", "infra.command.main", "process", source]
        return cost_of([*command, "--data", f"{folder}/home", "--out", folder, "--json"])


def bare(source: Path) -> Cost:
    """The script."""
    with tempfile.TemporaryDirectory() as folder:
        return cost_of([sys.executable, "-c", BARE, source, model(), f"{folder}/normalised.wav"])


def model() -> Path:
    """The weights of both. Raises ``MissingDependency`` where they are not installed."""
    return Path(find_model("base"))


def run_rows(what: str, source: Path) -> list[Row]:
    """In turn, so that a busy machine hurts both alike."""
    mine, theirs = cheapest(lambda: ours(source), lambda: bare(source), rounds=1)
    return [
        Row(f"{what}: processor", mine.cpu_s, theirs.cpu_s, "s", "ratio <= 1.0", WHY),
        Row(f"{what}: wall", mine.wall_s, theirs.wall_s, "s", "ratio <= 0.8", WHY),
        Row(f"{what}: memory", mine.peak_mib, theirs.peak_mib, "MiB"),
    ]


def measure(seconds: int = 60) -> Iterator[Row]:
    """A minute of each."""
    with tempfile.TemporaryDirectory() as name:
        for kind, make in (("a talk", talk), ("music", music)):
            source = make(seconds, Path(name))
            yield from run_rows(
                f"a default run of {seconds} s of {kind}, beside bare tools", source
            )


def measure_long() -> Iterator[Row]:
    """Ten minutes of each, then half an hour; rows stand in the file as they come."""
    yield from measure(600)
    yield from measure(1_800)
