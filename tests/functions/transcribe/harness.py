"""Runs a transcription as the runtime does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.detect import activity
from functions.transcribe import words
from shared.contracts.step_engine import Backend, Engine, InputFile, Job, Output, Result
from shared.pipeline import BY_NAME, KINDS
from tests.shared.media.recordings import probed

MODEL = Path(__file__).parents[2] / "fixtures" / "whisper-tiny-words"
REAL_MEDIA = Path(__file__).parents[3].parent / "shared" / "media"
_HEARD: dict[tuple[object, ...], InputFile] = {}


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


def heard(source: Path, workdir: Path, params: Any) -> dict[str, list[InputFile]]:
    """The recording's activity, as a step that reads it is given it: listened for once a file."""
    engine, told = activity.ENGINE, source.stat()
    backend = engine.backend()
    key = (source, told.st_mtime_ns, told.st_size, params.stream, str(backend))
    if key not in _HEARD:
        workdir.mkdir(parents=True)
        media = probed(source)
        media = media if params.stream is None else media.with_stream(params.stream)
        job = Job(source, media, workdir, lambda done: None)
        made = engine.run(job, engine.params(stream=params.stream), backend).outputs[0]
        _HEARD[key] = InputFile("art_activity", made.kind, made.path, made.meta)
    return {"detect.activity": [_HEARD[key]]}


def read_by(engine: Engine, source: Path, workdir: Path, params: Any) -> dict[str, list[InputFile]]:
    """What the engine reads of earlier steps."""
    given = heard(source, workdir / "activity", params)
    if engine is not words.ENGINE:
        given |= recognised(source, workdir / "words", params)
    return given


def recognised(source: Path, workdir: Path, params: Any) -> dict[str, list[InputFile]]:
    """The recording's words, as a step that reads them is given them."""
    row = BY_NAME[words.STEP]
    (made,) = run(
        words.ENGINE, source, workdir, **{name: getattr(params, name) for name in row.shares}
    ).result.outputs
    return {row.name: [InputFile("art_words", made.kind, made.path, made.meta)]}


def run(
    engine: Engine, source: Path, workdir: Path, backend: Backend | None = None, **params: Any
) -> Ran:
    """Run it, and check what every result must hold."""
    workdir.mkdir(parents=True)
    progress: list[float] = []
    chosen = engine.params(**params)
    job = Job(
        source,
        probed(source),
        workdir,
        progress.append,
        inputs=read_by(engine, source, workdir, chosen),
        asset_id="ast_1",
        cache_key="the|key",
    )
    result = engine.run(job, chosen, backend or engine.backend())
    assert progress == sorted(progress) and all(0 <= done <= 1 for done in progress)
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta), output.name
        json.dumps(dict(output.meta), allow_nan=False)
    return Ran(result, progress)
