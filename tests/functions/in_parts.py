"""An engine's parts, done one by one as by strangers, and joined: what ``run`` must equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.contracts.step_engine import Engine, InputFile, Job, Result
from tests.shared.media.recordings import probed


def done_in_parts(
    engine: Engine,
    source: Path,
    folder: Path,
    inputs: Mapping[str, Sequence[InputFile]] | None = None,
    sources: Mapping[str, Path] | None = None,
    **params: Any,
) -> tuple[Result, int]:
    """The result, and of how many parts; the last part is done first."""
    asked, backend = engine.params(**params), engine.backend()
    media = probed(source)
    job = Job(source, media, folder, lambda done: None, inputs or {}, sources=sources or {})
    assert engine.parts is not None
    parts = engine.parts.split(job.media, job.inputs, asked)
    assert parts, "it is not split"
    reads, files = engine.parts.read_recording, {}
    there = source if reads is None or reads(job.inputs, asked) else folder / "not fetched"
    for number, part in reversed(list(enumerate(parts))):
        workdir = folder / f"of_{number}"
        workdir.mkdir(parents=True)
        made = engine.parts.part(replace(job, source=there, workdir=workdir), asked, backend, part)
        files[number] = made.rename(folder / f"kept_{number}")
    return engine.parts.join(job, asked, backend, [files[n] for n in sorted(files)]), len(parts)
