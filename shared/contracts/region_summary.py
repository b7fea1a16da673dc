"""The region summary: what ``detect.regions`` writes, and anonymising and rendering read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.errors import ValidationError

Origin = Literal["detected", "interpolated", "held"]
"""``held``: after the last detection, to the end of the shot."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Region(_Part):
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


class RegionFrame(_Part):
    """One frame of the recording, shown from ``time_ms`` on."""

    frame: int
    time_ms: float
    sampled: bool
    """The detector looked at it; the others' regions are interpolated."""
    regions: tuple[Region, ...]


class Gap(_Part):
    """A stretch of a track without a detection, between two with one."""

    start_ms: float
    end_ms: float


class RegionTrack(_Part):
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


class Unsure(_Part):
    """A weak detection that belongs to no track, in pixels of the upright picture."""

    frame: int
    time_ms: float
    x: float
    y: float
    width: float
    height: float
    confidence: float


class RegionSummary(_Part):
    """The whole recording. ``frames`` has a row for every frame of it."""

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


def read_summary(text: bytes) -> RegionSummary:
    """The summary in a JSON file; raises ``ValidationError`` for another file."""
    try:
        return RegionSummary.model_validate_json(text)
    except ValueError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValidationError("summary", f"is no region summary: {reason}") from None
