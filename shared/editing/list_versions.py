"""Edit lists that people change: each version an artifact, and one document that says which stands.

    edit.cut ──> artifact, version 1 ──> kept ──> changed: version 2 ──> undone: version 3, as 1 was
                                          |              |                   |
                                          └──────── every version stays, and can be rendered

A version's artifact is written before the document names it; of two who change one version, one
wins, and the other is told.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from pydantic import ConfigDict

from shared.contracts.artifact import Artifact, artifact_key
from shared.contracts.context import RequestContext
from shared.contracts.edit_list import EditList
from shared.contracts.ids import Name, artifact_id, checked_name
from shared.contracts.model import Model
from shared.editing.edit_lists import ListChange, changed_list, list_meta, next_version
from shared.errors import Conflict, NotFound, ValidationError
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.homes.objects import ABSENT
from shared.pipeline import kind_named
from shared.steps.storing import artifact_path, load_artifact

MOST_VERSIONS = 5000
"""A document has its limits; who needs more begins anew with the list that stands."""


class ListVersion(Model):
    """One version of a list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    artifact_id: Name
    before: int | None = None
    """The version that an undo brings back, from 1."""


class KeptList(Model):
    """A list and its versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    edit_list_id: Name
    """Its first version's artifact."""
    asset_id: Name
    versions: tuple[ListVersion, ...]
    """From 1 on; the last one stands."""

    @property
    def version(self) -> int:
        """The one that stands."""
        return len(self.versions)

    def named(self, version: int | None) -> ListVersion:
        """That version, or the one that stands; raises ``NotFound``."""
        if version is None:
            return self.versions[-1]
        if not 1 <= version <= len(self.versions):
            raise NotFound("version", str(version))
        return self.versions[version - 1]


def keep_list(home: Home, ctx: RequestContext, artifact: str) -> KeptList:
    """Begin to keep versions of an edit list; the same again is the same, whatever it has become.

    Raises ``NotFound``, and ``ValidationError`` for an artifact that is no edit list.
    """
    found = load_artifact(home.documents, ctx, artifact)
    if found.kind != EditList.kind:
        raise ValidationError("artifact_id", f"is no {EditList.title}, but {found.kind}")
    first = KeptList(
        edit_list_id=artifact,
        asset_id=found.asset_id,
        versions=(ListVersion(artifact_id=artifact),),
    )
    with suppress(Conflict):
        home.documents.create(_path(ctx, artifact), first.model_dump(mode="json"))
        return first
    return load_list(home, ctx, artifact)


def load_list(home: Home, ctx: RequestContext, identifier: str) -> KeptList:
    """Raises ``NotFound``."""
    return KeptList.model_validate(_document(home, ctx, identifier).data)


def read_version(
    home: Home, ctx: RequestContext, kept: KeptList, version: int | None = None
) -> EditList:
    """The version, or the one that stands; raises ``NotFound``."""
    artifact = load_artifact(home.documents, ctx, kept.named(version).artifact_id)
    return EditList.read_from(home.objects.read(artifact.key))


def change_list(
    home: Home, ctx: RequestContext, identifier: str, version: int, change: ListChange
) -> KeptList:
    """Make the next version.

    Raises ``Conflict`` where ``version`` is not the one that stands, and as ``changed_list`` does.
    """
    document, kept = _standing(home, ctx, identifier, version)
    changed = changed_list(read_version(home, ctx, kept), change)
    return _with_version(home, ctx, document, changed, before=kept.version)


def undo(home: Home, ctx: RequestContext, identifier: str, version: int) -> KeptList:
    """Make a next version that is what stood before this one was made; again, the one before that.

    Raises ``Conflict`` where ``version`` is not the one that stands, or nothing stood before it.
    """
    document, kept = _standing(home, ctx, identifier, version)
    before = kept.versions[-1].before
    if before is None:
        raise Conflict("there is nothing to undo")
    stood = read_version(home, ctx, kept, before)
    again = next_version(stood.model_copy(update={"version": kept.version}), stood.edits)
    return _with_version(home, ctx, document, again, before=kept.named(before).before)


def _standing(
    home: Home, ctx: RequestContext, identifier: str, version: int
) -> tuple[Document, KeptList]:
    document = _document(home, ctx, identifier)
    kept = KeptList.model_validate(document.data)
    if kept.version != version:
        raise Conflict(f"version {kept.version} of the edit list stands, not {version}")
    if kept.version >= MOST_VERSIONS:
        raise Conflict(
            f"an edit list has at most {MOST_VERSIONS} versions: ask for edit.cut again, and edit that list"
        )
    return document, kept


def _document(home: Home, ctx: RequestContext, identifier: str) -> Document:
    document = home.documents.get(_path(ctx, identifier))
    if document is None:
        raise NotFound("edit list", identifier)
    return document


def _with_version(
    home: Home, ctx: RequestContext, document: Document, edits: EditList, before: int | None
) -> KeptList:
    kept = KeptList.model_validate(document.data)
    artifact = _stored(home, ctx, kept, edits)
    new = ListVersion(artifact_id=artifact.artifact_id, before=before)
    grown = kept.model_copy(update={"versions": (*kept.versions, new)})
    home.documents.update(document.path, grown.model_dump(mode="json"), version=document.version)
    return grown


def _stored(home: Home, ctx: RequestContext, kept: KeptList, edits: EditList) -> Artifact:
    """The version as an artifact. Its id derives from what it holds: written twice, it is the same."""
    stands = load_artifact(home.documents, ctx, kept.versions[-1].artifact_id)
    text = edits.written()
    sha256 = hashlib.sha256(text).hexdigest()
    identifier = artifact_id(kept.edit_list_id, EditList.kind, sha256)
    key = artifact_key(ctx, kept.asset_id, kind_named(EditList.kind), identifier, "json")
    made = stands.model_copy(
        update={
            "artifact_id": identifier,
            "key": key,
            "uri": home.objects.uri(key),
            "sha256": sha256,
            "bytes": len(text),
            "parents": (kept.asset_id, stands.artifact_id),
            "meta": {**stands.meta, **list_meta(edits)},
        }
    )
    with suppress(Conflict):
        home.objects.put(key, text, content_type=made.content_type, if_generation=ABSENT)
    with suppress(Conflict):
        home.documents.create(artifact_path(ctx, identifier), made.model_dump(mode="json"))
    return made


def _path(ctx: RequestContext, identifier: str) -> str:
    return f"{ctx.document_prefix}edit_lists/{checked_name('edit_list_id', identifier)}"
