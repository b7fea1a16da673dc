"""What people and programs are shown of runs, assets and artifacts: of one tenant, and no other's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord
from shared.documents import Documents
from shared.home import Home
from shared.pipeline import PROBE
from shared.runs import load_records, load_run, run_state
from shared.store import load_artifact


def list_assets(documents: Documents, ctx: RequestContext) -> Iterator[Asset]:
    """All assets, ordered by id."""
    for document in documents.list(f"{ctx.document_prefix}assets"):
        yield Asset.model_validate(document.data)


def list_artifacts(
    documents: Documents, ctx: RequestContext, asset_id: str | None = None
) -> Iterator[Artifact]:
    """The asset's artifacts, or all, ordered by id."""
    where = {"asset_id": asset_id} if asset_id else None
    for document in documents.list(f"{ctx.document_prefix}artifacts", where=where):
        yield Artifact.model_validate(document.data)


def list_runs(documents: Documents, ctx: RequestContext, asset_id: str | None = None) -> list[Run]:
    """The asset's runs, or all, newest first."""
    where = {"asset_id": asset_id} if asset_id else None
    found = documents.list(f"{ctx.document_prefix}runs", where=where)
    runs = [Run.model_validate(document.data) for document in found]
    return sorted(runs, key=lambda run: (-run.created_at, run.run_id))


def run_object(home: Home, ctx: RequestContext, run_id: str) -> dict[str, Any]:
    """A run with its steps and their artifacts, as ``process --json`` prints it.

    Where the upload itself was refused, ``error`` says why. Raises ``NotFound``.
    """
    run = load_run(home.documents, ctx, run_id)
    records = load_records(home.documents, ctx, run_id)
    steps = [records[name] for name in run.planned if name in records]
    shown: dict[str, Any] = {
        "source": run.source,
        "asset_id": run.asset_id,
        "run_id": run.run_id,
        "state": run_state(steps),
        "steps": [_step_object(home, ctx, record) for record in steps],
    }
    if PROBE in records and records[PROBE].error:
        shown["error"] = records[PROBE].error
    return shown


def _step_object(home: Home, ctx: RequestContext, record: StepRecord) -> dict[str, Any]:
    artifacts = [load_artifact(home.documents, ctx, name) for name in record.artifact_ids]
    return {
        "step": record.step,
        "state": record.state.value,
        "reason": record.reason,
        "error": record.error,
        "progress": record.progress,
        "cache_key": record.cache_key,
        "artifacts": [artifact_object(artifact) for artifact in artifacts],
    }


def artifact_object(artifact: Artifact) -> dict[str, Any]:
    """An artifact, with its local ``path`` where it is a file on this machine."""
    return {**artifact.model_dump(mode="json"), "path": local_path(artifact.uri)}


def local_path(uri: str) -> str | None:
    """The path of a ``file://`` address; ``None`` for any other."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else None
