"""Verifying an artifact: compute it once more, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import sha256_of
from shared.contracts.step import StepRequest
from shared.contracts.step_engine import Output
from shared.errors import NotFound
from shared.folders import work_folder
from shared.homes.home import Home
from shared.homes.objects.fetch import fetch_object
from shared.pipeline import step_named
from shared.steps.claims import load_claim
from shared.steps.preparing import Work, load_asset
from shared.steps.storing import load_artifact
from shared.watch.processor import processor_kind

_SURROUNDINGS = ("device", "runtime")
"""The meta that says where a result was made, not what it is."""
_BLOCK_FRAMES = 65_536


def verify_artifact(home: Home, ctx: RequestContext, artifact_id: str) -> dict[str, Any]:
    """Run the artifact's step again on the same inputs and params; nothing is stored.

    Returns ``{artifact_id, identical, as_promised, stored_sha256, computed_sha256,
    stored_backend_version, backend_version, stored_processor, processor, largest_deviation, tolerance}``.
    The deviation is that of samples in full scale (1.0), for WAV files. ``as_promised``: it is identical; or
    its meta states a tolerance for other devices, processors, threads and versions, these are others, and
    it is within. Raises ``NotFound`` where the step no longer makes such a file.
    """
    artifact = load_artifact(home.documents, ctx, artifact_id)
    work, stored_processor = _work_behind(home, ctx, artifact)
    processor = processor_kind()
    with work_folder() as folder:
        job = work.job(folder, work.inputs(folder), _ignore)
        result = work.engine.run(job, work.params, work.backend)
        made = _counterpart(artifact, result.outputs)
        computed = sha256_of(made.path)
        identical = computed == artifact.sha256
        deviation = _largest_deviation(home, artifact, made.path, folder, identical)
    alike = (
        artifact.meta["backend_version"] == work.backend.version
        and stored_processor in (None, processor)
        and all(artifact.meta.get(name) == made.meta.get(name) for name in _SURROUNDINGS)
    )
    tolerance = artifact.meta.get("tolerance")
    within = tolerance is not None and deviation is not None and deviation <= tolerance
    return {
        "artifact_id": artifact_id,
        "identical": identical,
        "as_promised": identical or (within and not alike),
        "stored_sha256": artifact.sha256,
        "computed_sha256": computed,
        "stored_backend_version": artifact.meta["backend_version"],
        "backend_version": work.backend.version,
        "stored_processor": stored_processor,
        "processor": processor,
        "largest_deviation": deviation,
        "tolerance": tolerance,
    }


def _work_behind(home: Home, ctx: RequestContext, artifact: Artifact) -> tuple[Work, str | None]:
    """The artifact's step, ready to run, and the kind of processor that ran it."""
    claim = load_claim(home.documents, ctx, artifact.meta["cache_key"])
    if claim is None or claim.recall is None:
        raise NotFound("record of how it was made of artifact", artifact.artifact_id)
    request = StepRequest.model_validate_json(claim.recall.data)
    asset = load_asset(home, ctx, request.asset_id)
    return Work.prepare(home, step_named(request.step), request, asset), claim.processor


def _ignore(fraction: float) -> None:
    """Nobody watches."""


def _counterpart(artifact: Artifact, outputs: Sequence[Output]) -> Output:
    for output in outputs:
        if (output.kind, output.name) == (artifact.kind, artifact.meta["name"]):
            return output
    raise NotFound("output of the step for artifact", artifact.artifact_id)


def _largest_deviation(
    home: Home, artifact: Artifact, computed: Path, folder: Path, identical: bool
) -> float | None:
    """``None`` where there are no samples to compare, or not as many."""
    if artifact.content_type != "audio/wav":
        return None
    if identical:
        return 0.0
    import numpy as np
    import soundfile

    at, most = folder / "stored.wav", artifact.bytes
    stored = fetch_object(home.objects, artifact.key, at, max_bytes=most).path
    with soundfile.SoundFile(stored) as one, soundfile.SoundFile(computed) as other:
        if (one.frames, one.channels) != (other.frames, other.channels):
            return None
        blocks = (
            file.blocks(_BLOCK_FRAMES, dtype="float64", always_2d=True) for file in (one, other)
        )
        return max(
            (float(np.abs(a - b).max(initial=0.0)) for a, b in zip(*blocks, strict=True)),
            default=0.0,
        )
