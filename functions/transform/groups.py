"""Channels that ffmpeg's filters take only a few at a time, or only under a layout's name.

Rubber Band ends by SIGSEGV on more than eight channels, and filters that mix refuse channels without a
layout. Such sound goes through in groups of up to eight, under a borrowed layout, into raw files; put
side by side again, the channels have no layout, as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.transform.sound import Opened, Sound
from shared.media.decode import BLOCK_FRAMES, SampleType
from shared.media.feed import RAW_FORMATS, Samples, fed, raw_input

MOST_TOGETHER = 8
_BORROWED = ("mono", "stereo", "3.0", "quad", "5.0", "hexagonal", "7.0", "octagonal")
"""For one channel, two, ...: none has an LFE."""


@dataclass(frozen=True)
class Group:
    """Some neighbouring channels, from the ``first`` on, and the raw file for what is made of them."""

    first: int
    channels: int
    path: Path
    sample_type: SampleType

    @property
    def layout(self) -> str:
        """The borrowed one."""
        return _BORROWED[self.channels - 1]

    @property
    def out(self) -> tuple[str | Path, ...]:
        """ffmpeg's words that write the raw file."""
        raw = RAW_FORMATS[self.sample_type]
        return ("-c:a", f"pcm_{raw}", "-f", raw, self.path)


def groups_of(sound: Sound, folder: Path) -> list[Group]:
    """The groups, of ``MOST_TOGETHER`` in order, the last one perhaps of fewer.

    None where all channels can go through together: one, two, or up to eight under a layout's name.
    """
    count = sound.channels
    if count <= 2 or (sound.layout and count <= MOST_TOGETHER):
        return []
    return [
        Group(
            first, min(MOST_TOGETHER, count - first), folder / f"group_{first}", sound.sample_type
        )
        for first in range(0, count, MOST_TOGETHER)
    ]


@contextmanager
def fed_group(sound: Sound, group: Group) -> Iterator[Opened]:
    """As ``Sound.fed``, for the group's channels, under its borrowed layout; each group decodes anew."""
    columns = slice(group.first, group.first + group.channels)
    with (
        sound.blocks() as blocks,
        fed(block[:, columns] for block in sound.worked_on(blocks)) as fd,
    ):
        shape = (sound.sample_rate_hz, group.channels)
        yield Opened(raw_input(fd, shape, group.layout, sound.sample_type), fds=(fd,))


def side_by_side(groups: Sequence[Group]) -> Iterator[Samples]:
    """All channels of what was made, in blocks of ``(samples, channels)``; the files go when they are read.

    Where groups are of unlike length, the shortest counts. They are mapped, not read: memory holds a block.
    """
    parts = [
        np.memmap(group.path, dtype=group.sample_type, mode="r").reshape(-1, group.channels)
        for group in groups
    ]
    for first in range(0, min(map(len, parts)), BLOCK_FRAMES):
        yield np.concatenate([part[first : first + BLOCK_FRAMES] for part in parts], axis=1)
    for group in groups:
        group.path.unlink()
