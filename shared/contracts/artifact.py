"""The artifact: one file that a step made; what a kind is, and what registration demands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict

from shared.contracts.context import RequestContext
from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.errors import ValidationError

COMMON_META = ("backend", "backend_type", "backend_version", "cache_key", "backend_info")
"""The meta that every artifact carries; the runtime adds it."""


@dataclass(frozen=True)
class Kind:
    """A kind of artifact, as the row of the step that makes it declares it."""

    name: str
    """Letters and ``_``: part of ids and of places in the bucket, so it never changes."""
    title: str
    """What people read: ``Hits, listed``."""
    demands: tuple[str, ...] = ()
    """The meta without which registration refuses it, beside ``COMMON_META``."""
    folder: str = ""
    """Its folder in the bucket, where that isn't its name."""


class Artifact(Model):
    """One file that a step made, with what is needed to judge it and to make it again."""

    model_config = ConfigDict(frozen=True)

    artifact_id: Name
    kind: str
    asset_id: Name
    tenant_id: Name
    env: Name
    key: str
    uri: str
    content_type: str
    sha256: str
    bytes: int
    parents: tuple[str, ...] = ()
    """The asset and artifacts that it was made from."""
    meta: Mapping[str, Any]

    @property
    def is_document(self) -> bool:
        """Is it something to read, of which nothing that listens or looks can make anything?"""
        return self.content_type == "application/json"


def artifact_key(
    ctx: RequestContext, asset_id: str, kind: Kind, artifact_id: str, extension: str
) -> str:
    """The one place in the bucket where this artifact may live."""
    folder = kind.folder or kind.name
    return f"{ctx.object_prefix}media_v2/{asset_id}/{folder}/{artifact_id}.{extension}"


def check_artifact(artifact: Artifact, ctx: RequestContext, kind: Kind) -> None:
    """Refuse an artifact of ``kind`` that must not be registered.

    Raises ``ValidationError`` naming the field: meta that its kind demands and that is missing, a
    tenant or env that is not the context's, or a key anywhere but its place.
    """
    for field in ("tenant_id", "env"):
        if getattr(artifact, field) != getattr(ctx, field):
            raise ValidationError(field, "is not the context's")
    extension = artifact.key.rsplit(".", 1)[-1]
    place = artifact_key(ctx, artifact.asset_id, kind, artifact.artifact_id, extension)
    if artifact.key != place or not extension.isalnum():
        raise ValidationError("key", f"a {kind.name} lives at {place}")
    for name in (*COMMON_META, *kind.demands):
        if name not in artifact.meta:
            raise ValidationError(f"meta.{name}", f"is demanded of every {kind.name}")
