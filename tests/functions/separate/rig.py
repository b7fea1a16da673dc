"""Separations as the runtime does them, with the tiny band's model or one that misbehaves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from functions.separate.stems import ENGINE
from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Backend, Job, Result
from shared.pipeline import KINDS
from tests.functions.separate.band import RATE_HZ, STEMS, Sound, mixed, play
from tests.shared.media.recordings import probed

MODEL = "tiny_band"
WEIGHTS = Path(__file__).parents[2] / "fixtures" / MODEL
SEED = 20_001
"""Of a song that the model never heard."""


@dataclass(frozen=True)
class Separated:
    result: Result
    progress: list[float]

    @property
    def metas(self) -> list[dict[str, Any]]:
        return [dict(output.meta) for output in self.result.outputs]

    @property
    def hashes(self) -> list[str]:
        return [meta["pcm_sha256"] for meta in self.metas]

    def stem(self, name: str) -> Sound:
        """``(samples, channels)``."""
        (path,) = [output.path for output in self.result.outputs if output.name == name]
        return np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0])

    def total(self) -> Sound:
        return np.sum([self.stem(out.name) for out in self.result.outputs], axis=0, dtype="float64")


def song(seconds: float) -> tuple[dict[str, Sound], Sound]:
    """Its stems, and the mix: at a level at which nothing clips."""
    stems = {name: stem / 2 for name, stem in play(seconds, SEED).items()}
    return stems, mixed(stems)


def write(path: Path, sound: Sound, rate_hz: int = RATE_HZ, subtype: str = "PCM_24") -> Path:
    soundfile.write(path, sound, rate_hz, subtype=subtype)
    return path


def separate(
    source: Path,
    folder: Path,
    *,
    progress: Callable[[float], None] | None = None,
    backend: Backend | None = None,
    media: MediaInfo | None = None,
    **params: Any,
) -> Separated:
    """Run the step, and check what every result must hold."""
    told: list[float] = []

    def tell(fraction: float) -> None:
        told.append(fraction)
        if progress:
            progress(fraction)

    workdir = Path(tempfile.mkdtemp(dir=folder))
    job = Job(source, media or probed(source), workdir, tell, asset_id="ast_1")
    settled = ENGINE.params.model_validate({"model": MODEL, **params})
    result = ENGINE.run(job, settled, backend or ENGINE.backend())
    assert told == sorted(told) and told[-1] == 1.0
    left = {path.name for path in workdir.rglob("*") if path.is_file()} - {"source.f32"}
    assert left == {output.path.name for output in result.outputs}
    for output in result.outputs:
        assert set(KINDS["audio_stem"].demands) <= set(output.meta)
        json.dumps(dict(output.meta), allow_nan=False)
    return Separated(result, told)


__all__ = ["MODEL", "RATE_HZ", "SEED", "STEMS", "WEIGHTS", "Separated", "Sound"]
