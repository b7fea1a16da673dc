"""Verifying an artifact: compute it once more, and compare."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.cache import Claim, claim_path
from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.engine import Output
from shared.contracts.step import StepRequest
from shared.errors import NotFound
from shared.home import Home
from shared.objects.fetch import fetch_object
from shared.pipeline import step_named
from shared.store import load_artifact
from shared.work import Work, load_asset


def verify_artifact(home: Home, ctx: RequestContext, artifact_id: str) -> dict[str, Any]:
    """Run the artifact's step again on the same inputs and params; nothing is stored.

    Returns ``{artifact_id, identical, stored_sha256, computed_sha256, stored_backend_version,
    backend_version, largest_deviation}``; the deviation is that of samples in full scale (1.0), for
    WAV files whose bytes differ. Raises ``NotFound`` where the step no longer makes such a file.
    """
    artifact = load_artifact(home.documents, ctx, artifact_id)
    work = _work_behind(home, ctx, artifact)
    with tempfile.TemporaryDirectory(prefix="rushes-") as name:
        folder = Path(name)
        result = work.engine.run(work.job(folder, _ignore), work.params, work.backend)
        path = _counterpart(artifact, result.outputs).path
        computed = hashlib.sha256(path.read_bytes()).hexdigest()
        identical = computed == artifact.sha256
        deviation = None if identical else _largest_deviation(home, artifact, path, folder)
    return {
        "artifact_id": artifact_id,
        "identical": identical,
        "stored_sha256": artifact.sha256,
        "computed_sha256": computed,
        "stored_backend_version": artifact.meta["backend_version"],
        "backend_version": work.backend.version,
        "largest_deviation": deviation,
    }


def _work_behind(home: Home, ctx: RequestContext, artifact: Artifact) -> Work:
    document = home.documents.get(claim_path(ctx, artifact.meta["cache_key"]))
    claim = Claim.model_validate(document.data) if document else None
    if claim is None or claim.recall is None:
        raise NotFound("record of how it was made of artifact", artifact.artifact_id)
    request = StepRequest.model_validate_json(claim.recall.data)
    asset = load_asset(home, ctx, request.asset_id)
    return Work.prepare(home, step_named(request.step), request, asset)


def _ignore(fraction: float) -> None:
    """Nobody watches."""


def _counterpart(artifact: Artifact, outputs: Sequence[Output]) -> Output:
    for output in outputs:
        if (output.kind, output.name) == (artifact.kind, artifact.meta["name"]):
            return output
    raise NotFound("output of the step for artifact", artifact.artifact_id)


def _largest_deviation(
    home: Home, artifact: Artifact, computed: Path, folder: Path
) -> float | None:
    if artifact.content_type != "audio/wav":
        return None
    import numpy as np
    import soundfile

    limit = 2 * artifact.bytes
    stored = fetch_object(home.objects, artifact.key, folder / "stored.wav", max_bytes=limit).path
    one, _ = soundfile.read(stored, dtype="float64", always_2d=True)
    other, _ = soundfile.read(computed, dtype="float64", always_2d=True)
    if one.shape != other.shape:
        return None
    return float(np.abs(one - other).max(initial=0.0))
