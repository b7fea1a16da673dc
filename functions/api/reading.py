"""What is read: assets, artifacts, their bytes, runs, subtitles, clips, presets, health."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from functions.api.answers import (
    After,
    Limit,
    Page,
    Paged,
    answer,
    etag_of,
    merged,
    stored_answer,
    stored_page,
    tagged,
)
from functions.api.identity import Caller
from functions.api.media import bytes_answer, saved_as
from functions.api.run_rows import RunRows
from functions.api.straight_route import StraightRoute
from shared.captions.subtitles import FORMATS, shown
from shared.contracts.artifact import Artifact
from shared.contracts.asr_transcript import Transcript
from shared.contracts.ids import NAME_PATTERN, STEP_PATTERN
from shared.editing.clips import load_clip, semantic_timeline_by_clip
from shared.errors import NotFound, ValidationError
from shared.homes.documents import Document
from shared.homes.home import Home
from shared.pipeline import KINDS
from shared.runs.downloads import artifact_file, recording_file
from shared.runs.erasing import erase_asset
from shared.runs.gathering import gather
from shared.runs.part_views import explained_step
from shared.runs.records import change_run
from shared.runs.stored_json import StoredJson, artifact_json, asset_json, tag_of
from shared.runs.views import (
    lineage,
)
from shared.runs.zipping import zipped
from shared.steps.preparing import asset_path, load_asset
from shared.steps.storing import artifact_path, load_artifact
from shared.watch.health import known_all

Id = Annotated[str, Path(pattern=NAME_PATTERN)]
AssetFilter = Annotated[str | None, Query(pattern=NAME_PATTERN)]
StepId = Annotated[str, Path(pattern=STEP_PATTERN)]
Kind = Annotated[str | None, Query(description="One of: " + ", ".join(KINDS))]
Download = Annotated[bool, Query(description="Name a file to save.")]

Names = Annotated[bool, Query(description="Put each speaker's name before what they say.")]


def routes(home: Home) -> APIRouter:
    """The reading endpoints over a home."""
    straight, router = APIRouter(route_class=StraightRoute), APIRouter()
    _identity(straight, home)
    _assets(straight, home)
    _artifacts(straight, home)
    _runs(router, home)
    _texts(router, home)
    _health(router)
    straight.routes.extend(router.routes)
    return straight


def _identity(router: APIRouter, home: Home) -> None:

    @router.get("/me", tags=["identity"])
    def me(request: Request, ctx: Caller) -> Response:
        """Who you are taken for."""
        return answer(request, {**ctx.model_dump(), "home": home.settings.home})


def _assets(router: APIRouter, home: Home) -> None:

    @router.get("/assets", tags=["assets"])
    def assets(request: Request, ctx: Caller, limit: Limit = 100, after: After = None) -> Response:
        """The recordings, by id."""
        found = Page(limit, after).of(home, f"{ctx.document_prefix}assets")
        return stored_page(request, "assets", found, asset_json)

    @router.get("/assets/{asset_id}", tags=["assets"])
    def asset(request: Request, ctx: Caller, asset_id: Id) -> Response:
        """One recording."""
        document = home.documents.get(asset_path(ctx, asset_id))
        if document is None or document.data.get("erasing"):
            raise NotFound("asset", asset_id)
        return stored_answer(request, StoredJson(asset_json(document), tag_of([document])))

    @router.get("/assets/{asset_id}/media", tags=["assets"], response_class=Response)
    @router.head("/assets/{asset_id}/media", include_in_schema=False)
    def media(request: Request, ctx: Caller, asset_id: Id, download: Download = False) -> Response:
        """The recording's bytes; `Range` is understood."""
        file = recording_file(home, ctx, asset_id)
        return bytes_answer(request, home, file, download=download)

    @router.get("/assets/{asset_id}/results.zip", tags=["assets"], response_class=Response)
    def results(ctx: Caller, asset_id: Id) -> Response:
        """All its results as the folder that `rushes export` leaves, written while it is sent."""
        found = gather(home, ctx, asset_id)
        headers = saved_as(f"{found.stem}.rushes.zip")
        return StreamingResponse(zipped(home, found), 200, headers, media_type="application/zip")

    @router.get("/assets/{asset_id}/artifacts", tags=["assets"])
    def artifacts_of(
        request: Request, ctx: Caller, asset_id: Id, page: Paged, kind: Kind = None
    ) -> Response:
        """What was made from it, by id."""
        load_asset(home, ctx, asset_id)
        where = {"asset_id": asset_id, "kind": kind}
        found = page.of(home, f"{ctx.document_prefix}artifacts", where)
        return stored_page(request, "artifacts", found, partial(artifact_json, asset_id=asset_id))

    @router.delete("/assets/{asset_id}", tags=["assets"])
    def erase(request: Request, ctx: Caller, asset_id: Id) -> Response:
        """Remove it and all that was made from it, for good."""
        erased = erase_asset(home, ctx, asset_id)
        told = {"asset_id": asset_id, "run_id": erased.run_id, "removed": erased.removed}
        return answer(request, {**told, "links": {"run": f"/runs/{erased.run_id}"}})


def _runs(router: APIRouter, home: Home) -> None:
    documents = home.documents
    run_rows = RunRows(documents)

    @router.get("/runs", tags=["runs"])
    def runs(request: Request, ctx: Caller, page: Paged, asset_id: AssetFilter = None) -> Response:
        """The runs, newest first, without their artifacts."""
        collection = f"{ctx.document_prefix}runs"
        if asset_id is None:
            found = documents.newest(
                collection, by="created_at", limit=page.limit + 1, after=page.after
            )
        else:
            of_it = documents.list(collection, where={"asset_id": asset_id})
            found = _behind(sorted(of_it, key=_begun, reverse=True), page.after)
        rows = run_rows.of(ctx, found[: page.limit])
        following = rows[-1]["run_id"] if len(found) > page.limit else None
        return answer(request, merged(rows, "runs", following))

    @router.get("/runs/{run_id}/steps/{step}/parts", tags=["runs"])
    def parts(request: Request, ctx: Caller, run_id: Id, step: StepId, page: Paged) -> Response:
        """The parts of a long recording's step, by number; none where it is done in one piece."""
        whole = explained_step(home, ctx, run_id, step)
        rows = _behind_part(whole.pop("parts"), page.after)
        shown = rows[: page.limit]
        following = str(shown[-1]["number"]) if len(rows) > page.limit else None
        return answer(request, {**whole, **merged(shown, "parts", following)})

    @router.put("/runs/{run_id}/dismissed", tags=["runs"], status_code=204)
    def dismiss(ctx: Caller, run_id: Id) -> Response:
        """Note that somebody has seen how the run went: lists need not show it first any more."""
        change_run(documents, ctx, run_id, dismissed=True)
        return Response(status_code=204)


def _begun(run: Document) -> tuple[float, str]:
    at = run.data.get("created_at")
    return at if isinstance(at, int | float) else 0.0, run.id


def _behind(runs: list[Document], after: str | None) -> list[Document]:
    ids = [run.id for run in runs]
    if after not in (None, *ids):
        raise ValidationError("after", "is not in this list")
    return runs if after is None else runs[ids.index(after) + 1 :]


def _behind_part(parts: list[dict[str, Any]], after: str | None) -> list[dict[str, Any]]:
    if after is not None and after not in {str(part["number"]) for part in parts}:
        raise ValidationError("after", "is not in this list")
    return parts if after is None else parts[int(after) :]


def _artifact_shown(document: Document) -> str:
    return artifact_json(document, document.data["asset_id"])


def _artifacts(router: APIRouter, home: Home) -> None:
    documents = home.documents

    @router.get("/artifacts", tags=["artifacts"])
    def artifacts(request: Request, ctx: Caller, page: Paged, kind: Kind = None) -> Response:
        """All artifacts, by id."""
        found = page.of(home, f"{ctx.document_prefix}artifacts", {"kind": kind})
        return stored_page(request, "artifacts", found, _artifact_shown)

    @router.get("/artifacts/{artifact_id}", tags=["artifacts"])
    def artifact(request: Request, ctx: Caller, artifact_id: Id) -> Response:
        """One artifact."""
        document = documents.get(artifact_path(ctx, artifact_id))
        if document is None:
            raise NotFound("artifact", artifact_id)
        return stored_answer(request, StoredJson(_artifact_shown(document), tag_of([document])))

    @router.get("/artifacts/{artifact_id}/content", tags=["artifacts"], response_class=Response)
    @router.head("/artifacts/{artifact_id}/content", include_in_schema=False)
    def content(
        request: Request, ctx: Caller, artifact_id: Id, download: Download = False
    ) -> Response:
        """The artifact's bytes; `Range` is understood."""
        file = artifact_file(home, ctx, artifact_id, saved=download)
        return bytes_answer(request, home, file, download=download)

    @router.get("/artifacts/{artifact_id}/lineage", tags=["artifacts"])
    def made_from(request: Request, ctx: Caller, artifact_id: Id) -> Response:
        """What it was made from, back to the recording."""
        known = load_artifact(documents, ctx, artifact_id).artifact_id
        return answer(request, lineage(home, ctx, known))


def _texts(router: APIRouter, home: Home) -> None:
    documents = home.documents

    def subtitles(request: Request, ctx: Caller, artifact_id: Id, names: Names = False) -> Response:
        """The captions of a transcript, in one of the formats."""
        transcript = _transcript(home, load_artifact(documents, ctx, artifact_id))
        name = request.url.path.rsplit("/", 1)[-1]
        written = FORMATS[name]
        cues = shown(transcript.cues, names=names, speaker_names=transcript.speaker_names)
        body = written.write(cues, transcript.language)
        charset = "; charset=utf-8" if written.is_text else ""
        return tagged(request, body, etag_of(body), media_type=written.content_type + charset)

    for name in FORMATS:
        path = f"/video/captions/{{artifact_id}}/{name}"
        router.get(path, tags=["captions"], name=f"captions_{name}", response_class=Response)(
            subtitles
        )

    @router.get("/clips/{clip_id}", tags=["clips"])
    def clip(request: Request, ctx: Caller, clip_id: Id) -> Response:
        """One clip."""
        found = load_clip(documents, ctx, clip_id)
        links = {"semantic_timeline": f"/audio/semantic-timeline/by-clip/{clip_id}"}
        return answer(
            request, {"clip_id": clip_id, **found.model_dump(mode="json"), "links": links}
        )

    @router.get("/audio/semantic-timeline/by-clip/{clip_id}", tags=["clips"])
    def by_clip(request: Request, ctx: Caller, clip_id: Id) -> Response:
        """The clip's part of its recording's newest semantic timeline."""
        return answer(request, semantic_timeline_by_clip(documents, home.objects, ctx, clip_id))


def _health(router: APIRouter) -> None:

    @router.get("/ready", tags=["health"])
    def ready(request: Request) -> Response:
        """Does the server answer? For whoever started it."""
        return answer(request, {"status": "ok"})

    @router.get("/health", tags=["health"])
    def health(request: Request, ctx: Caller) -> Response:
        """Which tools and packages are here, in which versions, as first found."""
        reports = {
            report.name: {
                "status": report.status,
                "version": report.version,
                "required": report.required,
                "error": report.error,
                "note": report.note,
            }
            for report in known_all()
        }
        return answer(request, {"status": "ok", "dependencies": reports})


def _transcript(home: Home, artifact: Artifact) -> Transcript:
    if artifact.kind != Transcript.kind:
        raise NotFound("transcript", artifact.artifact_id)
    return Transcript.read_from(home.objects.read(artifact.key))
