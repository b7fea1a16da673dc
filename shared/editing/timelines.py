"""Timelines as documents: checked when they are stored, kept as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, checked_name, digest
from shared.contracts.model import refusal_of
from shared.contracts.timeline import Timeline
from shared.errors import Conflict, NotFound, ValidationError
from shared.homes.documents import Document, Documents
from shared.steps.storing import load_artifact

LARGEST_BYTES = 400_000


@dataclass(frozen=True)
class StoredTimeline:
    """A timeline of the tenant's."""

    timeline_id: str
    content: Mapping[str, Any]
    """As ``Timeline`` reads it."""

    @property
    def version(self) -> str:
        """Changes with the content."""
        return digest(self.content)[:32]


def checked_timeline(content: Mapping[str, Any]) -> Timeline:
    """The timeline; raises ``ValidationError`` that names track, clip and field."""
    try:
        return Timeline.model_validate(content)
    except PydanticError as error:
        raise refusal_of(error, "timeline") from None


def store_timeline(
    documents: Documents,
    ctx: RequestContext,
    timeline_id: str,
    content: Mapping[str, Any],
    *,
    if_version: str | None = None,
) -> tuple[StoredTimeline, bool]:
    """Store it, in place of what stands there; and is it new?

    Raises ``ValidationError`` for one that is not well made or too large, and ``Conflict`` where
    ``if_version`` is given and not what stands.
    """
    timeline = checked_timeline(content)
    text = canonical_json(content)
    if len(text.encode()) > LARGEST_BYTES:
        raise ValidationError(
            "timeline", f"is larger than {LARGEST_BYTES:,} bytes: make several timelines of it"
        )
    path = _path(ctx, timeline_id)
    standing = documents.get(path)
    if if_version is not None:
        _check_version(standing, if_version)
    data = {"name": timeline.name, "text": text}  # as text: no store need index each keyframe
    if standing is None:
        documents.create(path, data)
    else:
        documents.update(path, data, version=standing.version)
    return StoredTimeline(timeline_id, content), standing is None


def load_timeline(documents: Documents, ctx: RequestContext, timeline_id: str) -> StoredTimeline:
    """The stored one; raises ``NotFound``."""
    document = documents.get(_path(ctx, timeline_id))
    if document is None:
        raise NotFound("timeline", timeline_id)
    return _read(document)


def delete_timeline(
    documents: Documents, ctx: RequestContext, timeline_id: str, *, if_version: str | None = None
) -> None:
    """Remove it; raises ``NotFound`` or ``Conflict``."""
    standing = documents.get(_path(ctx, timeline_id))
    if standing is None:
        raise NotFound("timeline", timeline_id)
    if if_version is not None:
        _check_version(standing, if_version)
    documents.delete(standing.path, version=standing.version)


def first_asset(documents: Documents, ctx: RequestContext, content: Mapping[str, Any]) -> str:
    """The recording that the first clip plays, or was made from: a mix is filed under it."""
    refs = checked_timeline(content).sources
    if not refs:
        raise ValidationError("timeline", "plays nothing: say which asset to file it under")
    if refs[0].artifact_id is not None:
        return load_artifact(documents, ctx, refs[0].artifact_id).asset_id
    return refs[0].identifier


def _path(ctx: RequestContext, timeline_id: str) -> str:
    return f"{ctx.document_prefix}timelines/{checked_name('timeline_id', timeline_id)}"


def _read(document: Document) -> StoredTimeline:
    return StoredTimeline(document.id, json.loads(document.data["text"]))


def _check_version(standing: Document | None, wanted: str) -> None:
    if standing is None or _read(standing).version != wanted:
        raise Conflict("the timeline has changed, or is not there")
