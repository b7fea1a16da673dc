"""One rendering of a recording with its faces covered: whole, or a segment and the join of all.

Frames go one by one from the decoder through ``Blurrer`` to the encoder, each with its own time, so
memory does not grow with the length. Every frame is looked up in the summary by number and time:
one that the summary does not know ends the rendering, for it might show a face. The packets of what
was written are counted and timed before it is delivered. The report and its picture are made here,
too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from functions.anonymise.blur import PRESETS, Blurrer
from functions.anonymise.coverage import Doubt, doubts_about, least_confident, report
from functions.anonymise.covers import Cover, by_frame
from functions.anonymise.face_params import FacesParams
from functions.anonymise.kept_segments import KeptSegment
from shared.contracts.coverage_report import CoverageReport
from shared.contracts.plurals import many
from shared.contracts.region_summary import RegionFrame, RegionSummary
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    InputFile,
    Job,
    Output,
    Part,
    Result,
)
from shared.errors import ValidationError
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
from shared.media.formats import PICTURES, FileType
from shared.media.frames import (
    PictureFormat,
    VideoFrames,
    Wanted,
    first_video,
    picture_format,
)
from shared.media.picture_segments import Segment, join_segments
from shared.media.remux import check_written, kept_sound, place_for
from shared.media.sheets import Mark, Tile, draw_sheet, thumbnail
from shared.media.stills import write_still

_SHOWN = 12
"""So many frames stand in the report's picture."""
_SLOW = 30.0
"""Seconds of work for one of the recording, on a slow machine, before it is given up."""
_ONE_MS = 40.0
"""A recording's only picture is shown for so long."""


@dataclass(frozen=True)
class Rendering:
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
        """Why a face may show."""
        return doubts_about(self.summary, self.covers)

    @property
    def refused(self) -> bool:
        """Is there a doubt where none is allowed?"""
        return bool(self.params.fail_closed and self.doubts)

    @property
    def renders(self) -> bool:
        """Is there a video to be made?"""
        return bool(self.covers or self.weak) and not self.refused

    def nothing_rendered(self) -> Result:
        """Why there is no video."""
        if not self.refused:
            return _nothing_to_cover(self)
        reason = f"coverage is in doubt, so no video is delivered: {self.doubts[0].reason}"
        return Result(self.report({}), StepState.DEGRADED, reason)

    @property
    def all_covers(self) -> list[Cover]:
        """Of tracks, then of weak detections."""
        return [*self.covers, *self.weak]

    @property
    def frames_covered(self) -> int:
        """How many frames have a cover."""
        return len(by_frame(self.all_covers))

    def render(self) -> tuple[Output, dict[int, NDArray[np.uint8]]]:
        """The video, and small pictures of the frames that the report shows.

        Frame -> uint8 ``(height, width, 3)``. Raises ``ValidationError`` for a summary whose frames
        are not this recording's.
        """
        if self.job.media.container in PICTURES:
            return self._still()
        written, place, mapped = self._whole()
        with PictureWriter(written) as writer:
            ticks, shown = self._cover(writer, written, mapped, range(self.summary.frame_count))
        check_written(written.path, ticks, written.format, self.job.media)
        return self._video(written.path, place.content_type), shown

    def segment(self, part: Part) -> KeptSegment:
        """The frames that are first shown in the part.

        Its video has no sound; the last part's ends as the recording does. No segment where it has
        no frame.
        """
        times_ms = [row.time_ms for row in self.summary.frames]
        last = part.end_ms >= (self.job.media.duration_ms or 0)
        first = bisect_left(times_ms, part.start_ms) if part.start_ms else 0
        frames = range(first, len(times_ms) if last else bisect_left(times_ms, part.end_ms))
        if not frames:
            return KeptSegment(None)
        whole, _, mapped = self._whole()
        ends = whole.end_s if last else Fraction(times_ms[frames.stop]) / 1000
        path = self.job.workdir / "segment.mp4"
        written = replace(whole, path=path, inputs=(), streams=(), end_s=ends, count=len(frames))
        with PictureWriter(written) as writer:
            ticks, shown = self._cover(writer, written, mapped, frames)
        check_written(path, ticks, written.format, self.job.media)
        return KeptSegment(path, ticks, shown)

    def join(self, kept: Sequence[KeptSegment]) -> tuple[Output, dict[int, NDArray[np.uint8]]]:
        """The video of all segments, and the pictures that were kept of them."""
        written, place, _ = self._whole()
        base = written.format.time_base
        segments = [Segment(one.segment, one.ticks[0] * base) for one in kept if one.segment]
        join_segments(segments, written)
        ticks = [at for one in kept for at in one.ticks]
        check_written(written.path, ticks, written.format, self.job.media)
        shown = {frame: small for one in kept for frame, small in (one.shown or {}).items()}
        return self._video(written.path, place.content_type), shown

    def _whole(self) -> tuple[Written, FileType, bool]:
        """What is written in the end, its kind of file, and whether HDR is mapped."""
        job, form = self.job, picture_format(self.job.source, self.job.media)
        planes, form, mapped = self._shape(form)
        first_ms = self.summary.frames[0].time_ms if self.summary.frames else 0.0
        place, sound = place_for(job.media), kept_sound(job.source, job.media, first_ms)
        written = Written(
            job.workdir / f"anonymised.{place.extension}",
            planes,
            form,
            sound.inputs,
            sound.streams,
            sound.clock,
            filters=evened(planes.width, planes.height) if planes.pixel_format == PLAYABLE else (),
            end_s=_end_s(job, self.summary),
            count=self.summary.frame_count,
            timeout_s=timeout_for(job.media.duration_ms, realtime_factor=_SLOW),
        )
        return written, place, mapped

    def _shape(self, form: PictureFormat) -> tuple[Planes, PictureFormat, bool]:
        """The pictures as they are written, their tags, and whether HDR is mapped."""
        size = (self.summary.width, self.summary.height)
        if self.params.pixels == "source":
            return Planes(*size, passing_format(form.pixel_format, *size)), form, False
        return Planes(*size, PLAYABLE), for_everyone(form), form.hdr

    def _cover(
        self, writer: PictureWriter, written: Written, mapped: bool, of: range
    ) -> tuple[list[int], dict[int, NDArray[np.uint8]]]:
        """Write these frames; returns their times in ticks, and small pictures to be shown.

        ``of`` numbers frames through the recording. ``mapped``: HDR is made ordinary on the way.
        """
        planes, rows = written.planes, self.summary.frames
        blurrer = self._blurrer(planes, full_range=written.format.color_range == "pc")
        boxes, shown_frames = by_frame(self.all_covers), set(self._shown_frames())
        shown: dict[int, NDArray[np.uint8]] = {}
        wanted = Wanted(
            planes.width,
            planes.height,
            planes.pixel_format,
            planes.size_bytes,
            as_seen=mapped,
            within_ms=(_border_ms(rows, of.start), _border_ms(rows, of.stop)),
        )
        with VideoFrames(self.job.source, self.job.media, wanted) as frames:
            for frame in frames:
                number = of.start + frame.index
                self._check_known(number, frames.ms(frame.ticks))
                blurrer.cover(frame.data, boxes.get(number, ()))
                writer.write(Fraction(frame.ticks) * frames.format.time_base, frame.data)
                if number in shown_frames:
                    shown[number] = _grey(planes, frame.data)
                self.job.progress(0.95 * (frame.index + 1) / len(of))
            if len(frames.ticks) != len(of):
                found = f"{len(frames.ticks)} frames, not {len(of)}"
                raise ValidationError("summary", f"is of another recording: this one has {found}")
            return frames.ticks, shown

    def _still(self) -> tuple[Output, dict[int, NDArray[np.uint8]]]:
        """A photograph, again as one: its three colours are covered as planes of full size."""
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

    def _check_known(self, number: int, time_ms: float) -> None:
        """Does the summary speak of this frame? One that it does not know might show a face.

        Raises ``ValidationError`` where it has no such frame, or at a time more than 1 ms away.
        """
        rows = self.summary.frames
        if number >= len(rows) or abs(rows[number].time_ms - time_ms) > 1:
            raise ValidationError("summary", f"is of another recording: frame {number} differs")

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
        covered = many(self.frames_covered, "covered frame")
        title = f"{many(len(self.doubts), 'doubt')}; the least sure of {covered}"
        draw_sheet(path, title, tiles)
        meta = {"shows": "the covered frames that deserve a look, with their covers marked"}
        return [Output("preview", "preview", path, "image/png", meta, ("coverage",))]

    def _tile(self, frame: int, picture: NDArray[np.uint8]) -> Tile:
        """A frame of the report's picture: its covers marked, and why it is shown."""
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


_LAST_FEW = 12
"""Pictures by which it is told how long the last one is shown."""


def _end_s(job: Job, summary: RegionSummary) -> Fraction:
    """When the last picture is no longer shown.

    That is as long after its time as that is after the one before, unless the recording says that
    it stands longer. (The recording's own word is good to the millisecond only.) Where pictures lack before
    it, as at the end of what was cut without coding it again, it is as long as most are.
    """
    stream = first_video(job.media)
    times_ms = [row.time_ms for row in summary.frames[-_LAST_FEW:]]
    spacings_ms = [after - before for before, after in pairwise(times_ms)] or [0.0]
    spacing_ms, usual_ms, last_ms = spacings_ms[-1], median(spacings_ms), times_ms[-1]
    spacing_ms = usual_ms if spacing_ms > 1.5 * usual_ms else spacing_ms
    told_ms = stream.start_ms + (stream.duration_ms or 0) - last_ms
    lasting_ms = told_ms if told_ms > 1.5 * spacing_ms else spacing_ms
    return Fraction(round(1000 * (last_ms + (lasting_ms or _ONE_MS))), 1_000_000)


def _border_ms(rows: Sequence[RegionFrame], number: int) -> float | None:
    """A time between a frame and the one before it; ``None`` where there is none."""
    if not 0 < number < len(rows):
        return None
    return (rows[number - 1].time_ms + rows[number].time_ms) / 2


def _grey(planes: Planes, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture of the brightness alone, ``(height, width, 3)``; 10 bits become 8."""
    luma = planes.split(data)[0]
    eight = luma if luma.dtype == np.uint8 else np.right_shift(luma.astype(np.uint16), 2)
    return thumbnail(np.repeat(eight.astype(np.uint8)[:, :, None], 3, axis=2))


def _nothing_to_cover(work: Rendering) -> Result:
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
