"""What a video stream's pictures are like, by its decoded key frames: headers tell of the first only.

Sizes, pixel shapes and orientations may change at any key frame (a phone that is turned in a call,
joined broadcasts), and an orientation may stand in the pictures alone (EXIF, H.264's and HEVC's SEI).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from shared.contracts.asset import VideoStream
from shared.errors import BackendFailed, TimedOut
from shared.media.ffmpeg import input_args, started

Row = Mapping[str, Any]
Orientation = tuple[int, bool]
"""Degrees clockwise to turn a picture upright, and whether it is flipped left to right after that."""

UPRIGHT: Orientation = (0, False)
_ORIENTATION = 274
_EXIF: Mapping[int, Orientation] = {
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (90, True),
    6: (90, False),
    7: (270, True),
    8: (270, False),
}
_KEEPING_BACK = frozenset({"mpeg1video", "mpeg2video", "mpeg4"})
_TIMEOUT_S = 30.0
"""Of looking at key frames: what comes later in a long recording is fitted all the same, but not told."""
_OBLONG = 16
"""A pixel that claims to be so many times wider than high (or the reverse) is taken for square."""
_HDR_NAMES = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
HDR_TAGS = {"color_space": "bt2020nc", "color_primaries": "bt2020", "color_range": "tv"}
"""What HDR's transfer functions come with (ITU-R BT.2100), where a stream does not say."""


@dataclass(frozen=True)
class Look:
    """One key frame."""

    width: int
    height: int
    aspect: Fraction
    """Width by height of one pixel, as stored."""
    orientation: Orientation | None
    """As the picture itself says; ``None``: it says nothing."""

    def upright(self, orientation: Orientation) -> tuple[int, int, Fraction]:
        """Width, height and pixel shape, turned."""
        if orientation[0] in (90, 270):
            return self.height, self.width, 1 / self.aspect
        return self.width, self.height, self.aspect


@dataclass(frozen=True)
class Looks:
    """A stream as it is shown: its upright size, and what is to be told."""

    width: int
    height: int
    aspect: Fraction
    orientation: Orientation
    others: tuple[tuple[int, int, Fraction], ...]
    """Upright sizes and pixel shapes that it also has."""
    orientation_changes: bool


def key_frames(path: Path, demuxer: str, index: int, codec: str) -> list[Look]:
    """Each look that differs from the one before it, in order; empty where none can be decoded.

    Raises ``Unavailable`` where ffprobe was ended from outside: later looks would be missing.
    """
    # A decoder of MPEG-2 keeps each frame back until the next one: a part's only key frame would be lost.
    skipped = "bidir" if codec in _KEEPING_BACK else "nokey"
    entries = "frame=width,height,sample_aspect_ratio:frame_tags=Orientation"
    entries += ":frame_side_data=displaymatrix,rotation"
    args = ["-skip_frame", skipped, "-select_streams", f"{index}", "-show_frames"]
    args += ["-show_entries", entries, "-of", "flat", *input_args(path, demuxer)]
    looks: list[Look] = []
    try:
        with started(args, tool="ffprobe", timeout_s=_TIMEOUT_S) as child:
            for said in _frames(child.chunks()):
                look = _look(said)
                if look and (not looks or look != looks[-1]):
                    looks.append(look)
            child.check()
    except (TimedOut, BackendFailed):
        pass  # what was seen until then is true
    return looks


_SAID = re.compile(r"frames\.frame\.(\d+)\.(?:\w+\.)*(\w+)=(.*)")


def _frames(chunks: Iterator[bytes]) -> Iterator[Mapping[str, str]]:
    """What ffprobe says of each frame (``-of flat``): each value in a line of its own, whatever is in it.

    A photograph's EXIF may be text of several lines, and one of them a size that it does not have.
    """
    rest, frame, said = b"", "", dict[str, str]()
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            found = _SAID.fullmatch(line.decode("utf-8", "replace"))
            if found is None:
                continue
            if found[1] != frame and said:
                yield said
                said = {}
            frame = found[1]
            said[found[2]] = found[3].strip('"').replace(r"\n", "\n")
    if said:
        yield said


def _look(said: Mapping[str, str]) -> Look | None:
    try:
        width, height = int(said["width"]), int(said["height"])
    except (KeyError, ValueError):
        return None
    orientation = matrix_orientation([said])
    if orientation is None:
        orientation = exif_orientation(said.get("Orientation"))
    return Look(width, height, pixel_aspect(said.get("sample_aspect_ratio")), orientation)


def still_orientation(path: Path) -> Orientation | None:
    """A photograph's, by its EXIF; ffmpeg reads only that of JPEG and WebP. ``None``: it says nothing."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return exif_orientation(f"{image.getexif().get(_ORIENTATION, '')}")
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error):
        return None  # whether it is a picture at all is decided elsewhere


def pixel_aspect(text: str | None) -> Fraction:
    """ffprobe's ``4:3``; square where it says nothing or nonsense."""
    over, _, under = (text or "").partition(":")
    if not (over.isdigit() and under.isdigit() and int(over) and int(under)):
        return Fraction(1)
    aspect = Fraction(int(over), int(under))
    return aspect if Fraction(1, _OBLONG) < aspect < _OBLONG else Fraction(1)


def exif_orientation(text: str | None) -> Orientation | None:
    """EXIF's 1 to 8; ``None`` for anything else."""
    said = re.fullmatch(
        r"\s*0*([1-8])\s*", text or ""
    )  # a file may say anything: ² is a digit, too
    if said is None:
        return None
    return UPRIGHT if said[1] == "1" else _EXIF[int(said[1])]


def matrix_orientation(side_data: Sequence[Row]) -> Orientation | None:
    """A display matrix's; ``None`` where there is none.

    It maps stored to shown pixels: x' = ax + cy, y' = bx + dy, with y downwards.
    """
    for side in side_data:
        rows = re.findall(r"^0000000\d:((?:\s+-?\d+){3})", str(side.get("displaymatrix", "")), re.M)
        if len(rows) >= 3:
            a, b, _, c, d, *_ = (int(cell) for row in rows[:3] for cell in row.split())
            mirrored = a * d - b * c < 0
            turn = math.degrees(math.atan2(b, -a if mirrored else a))
            return round(turn / 90) * 90 % 360, mirrored
    return None


def shown(header: Row, looks: Sequence[Look]) -> Looks:
    """How the stream is shown: as its container says, or else its first picture; in its largest size."""
    of_pictures = next((look.orientation for look in looks if look.orientation is not None), None)
    of_container = matrix_orientation(header.get("side_data_list", ()))
    orientation = of_container or of_pictures or UPRIGHT
    first = Look(
        int(header["width"]),
        int(header["height"]),
        pixel_aspect(header.get("sample_aspect_ratio")),
        None,
    )
    seen = list(dict.fromkeys(look.upright(orientation) for look in looks or [first]))
    largest = max(seen, key=_area)
    said = {look.orientation for look in looks if look.orientation is not None}
    changes = of_container is None and len(said) > 1
    return Looks(*largest, orientation, tuple(size for size in seen if size != largest), changes)


def _area(size: tuple[int, int, Fraction]) -> Fraction:
    """In square pixels."""
    wide, high, aspect = size
    return wide * high * max(aspect, 1 / aspect)


def notices(looks: Looks, header: Row) -> tuple[str, ...]:
    """What is to be told of it."""
    told = []
    if looks.others:
        sizes = ", ".join(_size(*size) for size in looks.others)
        into = _size(looks.width, looks.height, looks.aspect)
        told.append(f"the picture's size changes on the way: {sizes} is fitted into {into}")
    if looks.orientation_changes:
        told.append(
            "the pictures' orientation changes on the way: all are shown as the first one is"
        )
    transfer = _HDR_NAMES.get(header.get("color_transfer", ""))
    missing = [name for name in HDR_TAGS if header.get(name, "unknown") in _UNSAID]
    if transfer and header.get("color_space") != "gbr" and missing:
        named = " and ".join(
            name.removeprefix("color_").replace("space", "matrix") for name in missing
        )
        told.append(f"it is HDR ({transfer}) whose {named} is not tagged: BT.2020 is assumed")
    return tuple(told)


def _size(wide: int, high: int, aspect: Fraction) -> str:
    pixels = "" if aspect == 1 else f" (pixels {aspect.numerator}:{aspect.denominator})"
    return f"{wide}x{high}{pixels}"


@dataclass(frozen=True)
class Candidate:
    """A video stream that can be decoded, with what its container says of it."""

    stream: VideoStream
    header: Row
    packets: int


def films(candidates: Sequence[Candidate]) -> tuple[tuple[VideoStream, ...], bool]:
    """The streams that are films, the one to work on first; and whether others are but thumbnails.

    A stream of one frame beside a longer one is a thumbnail or a cover, whatever it is called. Of
    several films the one with the default flag comes first, then the order in the file.
    """
    longest = max((row.packets for row in candidates), default=0)
    kept = [row for row in candidates if not (_is_still(row) and longest > max(1, row.packets))]
    kept.sort(key=lambda row: (_said(row, "timed_thumbnails"), not _said(row, "default")))
    streams = [row.stream for row in kept]
    left_out = [row.stream.index for row in candidates if row not in kept]
    if streams and (left_out or len(streams) > 1):
        told = _told_choice(streams, left_out)
        streams[0] = streams[0].model_copy(update={"notices": (*streams[0].notices, told)})
    return tuple(streams), bool(left_out)


def _told_choice(streams: Sequence[VideoStream], left_out: Sequence[int]) -> str:
    rest = [f"{stream.index}" for stream in streams[1:]]
    parts = [f"other picture{'s' if len(rest) > 1 else ''} {', '.join(rest)}"] if rest else []
    parts += [f"thumbnail {number}" for number in left_out]
    return f"stream {streams[0].index} is worked on; {', '.join(parts)} left out"


def _is_still(row: Candidate) -> bool:
    return row.packets <= 1 or _said(row, "still_image") or _said(row, "timed_thumbnails")


def _said(row: Candidate, name: str) -> bool:
    return bool(row.header.get("disposition", {}).get(name))


_UNSAID = ("unknown", "unspecified", "reserved", None)
