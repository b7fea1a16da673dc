"""What people and programs are shown of runs, assets and artifacts: of one tenant, and no other's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord
from shared.errors import BackendFailed, NotFound, ValidationError
from shared.homes.documents import Document, Documents
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.pipeline import PROBE
from shared.runs.records import load_run, read_run, run_state
from shared.steps.claims import load_claim
from shared.steps.preparing import asset_path, load_asset
from shared.steps.step_records import load_records
from shared.steps.storing import artifact_path, load_artifact


def list_assets(documents: Documents, ctx: RequestContext) -> Iterator[Asset]:
    """All assets, ordered by id."""
    found = documents.list(f"{ctx.document_prefix}assets")
    yield from (asset for _, asset in readable(found, Asset))


def list_artifacts(
    documents: Documents, ctx: RequestContext, asset_id: str | None = None
) -> Iterator[Artifact]:
    """The asset's artifacts, or all, ordered by id."""
    where = {"asset_id": asset_id} if asset_id else None
    found = documents.list(f"{ctx.document_prefix}artifacts", where=where)
    yield from (artifact for _, artifact in readable(found, Artifact))


def list_runs(documents: Documents, ctx: RequestContext, asset_id: str | None = None) -> list[Run]:
    """The asset's runs, or all, newest first; those that can be read."""
    where = {"asset_id": asset_id} if asset_id else None
    found = documents.list(f"{ctx.document_prefix}runs", where=where)
    runs = [run for _, run in readable(found, Run)]
    return sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)


def newest_runs(
    documents: Documents, ctx: RequestContext, *, limit: int, after: str | None
) -> list[Run]:
    """``limit`` of the runs, newest first, behind ``after``; no more are read than that."""
    collection = f"{ctx.document_prefix}runs"
    found = documents.newest(collection, by="created_at", limit=limit, after=after)
    return [read_run(ctx, document) for document in found]


def runs_behind(runs: list[Run], after: str | None) -> list[Run]:
    """The rest of a list; raises ``ValidationError`` where ``after`` is not in it."""
    ids = [run.run_id for run in runs]
    if after not in (None, *ids):
        raise ValidationError("after", "is not in this list")
    return runs if after is None else runs[ids.index(after) + 1 :]


def run_object(home: Home, ctx: RequestContext, run_id: str) -> dict[str, Any]:
    """A run with its steps and their artifacts, as ``process --json`` prints it.

    Where the upload itself was refused, ``error`` says why. Raises ``NotFound``.
    """
    run = load_run(home.documents, ctx, run_id)
    records = load_records(home.documents, ctx, run_id)
    steps = [records[name] for name in run.planned if name in records]
    stored = _stored_artifacts(home, ctx, steps)
    asset = home.documents.get(asset_path(ctx, run.asset_id)) if run.asset_id else None
    shown: dict[str, Any] = {
        "source": run.source,
        "asset_id": run.asset_id,
        "run_id": run.run_id,
        "state": run_state(steps),
        "notices": notices_of(asset),
        "steps": [_step_object(record, stored) for record in steps],
    }
    if PROBE in records and records[PROBE].error:
        shown["error"] = records[PROBE].error
    return shown


def notices_of(asset: Document | None) -> list[str]:
    """What probing has to tell of the recording: what is missing, which sound was taken."""
    return list(Asset.model_validate(asset.data).media.every_notice) if asset is not None else []


def _step_object(record: StepRecord, stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """``stored``: artifact id -> its document, of all that are there."""
    artifacts = [stored[name] for name in record.artifact_ids if name in stored]
    shown = [{**one, "path": local_path(one["uri"])} for one in artifacts]
    return {**step_fields(record), "artifacts": shown}


def step_fields(record: StepRecord) -> dict[str, Any]:
    """A step of a run that is shown, but for its artifacts."""
    return {
        "step": record.step,
        "state": record.state.value,
        "reason": record.reason,
        "error": record.error,
        "progress": record.progress,
        "parts": record.parts,
        "parts_done": record.parts_done,
        "cache_key": record.cache_key,
    }


def _stored_artifacts(
    home: Home, ctx: RequestContext, steps: Sequence[StepRecord]
) -> dict[str, Mapping[str, Any]]:
    """Artifact id -> its document as it stands: a run may have hundreds, which are read at once, and
    checking each again would cost most of a read.
    """
    paths = [artifact_path(ctx, name) for record in steps for name in record.artifact_ids]
    return {found.id: found.data for found in home.documents.get_all(paths).values()}


def public_run_row(run: Run, records: Mapping[str, StepRecord]) -> dict[str, Any]:
    """A run in a list: its steps name their artifacts and don't show them."""
    steps = [records[name] for name in run.planned if name in records]
    return {
        "source": run.source,
        "asset_id": run.asset_id,
        "run_id": run.run_id,
        "state": "failed" if run.damaged else run_state(steps),
        **({"error": _damage(run)} if run.damaged else {}),
        "created_at": run.created_at,
        "dismissed": run.dismissed,
        "steps": [public_step_row(record) for record in steps],
        "links": run_links(run),
    }


def _damage(run: Run) -> dict[str, Any]:
    return BackendFailed("the run's document", str(run.damaged)).to_json()


def public_step_row(record: StepRecord) -> dict[str, Any]:
    """A step that names its artifacts."""
    return record.model_dump(mode="json", exclude={"lease_generation"})


def public_artifact(artifact: Artifact) -> dict[str, Any]:
    """An artifact with links."""
    links = artifact_links(artifact.artifact_id, artifact.asset_id)
    return {**artifact.model_dump(mode="json"), "links": links}


def asset_links(asset_id: str) -> dict[str, str]:
    """Where more of an asset is."""
    own = f"/assets/{asset_id}"
    return {
        "self": own,
        "media": f"{own}/media",
        "artifacts": f"{own}/artifacts",
        "runs": f"/runs?asset_id={asset_id}",
    }


def artifact_links(artifact_id: str, asset_id: str) -> dict[str, str]:
    """Where more of an artifact is."""
    own = f"/artifacts/{artifact_id}"
    return {"self": own, "content": f"{own}/content", "asset": f"/assets/{asset_id}"}


def run_links(run: Run) -> dict[str, str | None]:
    """Where more of a run is."""
    own = f"/runs/{run.run_id}"
    asset = f"/assets/{run.asset_id}" if run.asset_id else None
    return {"self": own, "events": f"{own}/events", "asset": asset}


def lineage(home: Home, ctx: RequestContext, identifier: str) -> dict[str, Any]:
    """What an artifact was made from, back to the recording; raises ``NotFound``."""
    if identifier.startswith("ast_"):
        asset = load_asset(home, ctx, identifier)
        return {"id": identifier, "kind": "recording", "name": asset.file_name, "parents": []}
    artifact = load_artifact(home.documents, ctx, identifier)
    told = ("backend", "backend_type", "backend_version", "cache_key")
    return {
        "id": identifier,
        "kind": artifact.kind,
        "sha256": artifact.sha256,
        **{name: artifact.meta[name] for name in told},
        **_parts_of(home, ctx, artifact),
        "parents": [_parent(home, ctx, parent) for parent in artifact.parents],
    }


def _parts_of(home: Home, ctx: RequestContext, artifact: Artifact) -> dict[str, Any]:
    """The parts in which it was made, if it was: where each begins and ends."""
    claim = load_claim(home.documents, ctx, artifact.meta["cache_key"])
    parts = claim.parts if claim is not None else ()
    shown = [{"start_ms": one.start_ms, "end_ms": one.end_ms} for one in parts]
    return {"parts": shown} if shown else {}


def _parent(home: Home, ctx: RequestContext, identifier: str) -> dict[str, Any]:
    try:
        return lineage(home, ctx, identifier)
    except NotFound:
        return {"id": identifier, "kind": "gone", "parents": []}


def artifact_object(artifact: Artifact) -> dict[str, Any]:
    """An artifact, with its local ``path`` where it is a file on this machine."""
    return {**artifact.model_dump(mode="json"), "path": local_path(artifact.uri)}


def local_path(uri: str) -> str | None:
    """The path of a ``file://`` address; ``None`` for any other."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else None
