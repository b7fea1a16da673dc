"""``render.video``: cuts, covered faces, captions and a new shape, in one pass to one file.

    plan (a dry run ends here) -> pictures in their windows, cropped -> captions -> H.264 and AAC, checked

The picture comes from the anonymised video unless the original is asked for. Of an edit list only what
lies around a cut is encoded, where the rest can be copied (``copied_groups``); what is long and has to be
encoded is rendered in segments, which are joined as they are. The rendering checks itself and fails
rather than delivers what is not as planned. Promised: with the same ffmpeg, and the same fonts where
captions are burnt in, the same plan gives the same bytes, whatever the machine's number of cores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from functions.render.video.fonts_at_hand import fonts_digest
from functions.render.video.rendered_video import RenderedVideo
from functions.render.video.rendered_windows import make_windows
from functions.render.video.video_plan import (
    FACES_STEP,
    VideoRenderParams,
    make_plan,
    shape_of,
)
from shared.contracts.asset import MediaInfo
from shared.contracts.context import RequestContext
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Output,
    Part,
    Parts,
    Result,
    SourceRef,
    even_parts,
)
from shared.media.frames import can_begin_at, first_video
from shared.steps.claims import common_cache_key
from shared.watch.health import dependency, require

REVISION = 12
PART_MS = 120_000


def backend() -> Backend:
    """ffmpeg; there is no stub."""
    require("ffmpeg")
    known = {"ffmpeg": dependency("ffmpeg")}
    version = f"video_render-{REVISION}+ffmpeg-{known['ffmpeg'].version}"
    return Backend("ffmpeg", version, dependencies=known)


def run(job: Job, params: VideoRenderParams, backend: Backend) -> Result:
    """Plan and, unless it is a dry run, render. Raises ``MissingDependency`` for what is lacking."""
    if split(job.media, job.inputs, params):
        return PARTS.run(job, params, backend)
    plan = make_plan(job, params)
    described = {**plan.described(), "backend_version": backend.version}
    if params.dry_run:
        path = job.workdir / "plan.json"
        path.write_text(json.dumps(described, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        meta = {"plan": described, "dry_run": True}
        return Result([Output("video_render", "plan", path, "application/json", meta)])
    plan.refuse()
    return Result([RenderedVideo(job, plan).whole(described)])


def split(
    media: MediaInfo, inputs: Mapping[str, Sequence[InputFile]], params: VideoRenderParams
) -> list[Part]:
    """Parts of about two minutes or longer, where the picture can be decoded from there.

    They are stretches of what is rendered; with an edit list, which is not read here, of the recording.
    None, which means in one piece, where it can't, and below three minutes.
    """
    if params.dry_run or not (_covered(inputs, params) or can_begin_at(media)):
        return []
    if params.edit_list is None:
        duration_ms = round(make_windows(media, params.cuts)[-1].end_ms)
    else:
        duration_ms = (media.duration_ms or 0) if _cut_in_parts(media, params) else 0
    return even_parts(duration_ms, PART_MS)


def _covered(inputs: Mapping[str, Sequence[InputFile]], params: VideoRenderParams) -> bool:
    return params.faces == "anonymised" and bool(inputs.get(FACES_STEP))


def read_recording(inputs: Mapping[str, Sequence[InputFile]], params: VideoRenderParams) -> bool:
    """A part takes its pictures from the covered video, if there is one; sound is for the join."""
    return not _covered(inputs, params)


def _cut_in_parts(media: MediaInfo, params: VideoRenderParams) -> bool:
    """Not where most may be copied; nor where which pictures are left out depends on all before."""
    stream = first_video(media)
    changed = params.punch_in or params.captions == "burn"
    changed = changed or shape_of(stream, params)[1] != stream.shown_size
    return changed and stream.frame_rate_kind == "constant"


def render_part(job: Job, params: VideoRenderParams, _backend: Backend, part: Part) -> Path:
    """The part's pictures as a segment of the video."""
    plan = make_plan(job, params)
    plan.refuse()
    return RenderedVideo(job, plan).segment(part)


def join_parts(
    job: Job, params: VideoRenderParams, backend: Backend, files: Sequence[Path]
) -> Result:
    """The segments, the sound, and captions as a track."""
    plan = make_plan(job, params)
    described = {**plan.described(), "backend_version": backend.version}
    return Result([RenderedVideo(job, plan).join(files, described)])


def sources(params: VideoRenderParams) -> Sequence[SourceRef]:
    """The edit list."""
    return (
        [SourceRef(artifact_id=params.edit_list, of_recording="edit_list")]
        if params.edit_list
        else []
    )


PARTS = Parts(split, render_part, join_parts, read_recording)


def cache_key(
    ctx: RequestContext,
    asset_id: str,
    artifact_id: str | None,
    params: VideoRenderParams,
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """The common formula; where captions are burnt in, the installed fonts stand behind the version."""
    drawn = f"+fonts-{fonts_digest()[:16]}" if params.captions == "burn" else ""
    stated, subject = params.model_dump(mode="json"), artifact_id or asset_id
    version = backend_version + drawn
    return common_cache_key(ctx, "render.video", subject, stated, version, upstream)


ENGINE = Engine(
    params=VideoRenderParams,
    backend=backend,
    run=run,
    cache_key=cache_key,
    sources=sources,
    parts=PARTS,
)
