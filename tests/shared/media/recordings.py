"""Recordings made for a test, and those that lie beside the repository."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from shared.contracts.asset import AudioStream, MediaInfo
from shared.media.probe import probe

REAL = Path(__file__).parents[4] / "shared" / "media"


def real(name: str) -> Path:
    """A real recording, or the test is skipped."""
    if not (REAL / name).exists():
        pytest.skip(f"the shared recordings are not beside the repository: {name}")
    return REAL / name


def ffmpeg(*args: str | Path) -> None:
    """Make a file; fails loudly."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, args)], check=True)


def noise(frames: int, channels: int = 2) -> NDArray[np.float32]:
    """Reproducible noise within 24 bit steps, so that PCM and FLAC keep it exactly."""
    steps = np.random.default_rng(7).integers(-(2**22), 2**22, (frames, channels))
    return (steps / 2**23).astype(np.float32)


def write_noise(path: Path, frames: int = 4800, channels: int = 2, rate: int = 48000) -> Path:
    soundfile.write(path, noise(frames, channels), rate, subtype="PCM_24")
    return path


def clip(path: Path, *, seconds: float = 2, video: str = "testsrc=s=64x48:r=25") -> Path:
    """A picture and a 440 Hz tone."""
    sources = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", "sine=440:r=48000"]
    ffmpeg(*sources, "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", path)
    return path


def probed(path: Path) -> MediaInfo:
    """What probing says, asked once of a file that several engines are given."""
    told = path.stat()
    return _probed(path, told.st_mtime_ns, told.st_size)


@lru_cache(64)
def _probed(path: Path, _written_ns: int, _size: int) -> MediaInfo:
    return probe(path)


def sound(container: str, rate: int = 48000, channels: int = 2) -> MediaInfo:
    """What probing would say of a file with one sound stream."""
    stream = AudioStream(index=0, codec="any", sample_rate_hz=rate, channels=channels)
    return MediaInfo(container=container, duration_ms=1000, audio=(stream,))
