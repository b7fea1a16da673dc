"""Recordings of the kinds that people bring and tools stumble over, made here."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float64]


def bursts(seconds: float, *, hz: float = 440.0, level: float = 0.4, rate: int = RATE) -> Samples:
    """A tone that sounds for the first half of every second: ``(samples,)``."""
    at = np.arange(round(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * hz * at) * (at % 1 < 0.5))


def ffmpeg(*words: str | Path) -> None:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def write_raw_wav(path: Path, samples: Samples, rate: int = RATE) -> Path:
    """A plain header for any number of channels: no layout is named."""
    wide = samples[:, None] if samples.ndim == 1 else samples
    data = np.rint(np.clip(wide, -1, 1) * 32767).astype("<i2").tobytes()
    channels = wide.shape[1]
    form = (1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    return write_riff(path, struct.pack("<HHIIHH", *form), data)


def write_riff(path: Path, form: bytes, data: bytes, *, order: str = "<") -> Path:
    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(f"{order}I", len(body)) + body

    body = b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", data)
    path.write_bytes(chunk(b"RIFF" if order == "<" else b"RIFX", body))
    return path


def encoded(source: Path, to: Path, *words: str) -> Path:
    ffmpeg("-i", source, *words, to)
    return to


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
