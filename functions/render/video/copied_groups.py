"""Only what is cut is encoded anew: whole groups of pictures that a cut leaves as they are, are copied.

    recording    |IDR . . . . |IDR . . . . |IDR . . . . |IDR . . . . |
    kept          ==================]            [====================
    rendering    |copied      |encoded]    [encoded     |copied      |

Both encoders' parameter sets stand in the rendering's header, under different numbers. What is copied
is the recording's to the bit, and what lies around a cut is encoded as all of it would be otherwise.

    looked at    every packet of the recording: which are IDR pictures (``shared.media.coded_pictures``)
    chosen       for each picture of the rendering, one of the recording's (``moments``)
    parted       whole groups, shown one behind the other, and the rest
    encoded      the rest, decoded only around it, each stretch beginning with an IDR picture
    stored       all of it in one MP4 with times made anew, then beside its sound; and checked

That slices name their parameter set (ITU-T H.264, 7.4.1.2.1) lets two encoders stand in one stream. It
takes closed groups, an even frame rate and pictures that nothing changes; ``NotCopyable`` says what
else there is, and the caller then encodes everything.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.render.video.rendered_windows import moments
from functions.render.video.shown_windows import Source
from functions.render.video.video_plan import Plan
from shared.media.coded_pictures import (
    CodedPicture,
    Group,
    NotCopyable,
    ParameterSets,
    coded_pictures,
    groups_of,
    unit_bytes,
)
from shared.media.encode import PLAYABLE, PictureWriter, Written
from shared.media.ffmpeg import input_args, run
from shared.media.formats import MOV
from shared.media.frames import PictureFormat, VideoFrames, first_video, picture_format
from shared.media.least_mp4 import StoredPicture, Track, write_mp4
from shared.media.picture_segments import remuxing_arguments

_TICKS_HZ = 90_000
"""Of the rendering's clock, MPEG's own: a frame of 24, 25, 30, 50 or 60 a second is whole in it."""
_APART_MS = 10_000.0
"""What is to be encoded and lies nearer together than this is decoded in one go."""


@dataclass(frozen=True)
class Stretch:
    """Pictures ``[start, stop)`` of the rendering."""

    start: int
    stop: int
    groups: tuple[Group, ...] = ()
    """Those of the recording that are copied; none: it is encoded."""


@dataclass(frozen=True)
class Copying:
    """What is copied, and what is encoded between."""

    source: Source
    sets: ParameterSets
    pictures: Sequence[CodedPicture]
    """The recording's, as they are decoded."""
    ticks: Sequence[int]
    """When each of the recording's pictures is shown, on its clock; in order."""
    times_ms: Sequence[float]
    """The same in ms."""
    chosen: Sequence[int]
    """Which of them each picture of the rendering is."""
    stretches: Sequence[Stretch]
    """In order, copied and encoded in turn; together all of the rendering."""
    frame_ms: float

    @property
    def encoded(self) -> list[Stretch]:
        """The stretches that are encoded."""
        return [stretch for stretch in self.stretches if not stretch.groups]

    def told(self) -> dict[str, float]:
        """For the meta: how many seconds of the rendering are copied, and how many encoded."""
        encoded = sum(stretch.stop - stretch.start for stretch in self.encoded)
        lengths = {"copied_s": len(self.chosen) - encoded, "encoded_s": encoded}
        return {name: round(count * self.frame_ms / 1000, 3) for name, count in lengths.items()}


def check_copyable(plan: Plan, source: Source, form: PictureFormat) -> None:
    """Raise ``NotCopyable`` where the rendering's pictures are not those of the file, as they are.

    ``form``: how the file's pictures are coded.
    """
    stream = first_video(source.media)
    stored = (stream.width, stream.height)
    if plan.edits is None or plan.params.punch_in or plan.params.captions == "burn":
        raise NotCopyable("its pictures are changed, or no edit list says which are shown")
    if source.media.container != MOV or stream.codec != "h264" or stream.undated:
        raise NotCopyable("the recording is no H.264 in MP4 or QuickTime")
    if stream.frame_rate_kind != "constant":
        raise NotCopyable("its frame rate varies")
    if not plan.size == plan.crop == stored == stream.shown_size or stream.other_sizes:
        raise NotCopyable("its pictures have another size, or one that changes")
    if stream.rotation_deg or stream.mirrored or stream.pixel_shape != 1:
        raise NotCopyable("its pictures are turned, or their pixels are not square")
    if form.pixel_format != PLAYABLE or form.hdr or form.field_order:
        raise NotCopyable("its pictures are not 4:2:0 with 8 bits, or interlaced")


def plan_copying(plan: Plan, source: Source) -> Copying:
    """Decide. Raises ``NotCopyable`` where nothing can be copied, and as ``coded_pictures`` does.

    No picture is decoded. Holds a row for each picture of the recording: memory grows with its length.
    """
    check_copyable(plan, source, picture_format(source.path, source.media))
    stream = first_video(source.media)
    sets, pictures = coded_pictures(source.path, stream.index)
    groups = groups_of(pictures)
    ticks = sorted(picture.ticks for picture in pictures if not picture.hidden)
    if not ticks:
        raise NotCopyable("it shows no picture")
    base = picture_format(source.path, source.media).time_base
    times_ms = [round(float(at * base * 1000), 3) for at in ticks]
    frame_ms = 1000 / plan.frame_rate
    chosen = [
        max(0, bisect_right(times_ms, source_ms) - 1)
        for _, source_ms in moments(plan.windows, frame_ms, times_ms[0])
    ]
    stretches = list(stretches_of(chosen, groups))
    if not any(stretch.groups for stretch in stretches):
        raise NotCopyable("no group of pictures is left whole")
    return Copying(source, sets, pictures, ticks, times_ms, chosen, stretches, frame_ms)


def stretches_of(chosen: Sequence[int], groups: Sequence[Group]) -> Iterator[Stretch]:
    """The rendering in order: groups of which every picture is shown, one behind the other; and the rest.

    ``chosen``: for each picture of the rendering, which of the recording's it is, in the order in which they
    are shown. Groups that follow each other are one stretch, and so is what lies between them.
    """
    by_place = {group.shown: group for group in groups}
    parts: list[tuple[int, int, Group | None]] = []
    at = 0
    while at < len(chosen):
        group = by_place.get(chosen[at])
        length = group.stop - group.first if group else 1
        wanted = range(chosen[at], chosen[at] + length)
        if group and list(chosen[at : at + length]) != list(wanted):
            group, length = None, 1
        parts.append((at, at + length, group))
        at += length
    for _, alike in groupby(parts, key=lambda part: part[2] is not None):
        same = list(alike)
        yield Stretch(same[0][0], same[-1][1], tuple(group for *_, group in same if group))


def write_copying(
    copying: Copying, written: Written, progress: Callable[[float], None] = lambda _: None
) -> int:
    """Write the rendering that ``written`` describes; returns how many pictures it has.

    ``progress`` is told times of the rendering, in ms. Raises ``NotCopyable`` where the recording
    turns out otherwise than its header says, or the file is not what was planned.
    """
    folder = written.path.parent
    anew, sets, pictures = folder / "encoded.mp4", copying.sets, list[CodedPicture]()
    if copying.encoded:
        added, pictures = _encode(copying, written, anew, progress)
        sets = sets.beside(added)
    track = Track(written.planes.width, written.planes.height, _TICKS_HZ, sets.written())
    together = folder / "pictures.mp4"
    listed = write_mp4(together, track, _stored(copying, pictures, anew, sets))
    anew.unlink(missing_ok=True)
    run(remuxing_arguments(input_args(together, MOV), written), timeout_s=written.timeout_s)
    together.unlink()
    _check(written.path, sets, listed)
    return len(copying.chosen)


def _check(path: Path, sets: ParameterSets, listed: Sequence[tuple[int, int]]) -> None:
    """The file has every picture in its order, as large as it was and at its time.

    ``listed``: time in ticks and size in bytes of each, as they are decoded. Raises ``NotCopyable``
    where it has not; bytes are not compared.
    """
    found, pictures = coded_pictures(path, 0)
    if found != sets or [(picture.ticks, picture.size) for picture in pictures] != list(listed):
        raise NotCopyable("the file that was written is not what was planned")


def _encode(
    copying: Copying, written: Written, path: Path, progress: Callable[[float], None]
) -> tuple[ParameterSets, list[CodedPicture]]:
    """All that is not copied, one behind the other, each stretch beginning by itself.

    In a film of its own, from time 0 and without gaps; its parameter sets have a number that the
    recording's have not. Returns them, and its pictures as they are decoded.
    """
    begins, count = [], 0
    for stretch in copying.encoded:
        begins.append(Fraction(count) * Fraction(copying.frame_ms) / 1000)
        count += stretch.stop - stretch.start
    anew = replace(
        written,
        path=path,
        inputs=(),
        streams=(),
        end_s=None,
        # A picture may come a little earlier than its time, which is rounded.
        beginnings=[max(Fraction(0), at - Fraction(copying.frame_ms) / 4000) for at in begins],
        set_number=copying.sets.free_number,
    )
    with PictureWriter(anew) as writer:
        for number, (at_ms, data) in enumerate(_decoded(copying)):
            writer.write(_seconds(number * copying.frame_ms), data)
            progress(at_ms)
    return coded_pictures(path, 0)


def _decoded(copying: Copying) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """What is to be encoded: when it is shown in the rendering, in ms, and the picture.

    The recording is decoded only around these pictures.
    """
    source, frame_ms = copying.source, copying.frame_ms
    for near in _near_each_other(copying):
        wanted = [number for one in near for number in range(one.start, one.stop)]
        first_ms, last_ms = (
            copying.times_ms[copying.chosen[number]] for number in (wanted[0], wanted[-1])
        )
        within_ms = first_ms - frame_ms / 4, last_ms + frame_ms / 4
        with VideoFrames(
            source.path, source.media, replace(source.wanted, within_ms=within_ms)
        ) as frames:
            frame = next(iter(frames), None)
            for number in wanted:
                ticks = copying.ticks[copying.chosen[number]]
                while frame is not None and frame.ticks < ticks:
                    frame = next(iter(frames), None)
                if frame is None or frame.ticks != ticks:
                    raise NotCopyable("a picture beside a cut cannot be decoded by itself")
                yield number * frame_ms, frame.data


def _near_each_other(copying: Copying) -> list[list[Stretch]]:
    """The stretches that are encoded, those together that are decoded in one go."""
    groups: list[list[Stretch]] = []
    reached_ms = -math.inf
    for stretch in copying.encoded:
        if copying.times_ms[copying.chosen[stretch.start]] - reached_ms > _APART_MS or not groups:
            groups.append([])
        groups[-1].append(stretch)
        reached_ms = copying.times_ms[copying.chosen[stretch.stop - 1]]
    return groups


def _stored(
    copying: Copying, encoded: Sequence[CodedPicture], path: Path, sets: ParameterSets
) -> Iterator[StoredPicture]:
    """Every picture of the rendering, as they are decoded; ``path``: of those that were encoded.

    Raises ``NotCopyable`` where a stretch that was encoded needs a picture of another.
    """
    shown = sorted(picture.ticks for picture in encoded)
    places = {ticks: place for place, ticks in enumerate(shown)}
    reached = 0
    for stretch in copying.stretches:
        if stretch.groups:
            yield from _copied(copying, stretch)
            continue
        count = stretch.stop - stretch.start
        parts = encoded[reached : reached + count]
        order = [places[picture.ticks] - reached for picture in parts]
        if sorted(order) != list(range(count)) or order[0] or not parts[0].key:
            raise NotCopyable("what was encoded anew needs what is beside it")
        with path.open("rb") as file:
            for place, picture in zip(order, parts, strict=True):
                data = unit_bytes(file, picture, sets)
                yield StoredPicture(_ticks(copying, stretch.start + place), data, picture.key)
        reached += count


def _copied(copying: Copying, stretch: Stretch) -> Iterator[StoredPicture]:
    """The recording's pictures, at their new times."""
    at = stretch.start
    with copying.source.path.open("rb") as file:
        for group in stretch.groups:
            for picture in copying.pictures[group.first : group.stop]:
                data = unit_bytes(file, picture, copying.sets)
                place = at + bisect_left(copying.ticks, picture.ticks) - group.shown
                yield StoredPicture(_ticks(copying, place), data, picture.key)
            at += group.stop - group.first


def _ticks(copying: Copying, number: int) -> int:
    """When a picture of the rendering is shown, from 0, of 90,000 a second."""
    return round(_seconds(number * copying.frame_ms) * _TICKS_HZ)


def _seconds(time_ms: float) -> Fraction:
    return Fraction(round(time_ms * 1000), 1_000_000)
