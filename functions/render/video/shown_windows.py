"""The pictures of a rendering, each at its time, in as few passes over the recording as cuts allow.

A picture is shown from its time to the next one's. What of that lies in a window is shown in the
rendering: so a window begins with the picture that was on display where it was cut, and pictures and
sound stay together to the sample. Sound that begins before the first picture or ends after the last
one is heard over that picture.

A part of a rendering has the pictures that begin to be shown in it, so each is in one part.

    cuts, and edit lists of an uneven rate    ``shown_pictures``: each picture at its own time
    edit lists of an even rate                ``shown_on_borders``: one on each frame border

Pictures are planar YUV, ``uint8`` bytes plane after plane (``Planes``), 16-bit little-endian where they have
10 bits. Memory holds a few of them. Windows that follow one another in the recording take one pass;
one that goes back begins another.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.render.video.reframe import CropPath
from functions.render.video.rendered_windows import Window, moments
from shared.contracts.asset import MediaInfo
from shared.media.encode import PLANAR, Planes
from shared.media.frames import Span, VideoFrames, Wanted

_LEAST_MS = 1.0
"""Less of a picture than this is not shown."""
_PUNCH = 1.1
"""How much larger a punch-in is: enough to look like another shot, little enough to stay sharp."""

Shown = tuple[float, float, float, NDArray[np.uint8]]
"""When it is shown in the rendering, how long, when in the source (all in ms), and its bytes."""


def ascending(windows: Sequence[Window]) -> list[list[Window]]:
    """The windows in groups that follow one another in the recording: one pass each.

    Their order is that of the rendering, and stays; a window that begins before the last one's end opens
    a new group.
    """
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

    @property
    def wanted(self) -> Wanted:
        """Every picture, as large as they are."""
        wide, high = self.planes.width, self.planes.height
        form, size = self.planes.pixel_format, self.planes.size_bytes
        return Wanted(wide, high, form, size, scaler="lanczos")

    def frames(self, near_ms: float | None = None) -> VideoFrames:
        """Every picture from the one on that is on display at ``near_ms``; some that come before."""
        return VideoFrames(self.path, self.media, replace(self.wanted, near_ms=near_ms))

    def first_ms(self) -> float | None:
        """When its first picture is shown; ``None``: it has none."""
        with self.frames() as frames:
            return next((frames.ms(frame.ticks) for frame in frames), None)


def shown_pictures(
    source: Source, windows: Sequence[Window], within_ms: Span = (None, None)
) -> Iterator[Shown]:
    """The pictures of the rendering that begin to be shown ``within_ms`` of it (half open), in order.

    Raises as ``VideoFrames`` does while iterating. Leaving early stops ffmpeg.
    """
    begin_ms, end_ms = _edges(within_ms)
    falling = [one for one in windows if one.end_ms > begin_ms and one.start_ms < end_ms]
    for group in ascending(falling):
        near_ms = group[0].source_ms(max(begin_ms, group[0].start_ms))
        with source.frames(near_ms) as frames:
            for one in _of_group(frames, group):
                if one[0] >= end_ms:
                    return
                if one[0] >= begin_ms:
                    yield one


def _edges(within_ms: Span) -> tuple[float, float]:
    begin_ms, end_ms = within_ms
    return -math.inf if begin_ms is None else begin_ms, math.inf if end_ms is None else end_ms


def _of_group(frames: VideoFrames, group: Sequence[Window]) -> Iterator[Shown]:
    """One pass: a picture lasts until the next one comes, the last one to the end of the last window.

    The first one that comes is shown from the first window's start, if it is later than that.
    """
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
    first = bisect_right(group, time_ms, key=lambda window: window.source_end_ms)
    for window in islice(group, first, None):
        if window.source_start_ms >= next_ms:
            break
        start_ms = max(time_ms, window.source_start_ms)
        length_ms = (min(next_ms, window.source_end_ms) - start_ms) / window.speed
        if length_ms >= _LEAST_MS:
            at_ms = window.start_ms + (start_ms - window.source_start_ms) / window.speed
            yield at_ms, length_ms, start_ms, data


def thinned(shown: Iterator[Shown], least_ms: float) -> Iterator[Shown]:
    """Without pictures that follow another one sooner: where many are shown faster than they came.

    Which are left out depends on all before, so such a rendering is made in one piece.
    """
    last_ms = -math.inf
    for one in shown:
        if one[0] - last_ms >= least_ms:
            last_ms = one[0]
            yield one


def shown_on_borders(
    source: Source, windows: Sequence[Window], frame_ms: float, within_ms: Span = (None, None)
) -> Iterator[Shown]:
    """As ``shown_pictures``, where windows follow one another, each picture on a frame border.

    ``frame_ms``: of a frame, of the recording and of the rendering. Every border has a picture: the
    one that the recording shows in the middle of the frame that belongs there (``moments``).
    """
    begin_ms, end_ms = _edges(within_ms)
    first_ms = source.first_ms()
    if first_ms is None:
        return
    due = [one for one in moments(windows, frame_ms, first_ms) if begin_ms <= one[0] < end_ms]
    if not due:
        return
    with source.frames(due[0][1]) as frames:
        coming = ((frames.ms(frame.ticks), frame.data) for frame in frames)
        shown, following = next(coming, None), next(coming, None)
        for at_ms, source_ms in due:
            while following is not None and following[0] <= source_ms:
                shown, following = following, next(coming, None)
            if shown is not None:
                yield at_ms, frame_ms, *shown


def cropped(
    data: NDArray[np.uint8], planes: Planes, to: Planes, at: tuple[int, int]
) -> NDArray[np.uint8]:
    """The part of a picture of the size ``to`` whose left and top are ``at``, in pixels of luma.

    ``at`` is a multiple of what the chroma is narrower and lower by. A picture that has the size already is
    given back itself, without a copy.
    """
    if (planes.width, planes.height) == (to.width, to.height):
        return data
    made = np.empty(to.size_bytes, np.uint8)
    _, _, narrow, low = PLANAR[planes.pixel_format]
    shifts = ((0, 0), (narrow, low), (narrow, low))
    for old, new, (right, down) in zip(planes.split(data), to.split(made), shifts, strict=True):
        left, top = at[0] >> right, at[1] >> down
        new[...] = old[top : top + new.shape[0], left : left + new.shape[1]]
    return made


def enlarged(data: NDArray[np.uint8], planes: Planes) -> NDArray[np.uint8]:
    """The middle of a picture, a tenth larger, in the whole of it: bicubic, each plane by itself.

    OpenCV's affine map, asked backwards; what it reaches for beyond the edge is the edge's.
    """
    import cv2

    made = np.empty(planes.size_bytes, np.uint8)
    for old, new in zip(planes.split(data), planes.split(made), strict=True):
        plane: Any = old
        high, wide = plane.shape
        # Where the result's pixels lie in the picture: the middle stays where it is.
        move = np.array([(1 / _PUNCH, 0, wide - 1), (0, 1 / _PUNCH, high - 1)])
        move[:, 2] *= (1 - 1 / _PUNCH) / 2
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        edge = cv2.BORDER_REPLICATE
        new[...] = cv2.warpAffine(plane, move, (wide, high), flags=flags, borderMode=edge)
    return made


def write_pictures(
    shown: Iterator[Shown],
    shapes: tuple[Planes, Planes, CropPath],
    write: Callable[[Fraction, NDArray[np.uint8]], None],
    *,
    larger: Callable[[float], bool] = lambda _: False,
    progress: Callable[[float], None],
) -> int:
    """Crop and hand on each picture; returns how many. ``shapes``: of the source, of the crop, and where;
    ``larger``: is the picture of a time of the rendering enlarged?
    """
    planes, to, path = shapes
    step = (1 << PLANAR[planes.pixel_format][2], 1 << PLANAR[planes.pixel_format][3])
    count = 0
    for at_ms, length_ms, source_ms, data in shown:
        picture = cropped(data, planes, to, path.at(source_ms, step))
        write(_seconds(at_ms), enlarged(picture, to) if larger(at_ms) else picture)
        count += 1
        progress(at_ms + length_ms)
    return count


def _seconds(time_ms: float) -> Fraction:
    return Fraction(round(time_ms * 1000), 1_000_000)
