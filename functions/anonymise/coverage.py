"""The coverage report: what was covered, how sure that is, and where a person should look.

No detector can prove that a picture shows no face. So the report says what speaks against taking
the coverage for complete, each doubt at one frame: about the recording (damage, coarse looks),
about weak detections that no track's cover hides, and about each track (gaps, single or weak
detections, a beginning or an end in mid-picture). One doubt is enough for ``fail_closed`` to refuse
the video. Read from the region summary and the covers; written as ``video_coverage_report``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from functions.anonymise.covers import Cover, begins_in_the_open, by_frame, ends_in_the_open
from shared.contracts.region_summary import Region, RegionSummary, RegionTrack, Unsure

LEAST = 12
"""So many of the least confident detections are listed."""
_LONG_GAP_MS = 500.0
"""A longer gap in a track is told: whoever turns away for so long may have moved otherwise than
straight."""
_COARSE_MS = 500.0
"""Looks farther apart than this may miss who crosses the picture."""
_UNSURE = 0.6
"""Confidence, 0 to 1: a mean below it is told, and a threshold above it that dropped detections."""


@dataclass(frozen=True)
class Doubt:
    """One reason why a face may show."""

    reason: str
    frame: int
    """Counted from 0; where it holds for the whole recording, 0."""
    time_ms: float
    """When that frame is shown."""
    track_id: str | None = None
    """``None``: it is about the recording, or about what is in no track."""

    def described(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "reason": self.reason,
            "frame": self.frame,
            "time_ms": self.time_ms,
            "track_id": self.track_id,
        }


def doubts_about(summary: RegionSummary, covers: Sequence[Cover]) -> list[Doubt]:
    """Everything that speaks against taking the coverage for complete, in the recording's order.

    ``covers`` are those of tracks: a weak detection stays a doubt though it gets a cover of its
    own. Empty where nothing speaks against it, which is not a proof.
    """
    found = [*_of_recording(summary), *_of_unsure(summary, covers)]
    for cover in covers:
        found += _of_track(summary, cover)
    return sorted(found, key=lambda doubt: (doubt.frame, doubt.track_id or "", doubt.reason))


def _of_recording(summary: RegionSummary) -> list[Doubt]:
    """What was seen too coarsely, too strictly or not at all, each at the first frame."""
    first_ms = summary.frames[0].time_ms if summary.frames else 0.0
    reasons = []
    if summary.damage:
        reasons.append("the recording is damaged: some of it could not be looked at")
    if summary.fitted:
        reasons.append("the picture's size changes on the way: parts of it were looked at smaller")
    if summary.turned:
        reasons.append(
            "the picture's orientation changes on the way: parts of it may lie on their side"
        )
    if summary.frame_sample_interval_ms > _COARSE_MS:
        reasons.append(f"it was looked at only every {summary.frame_sample_interval_ms:g} ms")
    if summary.min_confidence > _UNSURE:
        reasons.append(f"detections below a confidence of {summary.min_confidence:g} were dropped")
    return [Doubt(reason, 0, first_ms) for reason in reasons]


def _of_unsure(summary: RegionSummary, covers: Sequence[Cover]) -> list[Doubt]:
    """What may be a face, is in no track, and lies (its middle) under no cover."""
    boxes = by_frame(covers)

    def covered(row: Unsure) -> bool:
        x, y = row.x + row.width / 2, row.y + row.height / 2
        return any(a <= x <= c and b <= y <= d for a, b, c, d in boxes.get(row.frame, ()))

    return [
        Doubt(f"may be a face (confidence {row.confidence:g})", row.frame, row.time_ms)
        for row in summary.unsure
        if not covered(row)
    ]


def _of_track(summary: RegionSummary, cover: Cover) -> list[Doubt]:
    """Long gaps, weak detections, and a beginning or end in mid-picture that no bridge explains."""
    track = cover.track
    reasons = [
        (_at(summary, gap.start_ms), _gap(gap.end_ms - gap.start_ms))
        for gap in track.gaps
        if gap.end_ms - gap.start_ms > _LONG_GAP_MS
    ]
    if track.detections == 1:
        reasons.append((track.first_frame, "it was found in one sample only"))
    elif track.mean_confidence < _UNSURE:
        reasons.append((track.first_frame, f"its mean confidence is {track.mean_confidence:g}"))
    if begins_in_the_open(summary, cover) and not cover.bridged:
        reasons.append((track.first_frame, "it appears in mid-picture: was it there before?"))
    if ends_in_the_open(summary, cover) and not cover.bridged:
        reasons.append((track.last_frame, "it is lost in mid-picture: is it still there?"))
    return [
        Doubt(reason, frame, summary.frames[frame].time_ms, track.track_id)
        for frame, reason in reasons
    ]


def _gap(length_ms: float) -> str:
    return f"it was not found for {length_ms:g} ms; the cover moves in a straight line there"


def _at(summary: RegionSummary, time_ms: float) -> int:
    """The first frame that is shown at ``time_ms`` or later."""
    return next(row.frame for row in summary.frames if row.time_ms >= time_ms)


def least_confident(summary: RegionSummary) -> list[tuple[int, float, Region]]:
    """The detections that the detector was least sure of: frame, its time, region."""
    found = [
        (row.frame, row.time_ms, region)
        for row in summary.frames
        for region in row.regions
        if region.origin == "detected"
    ]
    found.sort(key=lambda item: (item[2].confidence, item[0], item[2].track_id))
    return found[:LEAST]


def report(
    summary: RegionSummary, covers: Sequence[Cover], doubts: Sequence[Doubt], frames_covered: int
) -> dict[str, Any]:
    """The report's JSON, as ``CoverageReport`` has it; ``covers`` are those of tracks.

    ``frames_covered`` counts those with any cover, weak detections' too. Times are in ms, boxes in
    pixels of the upright picture.
    """
    covered = {cover.track.track_id: cover for cover in covers}
    return {
        "frame_count": summary.frame_count,
        "frames_covered": frames_covered,
        "face_count": len(summary.tracks),
        "faces_covered": len(covers),
        "tracks": [_row(summary, track, covered.get(track.track_id)) for track in summary.tracks],
        "doubts": [doubt.described() for doubt in doubts],
        "least_confident": [
            {"frame": frame, "time_ms": time_ms, **region.model_dump(mode="json")}
            for frame, time_ms, region in least_confident(summary)
        ],
        "damage": summary.damage,
        "notices": list(summary.notices),
    }


def _row(summary: RegionSummary, track: RegionTrack, cover: Cover | None) -> dict[str, Any]:
    """One track, and from when to when it is covered, holds and bridges included."""
    row = {**track.model_dump(mode="json"), "action": "blur" if cover else "keep"}
    if cover:
        row["covered_from_ms"] = summary.frames[cover.first].time_ms
        row["covered_to_ms"] = summary.frames[cover.last].time_ms
        row["frames_covered"] = len(cover.boxes)
        row["bridged"] = cover.bridged
    return row
