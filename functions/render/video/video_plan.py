"""The plan of a rendering: everything decided before a picture is touched, as data.

A dry run delivers this plan and stops. What the plan is made of (which artifacts, by which backends,
under which cache keys) and what it lacks stands in it; a rendering that would have to do without
something it was asked for is refused with the same words.

    picture     ``anonymise.faces``' video, unless the original is asked for or nobody is to be covered
    subject     ``detect.visual_meta``, for another shape than the source's
    captions    ``transcribe.captions``' transcript
    windows     from ``cuts``, or from an ``edit_list``
    shape       what is cut out of the picture, and how large it is then

Of each step the newest artifact is taken; a stub's, which has looked at nothing, is an error. Pictures
are upright and their pixels square: sizes are those that are seen. Parts of a long rendering plan
each for themselves and come to the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from functions.render.cut.listed import read_list
from functions.render.video.caption_styles import STYLES
from functions.render.video.fonts_at_hand import lacking
from functions.render.video.rendered_windows import Cut, Window, listed_windows, make_windows
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import VideoStream
from shared.contracts.edit_list import EditList, ms_at
from shared.contracts.ids import Name
from shared.contracts.plurals import many
from shared.contracts.step import NOT_MADE
from shared.contracts.step_engine import InputFile, Job, SoundParams
from shared.contracts.visual import VisualMeta
from shared.editing.edit_lists import jump_cuts_ms
from shared.editing.time_map import time_map
from shared.errors import MissingDependency, ValidationError
from shared.media.frames import first_video

PLAN_VERSION = 1
"""Of the plan's form as data."""
MAX_CUTS = 500
"""Of ``cuts``, and of the windows that a plan tells: it stands in metas."""
ASPECTS: Mapping[str, tuple[int, int] | None] = {
    "source": None,
    "9:16": (9, 16),
    "1:1": (1, 1),
    "16:9": (16, 9),
}
STANDARD_SIZES: Mapping[str, tuple[int, int]] = {"9:16": (1080, 1920)}
"""Width and height of shapes that have one size everywhere."""
FACES_STEP, VISUAL_STEP, CAPTIONS_STEP = (
    "anonymise.faces",
    "detect.visual_meta",
    "transcribe.captions",
)
_KINDS = {
    FACES_STEP: "video_anonymised",
    VISUAL_STEP: "visual_meta",
    CAPTIONS_STEP: "asr_transcript",
}
HARMLESS = ("no faces", "every face is set to be kept")
"""Why there may be no anonymised video although nothing is wrong."""
_FONTS_HINT = "install fonts that do, such as Debian's fonts-noto-core and fonts-noto-cjk"
_WORK_S = 0.03
"""Of decoding, cropping and encoding a million pixels, on one core."""


class VideoRenderParams(SoundParams):
    """What the rendering is to be."""

    cuts: tuple[Cut, ...] = ()
    """Parts of the recording in the order in which they are shown; none: all of it."""
    edit_list: Name | None = None
    """In place of ``cuts``: the artifact of an edit list (each of its versions is one)."""
    punch_in: bool = Field(False, strict=True)
    """Every other stretch between two cuts of the edit list is shown a tenth larger."""
    aspect: Literal["source", "9:16", "1:1", "16:9"] = "source"
    """Other shapes are cut out of the picture around its subject."""
    faces: Literal["anonymised", "original"] = "anonymised"
    captions: Literal["none", "burn", "track"] = "none"
    caption_style: str = "clean"
    size: Literal["standard", "source"] = "standard"
    """``standard``: 9:16 is 1080 by 1,920, as phones' players want it; other shapes, and ``source``, are
    as large as what is cut out."""
    height: int | None = None
    """Of the rendered picture, 16 to 4,320, even; ``None``: as ``size`` says."""
    pixels: Literal["playable", "source"] = "playable"
    """H.264 with 8 bits and 4:2:0, which everything plays; or the recording's own bits and chroma."""
    dry_run: bool = Field(False, strict=True)
    """The plan alone: nothing is rendered, and nothing made that it would lean on."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.cuts) > MAX_CUTS:
            raise ValidationError(
                "cuts",
                f"{len(self.cuts)} are more than {MAX_CUTS}: render them in parts, or as an edit_list",
            )
        if self.edit_list and self.cuts:
            raise ValidationError("cuts", "are not taken beside an edit_list")
        if self.punch_in and not self.edit_list:
            raise ValidationError("punch_in", "is for an edit_list's cuts")
        for number, cut in enumerate(self.cuts):
            if not 0 <= cut.start_ms < cut.end_ms:
                raise ValidationError(
                    f"cuts.{number}", "must begin at 0 or later, and end after that"
                )
        if self.caption_style not in STYLES:
            known = ", ".join(STYLES)
            raise ValidationError(
                "caption_style", f"{self.caption_style!r} is unknown; known: {known}"
            )
        if self.height is not None and (self.height % 2 or not 16 <= self.height <= 4320):
            raise ValidationError("height", "must be even, and from 16 to 4,320")
        return self


@dataclass(frozen=True)
class Notice:
    """Something about what the rendering depends on."""

    step: str
    level: Literal["info", "warning", "error"]
    """``error``: rendering is refused."""
    message: str
    file: InputFile | None = None

    def described(self) -> dict[str, Any]:
        """As the plan has it."""
        meta = self.file.meta if self.file else {}
        return {
            "step": self.step,
            "level": self.level,
            "message": self.message,
            "backend_version": meta.get("backend_version"),
            "cache_key": meta.get("cache_key"),
        }


@dataclass(frozen=True)
class Plan:
    """A rendering, decided."""

    params: VideoRenderParams
    windows: Sequence[Window]
    crop: tuple[int, int]
    """Width and height of what is cut out of the picture, in square pixels."""
    size: tuple[int, int]
    """Width and height of the rendering."""
    used: Mapping[str, InputFile]
    """Step -> the artifact that is taken from it."""
    notices: Sequence[Notice]
    frame_rate: float
    """Frames a second: the recording's, on average where it varies; 25 where none is known."""
    edits: EditList | None = None
    """What it was cut by."""
    jumps_ms: Sequence[float] = ()
    """Where its picture jumps, in the rendering."""

    @property
    def duration_ms(self) -> float:
        """Of the rendering."""
        return self.windows[-1].end_ms if self.windows else 0.0

    def described(self) -> dict[str, Any]:
        """The plan as data: the same request gives the same text.

        The estimate's ``work_s`` is seconds on one core for decoding, cropping and encoding so many pictures
        of this crop. Of more than 500 windows the first 500 are told, and ``window_count``.
        """
        frames = round(self.duration_ms * self.frame_rate / 1000)
        megapixels = self.crop[0] * self.crop[1] / 1e6
        return {
            "plan_version": PLAN_VERSION,
            "windows": [_described(window) for window in self.windows[:MAX_CUTS]],
            "window_count": len(self.windows),
            "duration_ms": round(self.duration_ms, 3),
            "picture": "original" if self._shows_faces else "anonymised",
            "aspect": self.params.aspect,
            "crop": {"width": self.crop[0], "height": self.crop[1]},
            "width": self.size[0],
            "height": self.size[1],
            "captions": {"mode": self.params.captions, "style": self.params.caption_style},
            "selected": [_selected(step, file) for step, file in sorted(self.used.items())],
            "dependency_notices": [notice.described() for notice in self.notices],
            "estimate": {"frames": frames, "work_s": round(frames * megapixels * _WORK_S, 1)},
        }

    @property
    def _shows_faces(self) -> bool:
        """Is it made of the recording itself, as was asked for or because there are no faces?"""
        about = [notice for notice in self.notices if notice.step == FACES_STEP]
        return all(notice.level == "info" and not notice.file for notice in about)

    def refuse(self) -> None:
        """Raise ``MissingDependency`` where something that was asked for is not there."""
        for notice in self.notices:
            if notice.level == "error":
                raise MissingDependency(notice.step, None, notice.message)


def _described(window: Window) -> dict[str, float]:
    faster = {"speed": window.speed} if window.speed != 1 else {}
    return faster | {
        "source_start_ms": round(window.source_start_ms, 3),
        "source_end_ms": round(window.source_end_ms, 3),
        "start_ms": round(window.start_ms, 3),
        "end_ms": round(window.end_ms, 3),
    }


def _selected(step: str, file: InputFile) -> dict[str, Any]:
    """An artifact that is taken as it is: it was found in the cache, and is not made again."""
    told = ("backend_version", "cache_key", "summary_artifact_id", "summary_backend_version")
    return {
        "step": step,
        "kind": file.kind,
        "artifact_id": file.artifact_id,
        **{name: file.meta[name] for name in told if name in file.meta},
        "cached": True,
    }


def make_plan(job: Job, params: VideoRenderParams) -> Plan:
    """Decide everything. Raises ``ValidationError`` for cuts outside the recording, a still picture, and an
    edit list that is another recording's or leaves less than one picture; ``UnsupportedMedia`` where
    there is no picture. What is lacking is a notice, which ``Plan.refuse`` raises.
    """
    stream = first_video(job.media)
    used, notices = _choose(job, params)
    crop, size = shape_of(stream, params)
    rate = stream.frame_rate or 25.0
    edits = read_list(job, params.edit_list) if params.edit_list else None
    windows = listed_windows(edits) if edits else make_windows(job.media, params.cuts)
    if edits and windows[-1].end_ms * rate < 1000:
        raise ValidationError("edit_list", "leaves less than one picture")
    jumps = _jumps_ms(job, edits) if edits else ()
    return Plan(params, windows, crop, size, used, notices, rate, edits, jumps)


def _jumps_ms(job: Job, edits: EditList) -> list[float]:
    """Cuts within a shot, in the new time; where shots are not known, all cuts."""
    file = _newest(job, VISUAL_STEP)
    if file is None or file.meta.get("backend_type") == "stub":
        whole = time_map(edits)
        return [ms_at(join, whole.sample_rate_hz) for join in whole.joins]
    return jump_cuts_ms(edits, VisualMeta.read(file.path))


def shape_of(
    stream: VideoStream, params: VideoRenderParams
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height of what is cut out of the picture, and of the rendering.

    Both in square pixels of upright pictures. A height, or a shape's standard size, scales what is cut out.
    """
    standard = params.size == "standard" and params.aspect in STANDARD_SIZES
    scaled = standard or params.height is not None
    crop = crop_size(stream.shown_size, params.aspect, scaled=scaled)
    return crop, _size(crop, params)


def _size(crop: tuple[int, int], params: VideoRenderParams) -> tuple[int, int]:
    """Width and height of the rendering, in square pixels; H.264 holds even ones alone."""
    if params.height is not None:
        return max(2, round(crop[0] * params.height / crop[1] / 2) * 2), params.height
    if params.size == "standard" and params.aspect in STANDARD_SIZES:
        return STANDARD_SIZES[params.aspect]
    return crop[0] + crop[0] % 2, crop[1] + crop[1] % 2


def crop_size(size: tuple[int, int], aspect: str, *, scaled: bool = False) -> tuple[int, int]:
    """The largest rectangle of this shape in the picture; ``source`` leaves all of it.

    It is even, unless it is ``scaled`` afterwards: then it is as near to the shape as can be, within half a
    pixel. At least a pixel each way.
    """
    shape = ASPECTS[aspect]
    if shape is None:
        return size
    wide, high = size
    over, under = shape
    width = min(wide, round(high * over / under))
    height = min(high, round(wide * under / over))
    if scaled:
        return max(1, width), max(1, height)
    return max(1, width - width % 2), max(1, height - height % 2)


def _choose(job: Job, params: VideoRenderParams) -> tuple[dict[str, InputFile], list[Notice]]:
    """The artifacts that are taken, and what is to be said about each dependency."""
    wanted = {
        FACES_STEP: params.faces == "anonymised",
        VISUAL_STEP: params.aspect != "source",
        CAPTIONS_STEP: params.captions != "none",
    }
    used: dict[str, InputFile] = {}
    notices = []
    for step in (step for step, is_wanted in wanted.items() if is_wanted):
        file = _newest(job, step)
        notice = _notice(job, step, file)
        notices.append(notice)
        if file and notice.level != "error":
            used[step] = file
    if params.captions == "burn" and CAPTIONS_STEP in used:
        notices += _of_fonts(used[CAPTIONS_STEP])
    return used, notices


def _of_fonts(file: InputFile) -> Iterator[Notice]:
    """What no installed font draws: signs are left out (a warning), letters and digits never (an error).

    Without fontconfig nothing can be said, and that is an error, too.
    """
    text = "".join(cue.text for cue in Transcript.read(file.path).cues)
    try:
        absent = lacking(text)
    except MissingDependency as error:
        yield Notice(CAPTIONS_STEP, "error", str(error), file)
        return
    letters = [sign for sign in absent if sign.isalnum()]
    if letters:
        told = f"no installed font has {_listed(letters)}: {_FONTS_HINT}"
        yield Notice(CAPTIONS_STEP, "error", told, file)
    elif absent:
        told = f"no installed font has {_listed(absent)}: left out of the picture"
        yield Notice(CAPTIONS_STEP, "warning", told, file)


def _listed(signs: Sequence[str]) -> str:
    """The first five with their code points, and how many more there are."""
    shown = ", ".join(f"{sign} (U+{ord(sign):04X})" for sign in signs[:5])
    return shown if len(signs) <= 5 else f"{shown} and {len(signs) - 5} more"


def _newest(job: Job, step: str) -> InputFile | None:
    found = [file for file in job.inputs.get(step, ()) if file.kind == _KINDS[step]]
    return found[-1] if found else None


def _notice(job: Job, step: str, file: InputFile | None) -> Notice:
    """What is to be said of a step that is wanted: one line, and whether it stands in the way."""
    if file is None:
        return _lacking(job, step)
    if file.meta.get("backend_type") == "stub":
        return Notice(
            step, "error", f"its {file.kind} is a stub's, which has looked at nothing", file
        )
    if step == CAPTIONS_STEP and not file.meta.get("cue_count", 1):
        return Notice(step, "warning", "there is no caption in the transcript", file)
    doubts = file.meta.get("doubt_count", 0)
    if doubts:
        return Notice(step, "warning", f"its coverage is in doubt in {many(doubts, 'place')}", file)
    return Notice(step, "info", f"its {file.kind} is used", file)


def _lacking(job: Job, step: str) -> Notice:
    """Of a step that gave nothing, why. No faces are no lack; what a dry run did not make is a warning."""
    said = job.failed.get(step, {})
    reason = str(said.get("reason") or said.get("message") or "it has delivered nothing")
    if step == FACES_STEP and reason in HARMLESS:
        return Notice(step, "info", f"the original picture is used: {reason}")
    if reason == NOT_MADE:  # which a dry run alone may hear
        return Notice(
            step, "warning", f"its {_KINDS[step]} is not made yet: rendering makes it first"
        )
    without = "; captions=none renders it without" if step == CAPTIONS_STEP else ""
    return Notice(step, "error", f"there is no {_KINDS[step]}: {reason}{without}")
