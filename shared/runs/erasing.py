"""Erasing an asset: its objects, artifacts, cache documents, runs and uploads, and a report of it."""

from __future__ import annotations

from shared.contracts.context import RequestContext
from shared.errors import Conflict
from shared.homes.home import Home
from shared.steps.preparing import load_asset
from shared.steps.step_records import run_path


def erase_asset(home: Home, ctx: RequestContext, asset_id: str) -> dict[str, int]:
    """Remove all there is of an asset; returns how much of each.

    The claims go first: a worker that is still busy with the asset finds its lease lost and removes
    what it has written. The asset's document goes last, so that an erasure cut short can be
    repeated. Raises ``NotFound``.
    """
    asset = load_asset(home, ctx, asset_id)
    removed = {
        "cache_documents": _erase_documents(home, ctx, "cache", asset_id),
        "artifacts": _erase_documents(home, ctx, "artifacts", asset_id),
        "runs": _erase_runs(home, ctx, asset_id),
        "clips": _erase_documents(home, ctx, "clips", asset_id),
        "objects": 0,
        "uploads": 0,
    }
    for info in list(home.objects.list(f"{ctx.object_prefix}media_v2/{asset_id}/")):
        removed["objects"] += home.objects.delete(info.key)
    for source in asset.sources:
        try:
            removed["uploads"] += home.objects.delete(source.key, if_generation=source.generation)
        except Conflict:
            continue  # another recording stands under that name now
    home.documents.delete(f"{ctx.document_prefix}assets/{asset_id}")
    return removed


def _erase_documents(home: Home, ctx: RequestContext, collection: str, asset_id: str) -> int:
    found = home.documents.list(f"{ctx.document_prefix}{collection}", where={"asset_id": asset_id})
    return sum(home.documents.delete(document.path) for document in list(found))


def _erase_runs(home: Home, ctx: RequestContext, asset_id: str) -> int:
    runs = list(home.documents.list(f"{ctx.document_prefix}runs", where={"asset_id": asset_id}))
    for run in runs:
        for record in list(home.documents.list(f"{run_path(ctx, run.id)}/steps")):
            home.documents.delete(record.path)
        home.documents.delete(run.path)
    return len(runs)
