"""The region summary: what ``detect.regions`` writes, and anonymising and rendering read."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.result_document import Part, ResultDocument

Origin = Literal["detected", "interpolated", "held"]
"""``held``: after the last detection, to the end of the shot."""


class Region(Part):
    """One box in one frame, in pixels of the upright picture, inside it."""

    track_id: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    confidence: float
    """The detector's, 0 to 1; between samples interpolated like the box."""
    origin: Origin = "detected"


class RegionFrame(Part):
    """One frame of the recording, shown from ``time_ms`` on."""

    frame: int
    time_ms: float
    sampled: bool
    """The detector looked at it; the others' regions are interpolated."""
    regions: tuple[Region, ...]


class Gap(Part):
    """A stretch of a track without a detection, between two with one."""

    start_ms: float
    end_ms: float


class RegionTrack(Part):
    """One thing followed through one shot."""

    track_id: str
    kind: str
    start_ms: float
    end_ms: float
    """Presentation times of its first and last detection."""
    first_frame: int
    last_frame: int
    detections: int
    mean_confidence: float
    least_confidence: float
    gaps: tuple[Gap, ...]
    """Samples were taken there, and it was not found."""


class Unsure(Part):
    """A weak detection that belongs to no track, in pixels of the upright picture."""

    frame: int
    time_ms: float
    x: float
    y: float
    width: float
    height: float
    confidence: float


class RegionSummary(ResultDocument):
    """Where faces are in a recording's picture; ``frames`` has a row for every frame of it."""

    kind: ClassVar[str] = "video_region_summary"
    title: ClassVar[str] = "region summary"
    compact: ClassVar[bool] = True

    duration_ms: int
    width: int
    height: int
    frame_count: int
    frame_sample_interval_ms: float
    min_confidence: float
    include_regions: tuple[str, ...]
    model_used: str
    cuts_ms: tuple[float, ...]
    """Where the picture changes at once; no track goes on across one."""
    damage: str | None
    """What could not be decoded."""
    tracks: tuple[RegionTrack, ...]
    frames: tuple[RegionFrame, ...]
    unsure: tuple[Unsure, ...] = ()
    """What may be a thing that was looked for, too weak to start a track; the surest ones, in order."""
    notices: tuple[str, ...] = ()
    """What is odd about the picture, and what was made of that."""
    fitted: bool = False
    """Parts of it have another size and were looked at smaller than they are."""
    turned: bool = False
    """Parts of it may not have been looked at upright."""
