"""Jobs and signals for the transforms' tests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Engine, InputFile, Job, Result
from shared.media.probe import probe

MEDIA = Path(__file__).parents[4] / "shared" / "media"
RATE = 48_000

Sound = NDArray[np.float64]


def recording(name: str) -> Path:
    """A real recording, by its name in the shared test data."""
    path = MEDIA / name
    if not path.exists():
        pytest.skip(f"the shared test recording {name} is not here")
    return path


def write(folder: Path, samples: Sound, subtype: str = "PCM_24", rate: int = RATE) -> Path:
    path = Path(tempfile.mkdtemp(dir=folder)) / "source.wav"
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


_PROBED: dict[tuple[object, ...], MediaInfo] = {}


def probed(path: Path) -> MediaInfo:
    """What probing says, which takes longer than most effects: WAVs of one shape are probed once."""
    if path.suffix != ".wav":
        return probe(path)
    about = soundfile.info(path)
    shape = (about.format, about.subtype, about.samplerate, about.channels, about.frames)
    if shape not in _PROBED:
        _PROBED[shape] = probe(path)
    return _PROBED[shape]


def job_of(path: Path, folder: Path, inputs: Mapping[str, list[InputFile]] | None = None) -> Job:
    workdir = Path(tempfile.mkdtemp(dir=folder))
    return Job(path, probed(path), workdir, lambda fraction: None, inputs or {})


def run(engine: Engine, path: Path, folder: Path, **params: Any) -> Result:
    return engine.run(job_of(path, folder), engine.params.model_validate(params), engine.backend())


def read(path: Path) -> Sound:
    """``(samples, channels)``."""
    samples: Sound = soundfile.read(path, always_2d=True, dtype="float64")[0]
    return samples


def heard(result: Result) -> Sound:
    return read(result.outputs[0].path)


def level_db(sound: Sound, low_hz: float = 0, high_hz: float = 1e6, rate: int = RATE) -> float:
    """Power of a band, mean over time and channels."""
    spectrum = np.square(np.abs(np.fft.rfft(sound, axis=0))).mean(axis=-1)
    hz = np.fft.rfftfreq(len(sound), 1 / rate)
    power = spectrum[(hz >= low_hz) & (hz < high_hz)].sum() * 2 / len(sound) ** 2
    return float(10 * np.log10(power + 1e-20))


def part(sound: Sound, start_s: float, stop_s: float, rate: int = RATE) -> Sound:
    return sound[round(start_s * rate) : round(stop_s * rate)]


def stereo(mono: Sound) -> Sound:
    return np.stack([mono, mono], axis=1)


def noise(seconds: float, level: float = 0.1, seed: int = 0, channels: int = 2) -> Sound:
    rng = np.random.default_rng(seed)
    return level * rng.standard_normal((round(seconds * RATE), channels)).clip(-3, 3)


def tone(seconds: float, hz: float, level: float = 0.5) -> Sound:
    return stereo(level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE))


def click(seconds: float, at_s: float, level: float = 0.5) -> Sound:
    sound = np.zeros((round(seconds * RATE), 2))
    sound[round(at_s * RATE)] = level
    return sound


def loud_and_quiet(seconds: float = 4.0) -> Sound:
    """Noise, 20 dB louder in the first half of each second."""
    sound = noise(seconds, 0.2)
    sound[np.arange(len(sound)) % RATE >= RATE // 2] *= 0.1
    return sound
