"""Signals and jobs for the mix's tests."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from functions.render.audio import ENGINE
from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Backend, Job, Output, Result
from shared.pipeline import KINDS

RATE = 48_000
BACKEND = Backend("rushes_mix", "mix-test")
MEDIA = MediaInfo(container="wav", duration_ms=1000)
_numbers = itertools.count(1)

Sound = NDArray[np.float64]


@dataclass(frozen=True)
class Mixed:
    """What came out."""

    result: Result
    progress: list[float]

    @property
    def master(self) -> Output:
        return self.named("master")

    @property
    def stems(self) -> list[Output]:
        return [one for one in self.result.outputs if one.kind == "audio_bus_stem"]

    def named(self, name: str) -> Output:
        return next(one for one in self.result.outputs if one.name == name)

    def sound(self, name: str = "master") -> Sound:
        return read(self.named(name).path)


def write(folder: Path, sound: Sound, *, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    path = folder / f"source_{next(_numbers)}.wav"
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def read(path: Path) -> Sound:
    """``(samples, channels)``."""
    samples: Sound = soundfile.read(path, always_2d=True, dtype="float64")[0]
    return samples


def mix(
    folder: Path, sources: Mapping[str, Path], timeline: dict[str, Any], **params: Any
) -> Mixed:
    """Render as the runtime does, and check what every result must hold."""
    progress: list[float] = []
    workdir = Path(tempfile.mkdtemp(dir=folder))
    checked = ENGINE.params.model_validate({"timeline": timeline, **params})
    some = next(iter(sources.values()))
    job = Job(some, MEDIA, workdir, progress.append, sources=sources, cache_key="key")
    result = ENGINE.run(job, checked, BACKEND)
    assert progress == sorted(progress) and progress[-1] == 1.0
    assert len({one.name for one in result.outputs}) == len(result.outputs)
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta)
    left = {path.name for path in workdir.iterdir()}
    assert left == {output.path.name for output in result.outputs}, "no scratch is left"
    return Mixed(result, progress)


def premix(folder: Path, sources: Mapping[str, Path], timeline: dict[str, Any]) -> Sound:
    """The mix before mastering."""
    return mix(folder, sources, timeline, premaster_export=True).sound("premaster")


def noise(seconds: float, *, level: float = 0.1, seed: int = 1, channels: int = 2) -> Sound:
    rng = np.random.default_rng(seed)
    return level * rng.standard_normal((round(seconds * RATE), channels)).clip(-3, 3)


def tone(seconds: float, hz: float = 1000.0, level: float = 0.5, channels: int = 1) -> Sound:
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], channels, axis=1)


def level_db(sound: Sound) -> float:
    """RMS in dBFS."""
    return float(10 * np.log10(np.square(sound).mean() + 1e-30))


def one_track(*clips: dict[str, Any], **track: Any) -> dict[str, Any]:
    """A timeline of one track on buses that change nothing."""
    return {"mix_preset_id": "flat_mix", "tracks": [{"track_id": "one", "clips": clips, **track}]}
