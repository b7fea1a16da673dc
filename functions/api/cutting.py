"""Edit lists: kept with their versions, changed, undone, and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from functions.api.answers import answer, etag_of, tagged
from functions.api.identity import Caller
from functions.api.media import saved_as
from shared.contracts.context import RequestContext
from shared.contracts.edit_list import EditList
from shared.contracts.ids import NAME_PATTERN, Name
from shared.contracts.model import Model, RequestBody
from shared.editing.edit_lists import ListChange
from shared.editing.list_versions import (
    KeptList,
    change_list,
    keep_list,
    load_list,
    read_version,
    undo,
)
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.interchange.cut_exports import (
    CutMedia,
    cut_to_edl,
    cut_to_fcpxml,
    cut_to_otio,
    edit_labels,
)
from shared.interchange.fcp7 import cut_to_fcp7
from shared.runs.results_folder import stem_of
from shared.steps.preparing import load_asset

Id = Annotated[str, Path(pattern=NAME_PATTERN)]
Version = Annotated[
    int | None, Query(ge=1, description="Which version; by default the one that stands.")
]
_EXPECTED = "The version that is to be changed: another one's standing is 409."


class ListToKeep(RequestBody):
    """Which list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact_id: Name = Field(description="An edit list that `edit.cut` made.")


class Change(ListChange, RequestBody):
    """A change of the version that stands."""

    version: int = Field(ge=1, description=_EXPECTED)


class Undo(RequestBody):
    """Back to what stood before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1, description=_EXPECTED)


class EditListAnswer(Model):
    """A version of an edit list."""

    edit_list_id: str
    asset_id: str
    version: int
    """Of this answer."""
    versions: int
    """How many there are; the last one stands."""
    artifact_id: str
    """This version's artifact: what `render.audio` and `render.video` take as `edit_list`."""
    undo_to: int | None
    """The version that an undo would bring back."""
    edit_list: EditList


_FORMS: Mapping[str, tuple[str, str, Callable[[EditList, CutMedia], str]]] = {
    "otio": ("cut.otio", "application/json", cut_to_otio),
    "fcp7": ("cut.fcp7.xml", "application/xml", cut_to_fcp7),
    "fcpxml": ("cut.fcpxml", "application/xml", cut_to_fcpxml),
    "edl": ("cut.edl", "text/plain; charset=utf-8", cut_to_edl),
    "labels": ("labels.txt", "text/plain; charset=utf-8", lambda edits, _: edit_labels(edits)),
}
"""What other programs read: how the file ends, its type, and who writes it."""


def _shown(
    home: Home, ctx: RequestContext, kept: KeptList, version: int | None = None
) -> dict[str, Any]:
    """A version of the list, by default the last."""
    found = kept.named(version)
    return {
        "edit_list_id": kept.edit_list_id,
        "asset_id": kept.asset_id,
        "version": version or kept.version,
        "versions": kept.version,
        "artifact_id": found.artifact_id,
        "undo_to": found.before,
        "edit_list": read_version(home, ctx, kept, version).content(),
    }


def routes(home: Home) -> APIRouter:
    """The endpoints of edit lists."""
    router = APIRouter(tags=["edit lists"])

    @router.post("/edit-lists")
    def keep(request: Request, ctx: Caller, body: ListToKeep) -> Response:
        """Begin to keep versions of an edit list; the same again answers with what it has become."""
        return answer(request, _shown(home, ctx, keep_list(home, ctx, body.artifact_id)))

    @router.get("/edit-lists/{edit_list_id}")
    def edit_list(
        request: Request, ctx: Caller, edit_list_id: Id, version: Version = None
    ) -> Response:
        """A version of the list."""
        return answer(request, _shown(home, ctx, load_list(home, ctx, edit_list_id), version))

    def exported(
        request: Request, ctx: Caller, edit_list_id: Id, version: Version = None
    ) -> Response:
        """A version of the list, for another program: its clips name the recording's file alone."""
        kept = load_list(home, ctx, edit_list_id)
        edits = read_version(home, ctx, kept, version)
        if not edits.keeps:
            raise ValidationError("edit_list", "leaves nothing of the recording")
        asset = load_asset(home, ctx, kept.asset_id)
        name = asset.file_name or asset.asset_id
        form = request.url.path.rsplit("/", 1)[-1]
        ending, kind, write = _FORMS[form]
        text = write(edits, CutMedia(name, f"file:///{quote(name)}", asset.media)).encode()
        headers = saved_as(f"{stem_of(name)} {ending}")
        return tagged(request, text, etag_of(text), media_type=kind, headers=headers)

    for name in _FORMS:
        path = f"/edit-lists/{{edit_list_id}}/{name}"
        router.get(path, name=f"edit_list_{name}", response_class=Response)(exported)

    @router.patch("/edit-lists/{edit_list_id}")
    def change(request: Request, ctx: Caller, edit_list_id: Id, body: Change) -> Response:
        """Take edits back, put them back, add others: the next version."""
        load_asset(home, ctx, load_list(home, ctx, edit_list_id).asset_id)
        changed = change_list(home, ctx, edit_list_id, body.version, body)
        return answer(request, _shown(home, ctx, changed))

    @router.post("/edit-lists/{edit_list_id}/undo")
    def take_back(request: Request, ctx: Caller, edit_list_id: Id, body: Undo) -> Response:
        """The next version, as the one before the last change was; again: one change farther back."""
        load_asset(home, ctx, load_list(home, ctx, edit_list_id).asset_id)
        return answer(request, _shown(home, ctx, undo(home, ctx, edit_list_id, body.version)))

    return router
