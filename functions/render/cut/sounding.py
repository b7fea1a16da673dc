"""The one pass: a recording's sound, cut as its edit list says, into a file of raw samples.

    play    the recording is decoded once, in blocks. What is kept at its own speed goes into its place; what
            is sped up is gathered on disk, one file a speed; the room is listened to on the way
    fill    what was gathered is stretched, and put into its place; what is silenced is filled

Places are written in any order, so the file is made as long as it will be at first. What is silenced is
zeroed as soon as it is decoded, and only the room, which leaves it out, has heard it: nothing that is
private reaches a seam or what is sped up. Only as much of the recording is held as a seam or the
surroundings of something sped up may look back: 4 s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.render.cut.crossfades import Joined, Sound
from functions.render.cut.cutting_plan import Cutting, Stretch, cutting
from functions.render.cut.room_tone import Room
from functions.render.cut.speeding import Gathered
from shared.contracts.asset import MediaInfo
from shared.contracts.edit_list import FASTEST, EditList
from shared.media.decode import audio_blocks

PART_FRAMES = 1 << 16
"""Of what is put at a time: it bounds memory, and nothing is heard of it."""
_BEHIND_S = 0.2
"""So much of what went by is still there, times the speed at which it is played."""


@dataclass(frozen=True)
class CutSound:
    """What was written."""

    plan: Cutting
    channels: int
    room_heard: bool
    """Was there room tone to fill silenced places with?"""


def write_cut(
    path: Path,
    source: Path,
    media: MediaInfo,
    edits: EditList,
    shape: tuple[int, int],
    progress: Callable[[float], None] = lambda _: None,
) -> CutSound:
    """Float samples, little-endian, interleaved, as many as the list's map says; ``shape``: sample
    rate and channels.

    The recording is decoded once, however long the list is; memory does not grow with either.
    Raises what ``audio_blocks`` does, and ``MissingDependency`` where something is to be sped up
    and ffmpeg has no Rubber Band.
    """
    sample_rate_hz, channels = shape
    plan = cutting(edits, sample_rate_hz)
    last = max(1, round(edits.samples * sample_rate_hz / edits.sample_rate_hz))
    room = Room(sample_rate_hz, last, plan.silenced)
    with (
        path.open("w+b") as file,
        audio_blocks(source, media, sample_rate_hz=sample_rate_hz, channels=channels) as blocks,
    ):
        joined = Joined(file, plan, channels)
        tape = _Tape(iter(blocks), channels, sample_rate_hz, room)
        cut = _Cut(plan, joined, tape, room, path.parent)
        cut.play(lambda at: progress(min(1.0, at / last)))
        cut.fill()
    return CutSound(plan, channels, room.heard)


class _Tape:
    """A recording that goes by: any place of it can be read that lies not far behind."""

    def __init__(self, blocks: Iterator[Sound], channels: int, rate: int, room: Room) -> None:
        self._blocks, self._channels, self._room = blocks, channels, room
        self._behind = round(_BEHIND_S * FASTEST * rate)
        self._held: deque[tuple[int, Sound]] = deque()
        self._reached = 0

    def read(self, first: int, stop: int) -> Sound:
        """``[first, stop)`` in samples of the rendering's rate, ``(frames, channels)``: zeros outside the
        recording, and where it is silenced.

        ``first`` may lie before what was read last, by 4 s at most; what is farther back is zeros, too.
        """
        while self._reached < stop and self._next():
            while self._held and self._held[0][0] + len(self._held[0][1]) < first - self._behind:
                self._held.popleft()
        found = np.zeros((stop - first, self._channels), np.float32)
        for at, block in self._held:
            low, high = max(first, at), min(stop, at + len(block))
            if low < high:
                found[low - first : high - first] = block[low - at : high - at]
        return found

    def run_out(self) -> None:
        """Listen to the rest: behind the last stretch, too, there may be room tone."""
        while self._next():
            self._held.clear()

    def _next(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        if self._room.silenced:  # otherwise nobody will ask for it
            self._room.hear(block)
        self._held.append((self._reached, self._without_silenced(block)))
        self._reached += len(block)
        return True

    def _without_silenced(self, block: Sound) -> Sound:
        """Zeros instead: so that no seam, and nothing that is sped up beside it, lets it through."""
        silenced = self._room.silenced
        first = bisect_right(silenced, self._reached, key=lambda one: one[1])
        for start, stop in silenced[first:]:
            if start >= self._reached + len(block):
                break
            if not block.flags.writeable:
                block = block.copy()
            block[max(0, start - self._reached) : stop - self._reached] = 0
        return block


class _Cut:
    """Stretches put into their places: first those that come by, then those that are made."""

    def __init__(
        self, plan: Cutting, joined: Joined, tape: _Tape, room: Room, folder: Path
    ) -> None:
        self._plan, self._joined, self._tape, self._room = plan, joined, tape, room
        self._folder = folder
        self._gathered: dict[float, Gathered] = {}

    def play(self, progress: Callable[[float], None]) -> None:
        """What is kept, while the recording goes by. ``progress`` is told samples of the recording."""
        for number, one in enumerate(self._plan.stretches):
            if one.heard != "kept":
                continue
            if one.sped:
                self._gather(number, one)
            else:
                shift = one.source_start - one.start
                for first, stop in self._spans(number):
                    sound = self._tape.read(first + shift, stop + shift)
                    self._joined.put(number, first, sound)
                    progress(stop + shift)
        if self._plan.silenced:
            self._tape.run_out()

    def _gather(self, number: int, one: Stretch) -> None:
        """Put a stretch that is sped up, with its surroundings, behind the others of its speed."""
        if one.speed not in self._gathered:
            shape = self._plan.sample_rate_hz, self._joined.channels
            self._gathered[one.speed] = Gathered(one.speed, *shape, self._folder)
        gathered = self._gathered[one.speed]
        first, stop = gathered.around(one)
        parts = (
            self._tape.read(at, min(at + PART_FRAMES, stop))
            for at in range(first, stop, PART_FRAMES)
        )
        gathered.add(number, one, parts)

    def fill(self) -> None:
        """What is sped up or silenced. Leaves no other file behind than the rendering's."""
        for gathered in self._gathered.values():
            gathered.stretch()
        for number, one in enumerate(self._plan.stretches):
            if one.heard == "kept" and not one.sped:
                continue
            for first, stop in self._spans(number):
                self._joined.put(number, first, self._made(number, first, stop))
        for gathered in self._gathered.values():
            gathered.close()

    def _made(self, number: int, first: int, stop: int) -> Sound:
        """``[first, stop)`` of the rendering as stretch ``number`` plays it, ``(frames, channels)``."""
        one, frames = self._plan.stretches[number], stop - first
        if one.heard == "kept":
            return self._gathered[one.speed].read(number, first - one.start, frames)
        begun = first - self._plan.seams[number].first
        if one.heard == "bleep":
            return self._room.bleep(begun, frames, self._joined.channels)
        return self._room.tone(one.source_start, begun, frames, self._joined.channels)

    def _spans(self, number: int) -> Iterator[tuple[int, int]]:
        """What a stretch plays, in the rendering: its seams whole, and what lies between in parts."""
        before, behind = self._plan.seams[number : number + 2]
        yield before.first, before.stop
        for first in range(before.stop, behind.first, PART_FRAMES):
            yield first, min(first + PART_FRAMES, behind.first)
        yield behind.first, behind.stop
