"""Long sound takes no more memory than five minutes of it, but for a few numbers a frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.functions.detect import synth

CODE = """
import sys, threading
from pathlib import Path
from functions.detect import activity, hits
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.step_engine import InputFile, Job
stream = AudioStream(index=0, codec="pcm", sample_rate_hz=16_000, channels=2)
media = MediaInfo(container="wav", duration_ms=int(sys.argv[2]), audio=(stream,))
inputs, peak_kib, done = {}, 0, threading.Event()
def watch():
    # What is mapped from disk is left out: the system takes it back when others need the room.
    global peak_kib
    while not done.wait(0.02):
        status = Path("/proc/self/status").read_text()
        peak_kib = max(peak_kib, int(status.split("RssAnon:")[1].split()[0]))
watching = threading.Thread(target=watch)
watching.start()
for step, engine in (("detect.activity", activity.ENGINE), ("detect.hits", hits.ENGINE)):
    work = Path(sys.argv[3]) / step
    work.mkdir(parents=True)
    job = Job(Path(sys.argv[1]), media, work, lambda fraction: None, inputs)
    made = engine.run(job, engine.params(), engine.backend()).outputs[0]
    inputs[step] = [InputFile("art_1", made.kind, made.path, made.meta)]
done.set()
watching.join()
print(peak_kib // 1024)
"""


def _peak_mib(seconds: int, folder: Path) -> int:
    pattern = synth.drums(rate_hz=16_000, bars=7, bpm=30, lead_s=2.0).samples[: 60 * 16_000]
    source = folder / f"{seconds}.wav"
    with soundfile.SoundFile(source, "w", 16_000, 2, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(np.stack([pattern, pattern], axis=1))
    arguments = [str(source), str(1_000 * seconds), str(folder / f"work{seconds}")]
    command = [sys.executable, "-c", CODE, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.heavy
def test_twenty_minutes_take_little_more_than_five(tmp_path: Path) -> None:
    """Fifteen minutes more, of one channel at 16 kHz, would take 55 MiB as floats. What is kept of them takes
    some 10, and what the allocators of several threads hold back differs by as much from run to run.
    """
    short, long = _peak_mib(5 * 60, tmp_path), _peak_mib(20 * 60, tmp_path)
    assert long < short + 40, (short, long)
