"""One file of a recording to take home: where its bytes are, and what it is called after its recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.errors import NotFound
from shared.homes.home import Home
from shared.runs.results_folder import (
    TAKES,
    added_name,
    captions_name,
    lay_out,
    safe_name,
    stem_of,
)
from shared.runs.standing import standing_results
from shared.steps.preparing import load_asset
from shared.steps.storing import artifact_path


@dataclass(frozen=True)
class StoredFile:
    """An object in the bucket, and what it is for people."""

    key: str
    name: str
    """As a file to save: ``talk.wav``, ``talk hit 0001.wav``, ``talk.srt``."""
    content_type: str
    bytes: int
    sha256: str


def stored_file(home: Home, ctx: RequestContext, identifier: str) -> StoredFile:
    """Where the bytes of an artifact, or of an asset's recording, are; raises ``NotFound``."""
    if identifier.startswith("ast_"):
        return recording_file(home, ctx, identifier)
    return artifact_file(home, ctx, identifier, saved=True)


def recording_file(home: Home, ctx: RequestContext, asset_id: str) -> StoredFile:
    """Where the recording's bytes are; raises ``NotFound``."""
    asset = load_asset(home, ctx, asset_id)
    name = f"{_stem(asset)}.{_extension(asset.key)}"
    return StoredFile(asset.key, name, asset.content_type, asset.bytes, asset.sha256)


def artifact_file(
    home: Home, ctx: RequestContext, artifact_id: str, *, saved: bool = False
) -> StoredFile:
    """Where the artifact's bytes are; raises ``NotFound``.

    ``saved``: its name will stand beside those of the other takes, so it is the one that it has in the
    results folder, for which all takes are looked at.
    """
    document = home.documents.get(artifact_path(ctx, artifact_id))
    if document is None:
        raise NotFound("artifact", artifact_id)
    artifact = document.data
    asset = load_asset(home, ctx, artifact["asset_id"])
    stem = _stem(asset)
    captions = artifact["kind"] == "captions"
    name = captions_name(stem, artifact["meta"]) if captions else f"{stem} {_own_name(artifact)}"
    name = f"{name}.{_extension(artifact['key'])}"
    if saved and artifact["kind"] in TAKES:
        name = _among_takes(home, ctx, asset, artifact_id) or name
    return StoredFile(
        artifact["key"], name, artifact["content_type"], artifact["bytes"], artifact["sha256"]
    )


def _among_takes(home: Home, ctx: RequestContext, asset: Asset, artifact_id: str) -> str | None:
    """What the folder calls it; ``None`` where it has it not (the same bytes are there by another take)."""
    standing = standing_results(home, ctx, asset.asset_id)
    for entry in lay_out(_stem(asset), asset, standing, lambda _: ()):
        if entry.artifact is not None and entry.artifact.artifact_id == artifact_id:
            return PurePosixPath(entry.path).name
    return None


def _own_name(artifact: Mapping[str, Any]) -> str:
    """As the results folder calls it, where it is a take of the whole; else the artifact's own name."""
    meta = artifact["meta"]
    whole = artifact["content_type"] != "application/json" and not meta.get("instrument")
    added = added_name(artifact["kind"], meta) if whole else None
    return safe_name(added or str(meta.get("name", artifact["artifact_id"])).replace("_", " "))


def _stem(asset: Asset) -> str:
    return stem_of(asset.file_name or asset.asset_id)


def _extension(key: str) -> str:
    return key.rpartition(".")[2]
