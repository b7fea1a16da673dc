"""The pictures of a rendering, each at its time, in as few passes over the recording as cuts allow.

A picture is shown from its time to the next one's. What of that lies in a window is shown in the
rendering: so a window begins with the picture that was on display where it was cut, and pictures and
sound stay together to the sample. Sound that begins before the first picture or ends after the last
one is heard over that picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.render.video.reframe import CropPath
from functions.render.video.video_plan import Window
from shared.contracts.asset import MediaInfo
from shared.media.encode import PLANAR, Planes
from shared.media.frames import VideoFrames, Wanted

_LEAST_MS = 1.0
"""Less of a picture than this is not shown."""

Shown = tuple[float, float, float, NDArray[np.uint8]]
"""When it is shown in the rendering, how long, when in the source (all in ms), and its bytes."""


def ascending(windows: Sequence[Window]) -> list[list[Window]]:
    """The windows in groups that follow one another in the recording: one pass each."""
    groups: list[list[Window]] = []
    for window in windows:
        if groups and groups[-1][-1].source_end_ms <= window.source_start_ms:
            groups[-1].append(window)
        else:
            groups.append([window])
    return groups


@dataclass(frozen=True)
class Source:
    """Where the pictures come from."""

    path: Path
    media: MediaInfo
    planes: Planes


def shown_pictures(source: Source, windows: Sequence[Window]) -> Iterator[Shown]:
    """All pictures of the rendering, in order."""
    planes = source.planes
    wanted = Wanted(
        planes.width, planes.height, planes.pixel_format, planes.size_bytes, scaler="lanczos"
    )
    for group in ascending(windows):
        with VideoFrames(source.path, source.media, wanted) as frames:
            yield from _of_group(frames, group)


def _of_group(frames: VideoFrames, group: Sequence[Window]) -> Iterator[Shown]:
    before: tuple[float, NDArray[np.uint8]] | None = None
    for frame in frames:
        time_ms = frames.ms(frame.ticks)
        if before is None:
            before = min(time_ms, group[0].source_start_ms), frame.data
            continue
        yield from _parts(*before, time_ms, group)
        before = time_ms, frame.data
        if time_ms >= group[-1].source_end_ms:
            return
    if before is not None:
        yield from _parts(*before, group[-1].source_end_ms, group)


def _parts(
    time_ms: float, data: NDArray[np.uint8], next_ms: float, group: Sequence[Window]
) -> Iterator[Shown]:
    for window in group:
        start_ms = max(time_ms, window.source_start_ms)
        length_ms = min(next_ms, window.source_end_ms) - start_ms
        if length_ms >= _LEAST_MS:
            yield window.start_ms + start_ms - window.source_start_ms, length_ms, start_ms, data


def cropped(
    data: NDArray[np.uint8], planes: Planes, to: Planes, at: tuple[int, int]
) -> NDArray[np.uint8]:
    """The part of a picture of the size ``to`` whose left and top are ``at``."""
    if (planes.width, planes.height) == (to.width, to.height):
        return data
    made = np.empty(to.size_bytes, np.uint8)
    _, _, narrow, low = PLANAR[planes.pixel_format]
    shifts = ((0, 0), (narrow, low), (narrow, low))
    for old, new, (right, down) in zip(planes.split(data), to.split(made), shifts, strict=True):
        left, top = at[0] >> right, at[1] >> down
        new[...] = old[top : top + new.shape[0], left : left + new.shape[1]]
    return made


def write_pictures(
    shown: Iterator[Shown],
    shapes: tuple[Planes, Planes, CropPath],
    write: Callable[[Fraction, NDArray[np.uint8]], None],
    *,
    progress: Callable[[float], None],
) -> int:
    """Crop and hand on each picture; returns how many. ``shapes``: of the source, of the crop, and where."""
    planes, to, path = shapes
    step = (1 << PLANAR[planes.pixel_format][2], 1 << PLANAR[planes.pixel_format][3])
    count = 0
    for at_ms, length_ms, source_ms, data in shown:
        write(_seconds(at_ms), cropped(data, planes, to, path.at(source_ms, step)))
        count += 1
        progress(at_ms + length_ms)
    return count


def _seconds(time_ms: float) -> Fraction:
    return Fraction(round(time_ms * 1000), 1_000_000)
