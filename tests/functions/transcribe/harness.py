"""Runs a transcription as the runtime does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts.step_engine import Backend, Engine, Job, Output, Result
from shared.media.probe import probe
from shared.pipeline import KINDS

MODEL = Path(__file__).parents[2] / "fixtures" / "whisper-tiny-words"
REAL_MEDIA = Path(__file__).parents[3].parent / "shared" / "media"


@dataclass(frozen=True)
class Ran:
    """What came out."""

    result: Result
    progress: list[float]

    @property
    def body(self) -> dict[str, Any]:
        """The first output's JSON."""
        loaded: dict[str, Any] = json.loads(self.result.outputs[0].path.read_text())
        return loaded

    def named(self, name: str) -> Output:
        return next(output for output in self.result.outputs if output.name == name)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.body["events"] if event["kind"] in kinds]


def run(
    engine: Engine, source: Path, workdir: Path, backend: Backend | None = None, **params: Any
) -> Ran:
    """Run it, and check what every result must hold."""
    workdir.mkdir(parents=True)
    progress: list[float] = []
    job = Job(
        source, probe(source), workdir, progress.append, asset_id="ast_1", cache_key="the|key"
    )
    result = engine.run(job, engine.params(**params), backend or engine.backend())
    assert progress == sorted(progress) and all(0 <= done <= 1 for done in progress)
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta), output.name
        json.dumps(dict(output.meta), allow_nan=False)
    return Ran(result, progress)
