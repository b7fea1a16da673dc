"""Runs a detection as the runtime does, on samples or on a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from functions.detect import activity
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.step_engine import Backend, Engine, InputFile, Job, Output, Result
from shared.pipeline import KINDS

REAL_MEDIA = Path(__file__).parents[3].parent / "shared" / "media"
ADDED = {"sound"}
"""The meta that the runtime adds."""
_CONTAINERS = {".wav": "wav", ".flac": "flac", ".ogg": "ogg"}


@dataclass(frozen=True)
class Ran:
    """What came out of one run."""

    result: Result
    body: Mapping[str, Any]
    """The summary's JSON."""
    progress: list[float]

    def of(self, kind: str) -> list[Output]:
        return [output for output in self.result.outputs if output.kind == kind]

    def audio(self, index: int, kind: str) -> NDArray[np.float64]:
        samples, _ = soundfile.read(self.of(kind)[index].path, always_2d=True)
        return np.asarray(samples)

    def seconds(self, name: str) -> NDArray[np.float64]:
        return np.array([segment[name] for segment in self.body["segments"]]) / 1000


def media_of(path: Path) -> MediaInfo:
    info = soundfile.info(path)
    stream = AudioStream(
        index=0, codec="pcm", sample_rate_hz=info.samplerate, channels=info.channels
    )
    return MediaInfo(
        container=_CONTAINERS[path.suffix],
        duration_ms=round(1000 * info.duration),
        audio=(stream,),
    )


def write(path: Path, samples: NDArray[Any], rate_hz: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


def listened(engine: Engine, source: Path, workdir: Path) -> dict[str, list[InputFile]]:
    """The activity of the recording, for the steps that read it."""
    if engine is activity.ENGINE:
        return {}
    folder = workdir / "activity"
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(source, media_of(source), folder, lambda done: None)
    result = activity.ENGINE.run(job, activity.ENGINE.params(), activity.ENGINE.backend())
    made = result.outputs[0]
    return {"detect.activity": [InputFile("art_activity", made.kind, made.path, made.meta)]}


def run(
    engine: Engine,
    source: Path,
    workdir: Path,
    *,
    backend: Backend | None = None,
    inputs: Mapping[str, list[InputFile]] | None = None,
    **params: Any,
) -> Ran:
    """Run it, and check what every result must hold."""
    workdir.mkdir(parents=True, exist_ok=True)
    progress: list[float] = []
    given = {**(inputs or {}), **listened(engine, source, workdir)}
    job = Job(source, media_of(source), workdir, progress.append, given)
    result = engine.run(job, engine.params(**params), backend or engine.backend())
    assert progress == sorted(progress)
    assert all(0 <= fraction <= 1 for fraction in progress)
    names = [output.name for output in result.outputs]
    assert len(set(names)) == len(names)
    for output in result.outputs:
        assert {*KINDS[output.kind].demands} - ADDED <= set(output.meta)
        json.dumps(output.meta, allow_nan=False)
        assert output.path.parent == workdir
    summary = next(output for output in result.outputs if output.path.suffix == ".json")
    body = json.loads(summary.path.read_text())
    if summary.kind != "audio_activity":
        rows = body["segments"]
        assert [row["artifact"] for row in rows] == names[: len(rows)]
        assert body["segment_count"] == summary.meta["segment_count"] == len(rows)
    return Ran(result, body, progress)
