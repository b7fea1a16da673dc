"""The coverage report: what ``anonymise.faces`` covered, and where a person should look."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.region_summary import Region, RegionTrack
from shared.contracts.result_document import Part, ResultDocument


class CoveredTrack(RegionTrack):
    """A face of the region summary, and what was done with it."""

    action: Literal["blur", "keep"]
    covered_from_ms: float | None = None
    """Presentation time of the first frame that its cover is on; only where it is blurred."""
    covered_to_ms: float | None = None
    """Of the last one."""
    frames_covered: int | None = None
    bridged: bool | None = None
    """Its cover lasts until a face nearby begins, or from where one ends."""


class CoverageDoubt(Part):
    """One reason why a face may show."""

    reason: str
    frame: int
    time_ms: float
    track_id: str | None = None


class _InFrame(Part):
    frame: int
    time_ms: float


class SeenRegion(Region, _InFrame):
    """A detection, and the frame that it stands in."""


class CoverageReport(ResultDocument):
    """What was covered in an anonymised recording, how sure that is, and where to look."""

    kind: ClassVar[str] = "video_coverage_report"
    title: ClassVar[str] = "coverage report"
    ascii_only: ClassVar[bool] = True

    summary_artifact_id: str
    """The region summary that was followed."""
    summary_backend_version: str | None = None
    preset: str
    """How strongly is blurred."""
    doubt_count: int
    rendered: bool
    """A video was made."""
    frame_count: int
    frames_covered: int
    """Frames with at least one cover."""
    unsure_covered: int = 0
    """Detections too weak to be a face for sure that were covered all the same."""
    face_count: int
    faces_covered: int
    tracks: tuple[CoveredTrack, ...]
    doubts: tuple[CoverageDoubt, ...]
    """In the recording's order."""
    least_confident: tuple[SeenRegion, ...]
    """The detections that the detector was least sure of."""
    damage: str | None = None
    """What could not be decoded."""
