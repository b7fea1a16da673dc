"""Segments of one picture stream, each written by ``PictureWriter``, joined without coding them again.

A segment begins with a key frame that nothing before it is needed for, and its pictures carry the times
that they have in the recording. ffmpeg's concat demuxer would have each begin where the one before ends:
it is told that it lasts until the next one's first picture, so that no time moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from shared.media.encode import Written, last_duration
from shared.media.ffmpeg import run


@dataclass(frozen=True)
class Segment:
    """Some of a recording's pictures, in MP4."""

    path: Path
    start_s: Fraction
    """When its first picture is shown."""


def join_segments(segments: Sequence[Segment], written: Written) -> None:
    """Write the recording that ``written`` describes, its pictures those of ``segments``, in order.

    They lie in one folder, where a list of them is written, too.
    """
    listed = segments[0].path.parent / "segments.txt"
    listed.write_text(segment_list(segments))
    run(joining_arguments(listed, segments[0].start_s, written), timeout_s=written.timeout_s)


def segment_list(segments: Sequence[Segment]) -> str:
    """What ffmpeg's concat demuxer reads."""
    starts_us = [round(segment.start_s * 1_000_000) for segment in segments]
    lasting = [f"duration {(b - a) / 1_000_000:.6f}\n" for a, b in pairwise(starts_us)]
    files = [f"file {segment.path.name}\n" for segment in segments]
    return "ffconcat version 1.0\n" + "".join(
        file + duration for file, duration in zip(files, [*lasting, ""], strict=True)
    )


def joining_arguments(listed: Path, start_s: Fraction, written: Written) -> list[str | Path]:
    """ffmpeg's words for all of it, but for the tool's own."""
    late = ["-itsoffset", f"{float(start_s):.6f}"] if start_s else []
    opened = ("-protocol_whitelist", "file", "-f", "concat", "-i", listed)
    return remuxing_arguments([*late, *opened], written)


def remuxing_arguments(pictures: Sequence[str | Path], written: Written) -> list[str | Path]:
    """ffmpeg's words for pictures that are coded already; ``pictures`` open them, as input number 0."""
    base = written.format.time_base
    scale = ["-video_track_timescale", f"{base.denominator}"] if base.numerator == 1 else []
    return [
        *("-v", "error", *written.clock, *pictures),
        *written.inputs,
        *("-map", "0:v:0", "-c:v", "copy", *written.streams),
        *("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"),
        *last_duration(written),
        *(*scale, "-movflags", "+faststart", "-y"),
        written.path,
    ]
