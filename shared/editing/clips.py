"""Clips as documents, and the semantic timeline that a clip is a window of."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.clip import Clip
from shared.contracts.context import RequestContext
from shared.contracts.ids import checked_name, digest
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.editing.slices import slice_semantic_timeline
from shared.errors import Conflict, NotFound
from shared.homes.documents import Documents
from shared.homes.objects import Objects


def register_clip(documents: Documents, ctx: RequestContext, clip: Clip) -> str:
    """Store it; the same clip again is the same id. Raises ``NotFound`` for an unknown asset."""
    if documents.get(f"{ctx.document_prefix}assets/{clip.asset_id}") is None:
        raise NotFound("asset", clip.asset_id)
    identifier = "clp_" + digest(clip.model_dump(mode="json"))[:32]
    with suppress(Conflict):  # it is there already, and the id says that it is the same
        documents.create(_path(ctx, identifier), clip.model_dump(mode="json"))
    return identifier


def load_clip(documents: Documents, ctx: RequestContext, identifier: str) -> Clip:
    """The clip; raises ``NotFound``, also for another tenant's."""
    document = documents.get(_path(ctx, identifier))
    if document is None:
        raise NotFound("clip", identifier)
    return Clip.model_validate(document.data)


def latest_semantic_timeline(documents: Documents, ctx: RequestContext, asset_id: str) -> Artifact:
    """The asset's newest semantic timeline; raises ``NotFound`` where it has none."""
    where = {"asset_id": asset_id, "kind": SemanticTimeline.kind}
    found = list(documents.list(f"{ctx.document_prefix}artifacts", where=where))
    if not found:
        raise NotFound("semantic timeline of asset", asset_id)
    newest = max(found, key=lambda document: (document.updated_at, document.id))
    return Artifact.model_validate(newest.data)


def semantic_timeline_by_clip(
    documents: Documents, objects: Objects, ctx: RequestContext, clip_id: str
) -> dict[str, Any]:
    """``{clip_id, audio_semantic_artifact_id, uri, summary}``: the clip's part of its semantic timeline.

    Raises ``NotFound`` for the clip or where its asset has not been analysed yet.
    """
    clip = load_clip(documents, ctx, clip_id)
    artifact = latest_semantic_timeline(documents, ctx, clip.asset_id)
    whole = SemanticTimeline.read_from(objects.read(artifact.key))
    return {
        "clip_id": clip_id,
        "audio_semantic_artifact_id": artifact.artifact_id,
        "uri": artifact.uri,
        "summary": slice_semantic_timeline(whole, clip).content(),
    }


def _path(ctx: RequestContext, identifier: str) -> str:
    return f"{ctx.document_prefix}clips/{checked_name('clip_id', identifier)}"
