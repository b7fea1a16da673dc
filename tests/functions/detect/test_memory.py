"""Long sound takes no more memory than two minutes of it, but for a few numbers a frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.functions.detect import synth

CODE = """
import sys
from pathlib import Path
from importlib import import_module
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.step_engine import Backend, Job
engine = import_module(sys.argv[1]).ENGINE
stream = AudioStream(index=0, codec="pcm", sample_rate_hz=16_000, channels=2)
media = MediaInfo(container="wav", duration_ms=int(sys.argv[3]), audio=(stream,))
work = Path(sys.argv[4])
work.mkdir()
job = Job(Path(sys.argv[2]), media, work, lambda fraction: None)
engine.run(job, engine.params(), Backend("real", "1"))
# Not ru_maxrss: a child inherits its parent's.
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def _peak_mib(step: str, seconds: int, folder: Path) -> int:
    pattern = synth.drums(rate_hz=16_000, bars=7, bpm=30, lead_s=2.0).samples[: 60 * 16_000]
    source = folder / f"{seconds}.wav"
    with soundfile.SoundFile(source, "w", 16_000, 2, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(np.stack([pattern, pattern], axis=1))
    arguments = [step, str(source), str(1_000 * seconds), str(folder / f"{step}{seconds}")]
    command = [sys.executable, "-c", CODE, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("engine", "minutes", "more_mib"),
    # The samples alone would be 92 and 154; what the voice detector's arenas keep varies by some 60.
    [("hits", 12, 64), ("loops", 12, 64), ("phrases", 20, 128)],
)
def test_long_sound_takes_little_more_than_two_minutes(
    engine: str, minutes: int, more_mib: int, tmp_path: Path
) -> None:
    step = f"functions.detect.{engine}"
    short, long = _peak_mib(step, 120, tmp_path), _peak_mib(step, 60 * minutes, tmp_path)
    assert long < short + more_mib
    assert long < 400
