"""Where each frame is to be covered: the tracks' boxes, held, bridged, and widened.

A track's box is known between its first and its last detection. Somebody who must not be seen was
there a little earlier and is there a little later, too, so the cover is held on both sides, moving
on as the face did; where a face is lost and another found nearby soon after, both covers last
through the gap. Each cover is the union of its boxes over a short while, so that what moves faster
or less evenly than a straight line stays inside. No cover goes on across a cut.

Frames are counted from 0 through the recording, times are presentation times in ms, boxes in pixels
of the upright picture, and may leave it. What this can't know is a face that was never detected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.contracts.region_summary import RegionSummary, RegionTrack, Unsure

Boxes = NDArray[np.float64]
"""``(frames, 4)``: left, top, right, bottom in pixels."""

_WHILE_MS = 60.0
"""A cover reaches over the boxes of so long before and after: longer covers more of the
surroundings."""
_EDGE_PART = 0.02
"""So near to the picture's edge (in parts of its side) a face comes in or goes out."""


@dataclass(frozen=True)
class Holds:
    """How far a cover reaches beyond what was detected."""

    before_ms: float
    """Time before the first detection, ``after_ms`` behind the last one."""
    after_ms: float
    bridge_ms: float
    """Longest time between two tracks whose covers are led to one another."""
    dilation: float
    """Wider on each side by this part of the box's width and height."""


@dataclass(frozen=True)
class Cover:
    """One track's cover: a box for each frame ``[first, first + len(boxes))``."""

    track: RegionTrack
    """Of a weak detection one made up for it, ``unsure_001`` and so on."""
    first: int
    boxes: Boxes
    bridged: bool = False
    """It lasts until a track nearby begins, or from where one ends."""

    @property
    def last(self) -> int:
        """The last frame that it covers."""
        return self.first + len(self.boxes) - 1


def cover_tracks(summary: RegionSummary, track_ids: Collection[str], holds: Holds) -> list[Cover]:
    """The covers of these tracks, in the summary's order.

    All tracks of the summary count for bridges, also those that are not covered.
    """
    known = {name: _known_boxes(summary, track) for name, track in _named(summary).items()}
    return [
        _cover(summary, track, known, holds)
        for track in summary.tracks
        if track.track_id in track_ids
    ]


def cover_unsure(
    summary: RegionSummary, kept_ids: Collection[str], covers: Sequence[Cover], holds: Holds
) -> list[Cover]:
    """Covers of weak detections that lie under none of ``covers``, and in no track that is kept.

    Each stands still, for as long before and after it as a face that is seen but once. A detection
    lies where its middle lies.
    """
    times_ms = np.array([frame.time_ms for frame in summary.frames])
    covered, made = by_frame(covers), []
    for number, row in enumerate(summary.unsure, 1):
        box = np.array([row.x, row.y, row.x + row.width, row.y + row.height])
        middle = (box[:2] + box[2:]) / 2
        kept = [
            np.array([one.x, one.y, one.x + one.width, one.y + one.height])
            for one in summary.frames[row.frame].regions
            if one.track_id in kept_ids
        ]
        if any(_holds(other, middle) for other in [*covered.get(row.frame, ()), *kept]):
            continue
        first, last = _hold(summary, times_ms, row.frame, holds)
        boxes = _dilated(np.repeat(box[None], last - first + 1, axis=0), holds.dilation)
        made.append(Cover(_track_of(row, number), first, boxes))
    return made


def _holds(box: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    return bool((box[:2] <= point).all() and (point <= box[2:]).all())


def _hold(
    summary: RegionSummary, times_ms: NDArray[np.float64], frame: int, holds: Holds
) -> tuple[int, int]:
    """First and last frame of a cover that is held around one frame, in its shot."""
    first = int(np.searchsorted(times_ms, times_ms[frame] - holds.before_ms))
    last = int(np.searchsorted(times_ms, times_ms[frame] + holds.after_ms, "right")) - 1
    return (
        max(first, _shot(summary, times_ms, frame)),
        max(frame, min(last, _shot_end(summary, times_ms, frame))),
    )


def _track_of(row: Unsure, number: int) -> RegionTrack:
    return RegionTrack(
        track_id=f"unsure_{number:03d}",
        kind="face",
        start_ms=row.time_ms,
        end_ms=row.time_ms,
        first_frame=row.frame,
        last_frame=row.frame,
        detections=1,
        mean_confidence=row.confidence,
        least_confidence=row.confidence,
        gaps=(),
    )


def by_frame(covers: Sequence[Cover]) -> dict[int, list[NDArray[np.float64]]]:
    """Frame -> the boxes that cover it, ``(4,)`` each; frames without a cover are missing."""
    found: dict[int, list[NDArray[np.float64]]] = {}
    for cover in covers:
        for offset, box in enumerate(cover.boxes):
            found.setdefault(cover.first + offset, []).append(box)
    return found


def begins_in_the_open(summary: RegionSummary, cover: Cover) -> bool:
    """Does it begin in mid-picture, while its shot goes on?

    Then the face may have been there before. The recording's first frame and a shot's are no such
    beginning, nor is one at the picture's edge.
    """
    if cover.first == 0 or summary.frames[cover.first].time_ms in summary.cuts_ms:
        return False
    return not _at_edge(summary, cover.boxes[0])


def ends_in_the_open(summary: RegionSummary, cover: Cover) -> bool:
    """Does it end in mid-picture, before its shot does?"""
    after = cover.last + 1
    if after >= summary.frame_count or summary.frames[after].time_ms in summary.cuts_ms:
        return False
    return not _at_edge(summary, cover.boxes[-1])


def _named(summary: RegionSummary) -> Mapping[str, RegionTrack]:
    return {track.track_id: track for track in summary.tracks}


def _at_edge(summary: RegionSummary, box: NDArray[np.float64]) -> bool:
    """Does a box reach within ``_EDGE_PART`` of a side of the picture?"""
    wide, high = summary.width * _EDGE_PART, summary.height * _EDGE_PART
    return bool(
        box[0] <= wide
        or box[1] <= high
        or box[2] >= summary.width - wide
        or box[3] >= summary.height - high
    )


def _known_boxes(summary: RegionSummary, track: RegionTrack) -> tuple[int, Boxes]:
    """The first frame that has a box of the track, and the boxes from there on."""
    rows = []
    for frame in summary.frames[track.first_frame :]:
        found = [region for region in frame.regions if region.track_id == track.track_id]
        if not found:
            break
        box = found[0]
        rows.append((box.x, box.y, box.x + box.width, box.y + box.height))
    return track.first_frame, np.array(rows, np.float64).reshape(-1, 4)


def _cover(
    summary: RegionSummary,
    track: RegionTrack,
    known: Mapping[str, tuple[int, Boxes]],
    holds: Holds,
) -> Cover:
    """One track's cover: held, bridged, united over a while, dilated, and cut at its shot."""
    first, boxes = known[track.track_id]
    times_ms = np.array([frame.time_ms for frame in summary.frames])
    last = first + len(boxes) - 1
    shot_first, shot_last = _shot(summary, times_ms, first), _shot_end(summary, times_ms, last)
    bridge_before, bridge_after = _neighbours(track.track_id, known, times_ms, holds)
    hold_first = int(np.searchsorted(times_ms, times_ms[first] - holds.before_ms))
    hold_last = int(np.searchsorted(times_ms, times_ms[last] + holds.after_ms, "right")) - 1
    new_first = max(shot_first, min(hold_first, bridge_before))
    new_last = min(shot_last, max(hold_last, bridge_after))
    before = _held(boxes, times_ms[first : last + 1], times_ms[new_first:first])
    after = _held(boxes[::-1], times_ms[first : last + 1][::-1], times_ms[last + 1 : new_last + 1])
    whole = np.concatenate([before, boxes, after])
    widened = _over_a_while(whole, times_ms[new_first : new_last + 1])
    bridged = bridge_before < hold_first or bridge_after > hold_last
    return Cover(track, new_first, _dilated(widened, holds.dilation), bridged)


def _shot(summary: RegionSummary, times_ms: NDArray[np.float64], frame: int) -> int:
    """The first frame of the shot that ``frame`` is in."""
    cuts = [cut for cut in summary.cuts_ms if cut <= times_ms[frame]]
    return int(np.searchsorted(times_ms, cuts[-1])) if cuts else 0


def _shot_end(summary: RegionSummary, times_ms: NDArray[np.float64], frame: int) -> int:
    """The last frame of the shot that ``frame`` is in."""
    cuts = [cut for cut in summary.cuts_ms if cut > times_ms[frame]]
    return int(np.searchsorted(times_ms, cuts[0])) - 1 if cuts else len(times_ms) - 1


def _held(boxes: Boxes, known_ms: NDArray[np.float64], times_ms: NDArray[np.float64]) -> Boxes:
    """Beyond the first of ``boxes``: it, and where it moves to at its speed there.

    ``boxes`` lead inward from the edge of what is known, at ``known_ms``; ``times_ms`` lie beyond
    it. The speed is that of the box's middle over the first 200 ms or a little more. The result is
    ``(len(times_ms), 4)``: the union of the standing box and the moved one, for the face may have
    done either. A track of one box stands still.
    """
    if not len(times_ms):
        return np.zeros((0, 4))
    edge = boxes[0]
    near = int(np.argmin(np.abs(known_ms - known_ms[0]) < 200.0)) or len(known_ms) - 1
    span_ms = known_ms[near] - known_ms[0]
    if span_ms == 0:
        return np.repeat(edge[None], len(times_ms), axis=0)
    moved = (boxes[near] - edge).reshape(2, 2).mean(axis=0)
    # Beyond the time that its speed was measured over, that says nothing more.
    part = np.clip((times_ms - known_ms[0]) / span_ms, -1.0, 0.0)
    shift = np.tile(moved, 2)[None] * part[:, None]
    return _union(np.repeat(edge[None], len(times_ms), axis=0), edge[None] + shift)


def _union(one: Boxes, other: Boxes) -> Boxes:
    """The smallest boxes around each pair."""
    low = np.minimum(one[:, :2], other[:, :2])
    return np.concatenate([low, np.maximum(one[:, 2:], other[:, 2:])], axis=1)


def _over_a_while(boxes: Boxes, times_ms: NDArray[np.float64]) -> Boxes:
    """At each time the union of the boxes from ``_WHILE_MS`` before to as long after."""
    start = np.searchsorted(times_ms, times_ms - _WHILE_MS)
    stop = np.searchsorted(times_ms, times_ms + _WHILE_MS, "right")
    wide = [
        (*boxes[a:b, :2].min(axis=0), *boxes[a:b, 2:].max(axis=0))
        for a, b in zip(start, stop, strict=True)
    ]
    return np.array(wide)


def _dilated(boxes: Boxes, dilation: float) -> Boxes:
    """Wider by ``dilation`` times the width on the left and right, and likewise above and below."""
    reach = (boxes[:, 2:] - boxes[:, :2]) * dilation
    return np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)


def _neighbours(
    name: str,
    known: Mapping[str, tuple[int, Boxes]],
    times_ms: NDArray[np.float64],
    holds: Holds,
) -> tuple[int, int]:
    """How far back and on the cover must last to meet a track that ended or begins nearby.

    Two frames; the track's own first and last where there is none. Quadratic in the tracks.
    """
    first, boxes = known[name]
    last = first + len(boxes) - 1
    before, after = first, last
    for other, (other_first, other_boxes) in known.items():
        other_last = other_first + len(other_boxes) - 1
        if other == name:
            continue
        if other_last < first and times_ms[first] - times_ms[other_last] <= holds.bridge_ms:
            before = min(before, other_last if _near(boxes[0], other_boxes[-1]) else before)
        if other_first > last and times_ms[other_first] - times_ms[last] <= holds.bridge_ms:
            after = max(after, other_first if _near(boxes[-1], other_boxes[0]) else after)
    return before, after


def _near(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Do they touch once each is twice as wide and high?"""
    wide = _dilated(np.stack([one, other]), 0.5)
    low, high = wide[:, :2].max(axis=0), wide[:, 2:].min(axis=0)
    return bool((low < high).all())
