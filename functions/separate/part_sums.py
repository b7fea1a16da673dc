"""One part of a recording's separation, and the file that it leaves.

    recording -> model's rate -> level of all of it, samples of the part's stretch
              -> pieces of some segments, each one job of the warm worker, 300 s at most
              -> a line of JSON (``Head``), then each piece's weighted sums

A part's segments are those that begin within it. Which level a sample is lifted to depends on the whole
recording, so each part decodes all of it, and keeps what its own segments see.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from functions.separate.grid import Grid
from functions.separate.host import Loaded, Worker
from functions.separate.pairs import Lane, lanes_of
from functions.separate.pcm import Level, Resampler, heard, opened, resampled
from shared.contracts.model import Model
from shared.contracts.step_engine import Job, Part

PIECE_S = 45.0
"""Of sound through one model: some 45 s of work for the default model on two cores of a CPU."""
_LEAST_DEVIATION = 1e-8
"""Demucs' own (``demucs.api``): silence is divided by it, and stays silence."""

Samples = NDArray[np.float32]


class Piece(Model):
    """Neighbouring segments of one lane."""

    model_config = ConfigDict(frozen=True)

    lane: int
    starts: tuple[int, int, int]
    """A range of frames of the lane."""

    @property
    def segments(self) -> range:
        """Where they begin."""
        return range(*self.starts)


class Head(Model):
    """What is said of a part's sums, before them."""

    model_config = ConfigDict(frozen=True)

    loaded: Loaded
    """The model, and on what."""
    frames: int
    """The whole recording's, at the model's rate."""
    levels: tuple[tuple[float, float], ...]
    """Mean and deviation of each lane, of the whole recording."""
    pieces: tuple[Piece, ...]
    """In the order of their sums."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a part's file."""
        with path.open("rb") as file:
            return cls.model_validate_json(file.readline())

    def grid(self, lane: Lane) -> Grid:
        """The lane's."""
        return Grid(self.frames + lane.lead_frames, self.loaded.segment_frames)

    def sums(self, path: Path, lanes: Sequence[Lane]) -> Iterator[tuple[int, range, Samples]]:
        """Each piece of the file: its lane, its segments, and their sums, ``(frames, stems, 2)``."""
        shape = (len(self.loaded.stems), 2)
        with path.open("rb") as file:
            file.readline()
            for piece in self.pieces:
                first, last = self.grid(lanes[piece.lane]).span(piece.segments)
                count = (last - first) * shape[0] * shape[1]
                sums = np.fromfile(file, "<f4", count).reshape(last - first, *shape)
                yield piece.lane, piece.segments, sums


@dataclass(frozen=True)
class _Stretch:
    """What a part's segments see of the recording, at the model's rate, and what they ask of all of it."""

    path: Path
    """Float32, interleaved."""
    first_frame: int
    """Of the recording: where the file begins."""
    channels: int
    frames: int
    """The whole recording's."""
    lanes: Sequence[Lane]
    levels: tuple[tuple[float, float], ...]
    """Each lane's, as ``Head`` has them."""


def separate_part(job: Job, shifts: int, part: Part, worker: Worker, loaded: Loaded) -> Path:
    """Separate a part; the file of its sums. ``worker``'s lock is the caller's to hold.

    The last part of a recording takes all segments that are left. Raises as ``pcm.heard`` and
    ``Worker.separate`` do.
    """
    first, end = (ms * loaded.sample_rate_hz // 1000 for ms in (part.start_ms, part.end_ms))
    last = None if part.end_ms >= (job.media.duration_ms or 0) else end
    stretch = _read(job, shifts, loaded, first, last)
    head = Head(loaded=loaded, frames=stretch.frames, levels=stretch.levels, pieces=())
    pieces = tuple(_pieces(head, stretch.lanes, first, last))
    path = job.workdir / "sums.f32"
    path.write_text(head.model_copy(update={"pieces": pieces}).model_dump_json() + "\n")
    total = sum(len(piece.segments) for piece in pieces)
    done = reached = 0

    def tell(segments: int = 0) -> None:
        nonlocal reached
        reached = max(reached, done + segments)
        job.progress(reached / total)

    for piece in pieces:
        worker.separate(_task(stretch, piece, path), tell, tell)
        done += len(piece.segments)
    stretch.path.unlink()
    job.progress(1.0)
    return path


def _read(job: Job, shifts: int, loaded: Loaded, first: int, last: int | None) -> _Stretch:
    """All of the recording, of which the segments that begin in ``[first, last)`` are kept, with what
    they look back and reach over.
    """
    path, rate_hz, frames = job.workdir / "stretch.f32", loaded.sample_rate_hz, 0
    with opened(job) as blocks, path.open("wb") as file:
        lanes = lanes_of(blocks.channels, shifts, rate_hz)
        seen = loaded.segment_frames + loaded.padding_frames
        reach = seen + max(lane.lead_frames for lane in lanes)
        low = max(0, first - reach)
        high = sys.maxsize if last is None else last + reach
        levels = {lane.columns: Level(lane.columns) for lane in lanes}
        resampler = Resampler(blocks.sample_rate_hz, rate_hz, blocks.channels)
        for block in resampled(heard(job, blocks), resampler):
            for level in levels.values():
                level.add(block)
            file.write(block[max(0, low - frames) : max(0, high - frames)].tobytes())
            frames += len(block)
    found = (levels[lane.columns] for lane in lanes)
    lifted = tuple((level.mean, level.deviation + _LEAST_DEVIATION) for level in found)
    return _Stretch(path, low, blocks.channels, frames, lanes, lifted)


def _pieces(head: Head, lanes: Sequence[Lane], first: int, last: int | None) -> list[Piece]:
    """The pieces of the segments that begin in ``[first, last)`` (frames), in the order of time.

    One of each lane are ``PIECE_S`` of sound through one model together; a piece is one segment at least.
    """
    grids = [head.grid(lane) for lane in lanes]
    stride_s = grids[0].stride_frames / head.loaded.sample_rate_hz
    segments = max(1, int(PIECE_S / (stride_s * head.loaded.models * len(lanes))))
    numbered = [
        (number, lane, piece)
        for lane, grid in enumerate(grids)
        for number, piece in enumerate(grid.pieces(segments, first, last))
    ]
    return [
        Piece(lane=lane, starts=(piece.start, piece.stop, piece.step))
        for _, lane, piece in sorted(numbered, key=lambda one: one[:2])
    ]


def _task(stretch: _Stretch, piece: Piece, out: Path) -> dict[str, Any]:
    """As the worker takes it."""
    lane = stretch.lanes[piece.lane]
    mean, deviation = stretch.levels[piece.lane]
    return {
        "mix": str(stretch.path),
        "mix_first": stretch.first_frame,
        "source_channels": stretch.channels,
        "frames": stretch.frames,
        "lead": lane.lead_frames,
        "columns": list(lane.columns),
        "mean": mean,
        "deviation": deviation,
        "piece": list(piece.starts),
        "out": str(out),
    }
