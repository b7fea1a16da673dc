"""One file of a recording to take home: where its bytes are, and what it is called after its recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.errors import NotFound
from shared.homes.home import Home
from shared.runs.results_folder import added_name, captions_name, safe_name, stem_of
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
    of_asset = identifier.startswith("ast_")
    return (recording_file if of_asset else artifact_file)(home, ctx, identifier)


def recording_file(home: Home, ctx: RequestContext, asset_id: str) -> StoredFile:
    """Where the recording's bytes are; raises ``NotFound``."""
    asset = load_asset(home, ctx, asset_id)
    name = f"{_stem(asset)}.{_extension(asset.key)}"
    return StoredFile(asset.key, name, asset.content_type, asset.bytes, asset.sha256)


def artifact_file(home: Home, ctx: RequestContext, artifact_id: str) -> StoredFile:
    """Where the artifact's bytes are; raises ``NotFound``."""
    document = home.documents.get(artifact_path(ctx, artifact_id))
    if document is None:
        raise NotFound("artifact", artifact_id)
    artifact = document.data
    stem = _stem(load_asset(home, ctx, artifact["asset_id"]))
    captions = artifact["kind"] == "captions"
    name = captions_name(stem, artifact["meta"]) if captions else f"{stem} {_own_name(artifact)}"
    name = f"{name}.{_extension(artifact['key'])}"
    return StoredFile(
        artifact["key"], name, artifact["content_type"], artifact["bytes"], artifact["sha256"]
    )


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
