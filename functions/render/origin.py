"""``render.origin``: where in the video do the clips of an audio edit come from?

Each clip becomes a shot: a window of the source as long as the clip, moved to where somebody first
speaks in it, and from there to the nearest beat or pause where that is asked for.

    clip          |........................|         start_ms .. end_ms of the audio
    first speech       |                             semantic_offset_ms after its start
    shot               |........................|    + source_start_ms of an upstream artifact

Reads the asset's newest ``audio_semantic_timeline`` (speech, silence, beats) and writes one
``video_shot_list``; nothing is decoded. All times are whole milliseconds: of the clip's asset, of its source,
or of the edit. Plain arithmetic, by order of the clips, so the same params give the same list.

A shot keeps its clip's length even where it is moved, for an edit's rhythm is the audio's; only where it
would reach over its asset's end it is cut short, and a notice says so. The end of the source itself
(a video that the audio was cut out of) is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.shot_list import ShotList, ShotListMeta, ShotMeta, VideoShot
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, StepParams
from shared.errors import NotFound, ValidationError

VERSION = "origin-1"
MOST_CLIPS = 10_000


class OriginClip(Model):
    """One clip of the edit; milliseconds of its asset."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    clip_id: Name | None = None
    asset_id: Name | None = None
    """``None``: the asset that the step works on."""
    start_ms: int = Field(0, ge=0)
    end_ms: int
    speed: float = Field(1.0, gt=0, le=16)
    target_start_ms: int | None = Field(None, ge=0)
    """Where it stands in the edit; ``None``: behind the clip before it."""
    source_asset_id: Name | None = None
    source_start_ms: int = Field(0, ge=0)
    """Of audio that was cut out of a video: which, and where its 0 lies in it."""

    @model_validator(mode="after")
    def _check_window(self) -> OriginClip:
        if self.end_ms <= self.start_ms:
            raise ValueError("end_ms must be greater than start_ms")
        return self


class OriginParams(StepParams):
    """The clips, and how shots are placed."""

    clips: tuple[OriginClip, ...] = Field(min_length=1, max_length=MOST_CLIPS)
    to_speech: bool = True
    """Move each shot to the first speech in it."""
    snap: Literal["none", "beat", "pause"] = "none"
    """Then move it to the nearest beat, or to the nearest place where nobody is heard."""
    snap_within_ms: int = Field(500, ge=0, le=10_000)
    """What is farther away is left alone."""
    missing_semantics: Literal["error", "notice"] = "error"
    """A clip whose asset has no semantic timeline: refuse, or leave it where it is and say so."""


def map_origins(
    params: OriginParams, semantics: Mapping[str, SemanticTimeline], asset_id: str = ""
) -> ShotList:
    """The shots of ``params.clips``; ``semantics`` maps assets to their newest semantic timelines.

    ``asset_id`` is that of clips which name none. Shots stand in the clips' order; where a clip has no place
    in the edit, behind the one before it. What the list's meta tells of semantics is the last shot's that
    has any. Raises ``NotFound`` for a missing one where ``missing_semantics`` is ``error``, and
    ``ValidationError`` for a clip behind its asset's end.
    """
    shots: list[VideoShot] = []
    target_ms = 0
    for index, clip in enumerate(params.clips):
        named = clip.model_copy(update={"asset_id": clip.asset_id or asset_id})
        at_ms = target_ms if clip.target_start_ms is None else clip.target_start_ms
        shots.append(_shot(named, index, semantics.get(named.asset_id or ""), params, at_ms))
        target_ms = at_ms + shots[-1].target_duration_ms
    seen = [shot.meta for shot in shots if shot.meta.semantic_cache_key]
    meta = ShotListMeta(
        semantic_version=seen[-1].semantic_version if seen else None,
        semantic_cache_key=seen[-1].semantic_cache_key if seen else None,
        notices=tuple(sorted({notice for shot in shots for notice in shot.meta.notices})),
    )
    return ShotList(shots=tuple(shots), meta=meta)


def _shot(
    clip: OriginClip,
    index: int,
    semantics: SemanticTimeline | None,
    params: OriginParams,
    at_ms: int,
) -> VideoShot:
    """One clip's shot; ``at_ms``: where it stands in the edit. There it lasts its length by its speed."""
    place = _Placed(clip)
    if semantics is not None:
        place.move(semantics, params, index)
    elif params.missing_semantics == "error":
        raise NotFound("semantic timeline of asset", clip.asset_id or "")
    else:
        place.notices.append(f"asset {clip.asset_id} has no semantic timeline: its clips stay put")
    moved_ms = clip.source_start_ms + place.offset_ms + place.snap_ms
    analysis = semantics.meta if semantics else None
    return VideoShot(
        clip_id=clip.clip_id,
        source_asset_id=clip.source_asset_id or clip.asset_id or "",
        source_start_ms=clip.start_ms + moved_ms,
        source_end_ms=place.end_ms + moved_ms,
        target_start_ms=at_ms,
        target_duration_ms=round((place.end_ms - clip.start_ms) / clip.speed),
        meta=ShotMeta(
            asset_id=clip.asset_id,
            start_ms=clip.start_ms,
            speed=clip.speed,
            source_asset_id=clip.source_asset_id,
            source_start_ms=clip.source_start_ms,
            semantic_offset_ms=place.offset_ms,
            semantic_version=analysis.semantic_version if analysis else None,
            semantic_cache_key=analysis.audio_semantic_cache_key if analysis else None,
            snapped_to=params.snap if place.snapped else None,
            snap_ms=place.snap_ms,
            notices=tuple(place.notices),
        ),
    )


@dataclass
class _Placed:
    """Where a clip's shot goes."""

    clip: OriginClip
    offset_ms: int = 0
    """To the first speech, 0 or more."""
    snap_ms: int = 0
    """From there to a beat or pause, either way."""
    snapped: bool = False
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.end_ms = self.clip.end_ms
        """Of the clip; earlier where the moved shot would reach over its source's end."""

    def move(self, semantics: SemanticTimeline, params: OriginParams, index: int) -> None:
        """To the first speech, to the nearest beat or pause, and back inside the recording."""
        duration_ms: int = semantics.duration_ms
        if self.clip.start_ms >= duration_ms:
            raise ValidationError(f"clips.{index}.start_ms", "is behind the recording's end")
        if params.to_speech:
            self.offset_ms = _to_speech(semantics, self.clip, self.notices)
        if params.snap != "none":
            self._snap(semantics, params)
        beyond_ms = self.end_ms + self.offset_ms + self.snap_ms - duration_ms
        if beyond_ms > 0:
            self.end_ms -= beyond_ms
            self.notices.append("a shot is cut short at its source's end")

    def _snap(self, semantics: SemanticTimeline, params: OriginParams) -> None:
        """The shortest move within ``snap_within_ms`` that stays in the recording; of two alike, back."""
        at_ms = self.clip.start_ms + self.offset_ms
        moves = sorted(_MOVES[params.snap](semantics, at_ms), key=lambda move: (abs(move), move))
        near = [
            move
            for move in moves
            if abs(move) <= params.snap_within_ms and 0 <= at_ms + move < semantics.duration_ms
        ]
        if near:
            self.snap_ms, self.snapped = near[0], True
        else:
            self.notices.append(f"no {params.snap} is near enough to a clip's start")


def _to_speech(semantics: SemanticTimeline, clip: OriginClip, notices: list[str]) -> int:
    """From the clip's start to the first speech in its window, in ms; 0 where it begins with speech.

    Where nobody speaks in it: 0, and a notice.
    """
    for event in semantics.events:
        if event.kind == "speech" and event.end_ms > clip.start_ms:
            if event.start_ms < clip.end_ms:
                return max(0, event.start_ms - clip.start_ms)
            break
    notices.append("nobody speaks in a clip: it is not moved to speech")
    return 0


def _beat_moves(semantics: SemanticTimeline, at_ms: int) -> Sequence[int]:
    """To each beat of the recording, in ms; none where nothing keeps time."""
    return [beat.time_ms - at_ms for beat in semantics.beats]


def _pause_moves(semantics: SemanticTimeline, at_ms: int) -> Sequence[int]:
    """Into each silence by the shortest way."""
    return [
        min(max(at_ms, event.start_ms), event.end_ms) - at_ms
        for event in semantics.events
        if event.kind == "silence"
    ]


_MOVES: Mapping[str, Callable[[SemanticTimeline, int], Sequence[int]]] = {
    "beat": _beat_moves,
    "pause": _pause_moves,
}


def backend() -> Backend:
    """Plain arithmetic: always there."""
    return Backend("origin", VERSION)


def run(job: Job, params: OriginParams, backend: Backend) -> Result:
    """Map the clips of one asset onto its own semantic timeline. Raises as ``map_origins`` does."""
    others = {clip.asset_id for clip in params.clips} - {None, job.asset_id}
    if others:
        raise ValidationError("clips", "name another asset than the one the step works on")
    found = job.inputs.get("transcribe.semantics", ())
    semantics = {job.asset_id: SemanticTimeline.read(found[-1].path)} if found else {}
    result = map_origins(params, semantics, job.asset_id)
    path = job.workdir / "shots.json"
    result.write(path)
    meta = {**result.meta.model_dump(mode="json"), "shot_count": len(result.shots)}
    parents = tuple(one.artifact_id for one in found[-1:])
    return Result([Output("video_shot_list", "shots", path, "application/json", meta, parents)])


ENGINE = Engine(params=OriginParams, backend=backend, run=run)
