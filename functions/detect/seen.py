"""What the passes that look for faces find together: tracks, frame times, cuts and small pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from functions.detect.centerface import Picture
from functions.detect.tracking import Track, Tracker

Place = tuple[int, float, float]
"""A detection: frame, left, top."""


@dataclass
class Seen:
    """What was found so far; each pass adds to it."""

    tracker: Tracker
    scale: NDArray[np.float64]
    """Pixels of the upright picture to one of those that were looked at, across and down."""
    ticks: list[int] = field(default_factory=list)
    """When every frame is shown, in ticks of the stream's clock."""
    times_ms: list[float] = field(default_factory=list)
    """Of every frame."""
    damage: str | None = None
    cuts: list[int] = field(default_factory=list)
    """The first frame of each shot after the first."""
    shown: list[tuple[int, Picture]] = field(default_factory=list)
    """Some frames' numbers and small pictures (uint8 ``(height, width, 3)``), evenly spaced."""
    crops: dict[Place, tuple[float, Picture]] = field(default_factory=dict)
    """Good looks at things, and how good each is: confidence times the shorter side in pixels."""

    def best_crop(self, track: Track) -> Picture | None:
        """The best look at the track, if one was kept."""
        places = (
            place_of(self, at, box) for at, box in zip(track.samples, track.boxes, strict=True)
        )
        found = [self.crops[place] for place in places if place in self.crops]
        return max(found, key=lambda item: item[0])[1] if found else None


def place_of(seen: Seen, index: int, box: NDArray[np.float64]) -> Place:
    """What a track's box at one of its samples is known by."""
    return seen.tracker.samples[index].frame, float(box[0]), float(box[1])
