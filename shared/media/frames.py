"""Pictures out of any recording, one by one, each with its exact presentation time.

The pictures are upright (rotation and mirroring applied), of one size and pixel format whatever the
stream does on its way, and timed as a player shows them: on the file's own clock where that means
something (``TIMED_FROM_ZERO``), otherwise from the recording's first stream. ffmpeg writes the
pictures to its standard output and the time of *every* frame to a second pipe, so that a caller
who looks at each tenth frame still knows when all of them are shown. Memory holds one picture.

The times are printed by filters on the pictures' own way, not by outputs beside theirs: a picture
that has arrived has its times behind it, whatever ffmpeg's outputs wait for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from shared.contracts.asset import MediaInfo, VideoStream
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.ffmpeg import input_args, run, started, timeout_for
from shared.media.formats import COUNTED, RESTARTED, TIMED_FROM_ZERO
from shared.media.looks import HDR_TAGS
from shared.media.time_pipe import TimePipe
from shared.processes import Child

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
CHANGED_SCORE = 0.15
"""ffmpeg's scene score from which on a frame differs much from the one before it."""
_MOST_NUMBERS = 300
"""Longer lists of times would make ffmpeg's expression slow."""
_SLOW = 10.0
"""Seconds of waiting for one of recording that decoding may take: 4K on a busy machine."""
_LEAD_S = 1.0
"""So much before a stretch is sought: streams are found by the order in which they are decoded."""
_TAG = "rushes"
_NO_YUV = re.compile(r"[a0x2]*(rgb|bgr|gbr)|pal8|gray|ya|mono")
"""Names of pixel formats without luma, or with nothing else."""


@dataclass(frozen=True)
class PictureFormat:
    """How a video stream's pictures are to be read, and must be tagged when written again (as YUV)."""

    time_base: Fraction
    """Seconds of one tick of its clock."""
    pixel_format: str
    sample_aspect: Fraction
    """Width by height of one pixel."""
    color_range: str | None
    color_space: str | None
    color_primaries: str | None
    color_transfer: str | None
    field_order: str | None
    """``tt``, ``bb``, ``tb``, ``bt`` where it is interlaced."""

    @property
    def hdr(self) -> bool:
        """Is its brightness coded for HDR (PQ or HLG)?"""
        return self.color_transfer in HDR_TRANSFERS


def picture_format(path: Path, media: MediaInfo) -> PictureFormat:
    """What ffprobe says of the first video stream. Raises ``UnsupportedMedia`` without one."""
    about = path.stat()
    return _probed_format(
        path, (about.st_mtime_ns, about.st_size), media.container, first_video(media)
    )


@lru_cache(maxsize=8)
def _probed_format(
    path: Path, _version: tuple[int, int], demuxer: str, stream: VideoStream
) -> PictureFormat:
    """Kept, because an engine asks several times for the same file."""
    names = "index,time_base,pix_fmt,field_order"
    names += ",color_range,color_space,color_primaries,color_transfer"
    args = ["-show_entries", f"stream={names}", "-of", "json", *input_args(path, demuxer)]
    try:
        streams = json.loads(run(args, tool="ffprobe", timeout_s=30.0).stdout)["streams"]
        found = next(row for row in streams if row["index"] == stream.index)
        base = Fraction(found["time_base"])
    except (BackendFailed, ValueError, KeyError, StopIteration, ZeroDivisionError):
        raise UnsupportedMedia("its video stream's header cannot be read") from None
    pixel_format = found.get("pix_fmt", "yuv420p")
    color_range, color_space = (_known(found.get(f"color_{name}")) for name in ("range", "space"))
    if color_space == "gbr" or _NO_YUV.match(pixel_format):
        color_range, color_space = "tv", "smpte170m"  # what ffmpeg turns it into
    transfer = _known(found.get("color_transfer"))
    completed = HDR_TAGS if transfer in HDR_TRANSFERS else {}
    return PictureFormat(
        time_base=base,
        pixel_format=pixel_format,
        sample_aspect=stream.pixel_shape,
        color_range=color_range or completed.get("color_range"),
        color_space=color_space or completed.get("color_space"),
        color_primaries=_known(found.get("color_primaries")) or completed.get("color_primaries"),
        color_transfer=transfer,
        field_order=found.get("field_order") if stream.interlaced else None,
    )


def first_video(media: MediaInfo) -> VideoStream:
    """The stream that is worked on; raises ``UnsupportedMedia`` where there is none."""
    if not media.video:
        raise UnsupportedMedia("it has no moving picture")
    return media.video[0]


def _known(tag: str | None) -> str | None:
    return None if tag in (None, "unknown", "reserved") else tag


@dataclass(frozen=True)
class Frame:
    """One picture that was looked at."""

    index: int
    """Its number among all frames of the stream, from 0."""
    ticks: int
    """Its presentation time, in the stream's time base."""
    data: Bytes
    """The picture's bytes, plane after plane. The caller's own: nobody writes to them again."""


Span = tuple[float | None, float | None]


def can_begin_at(media: MediaInfo) -> bool:
    """Can a stretch of the picture be decoded alone? Where there is an index, and times mean something."""
    return media.container in TIMED_FROM_ZERO and bool(media.video) and not media.video[0].undated


@dataclass(frozen=True)
class Wanted:
    """Which pictures, and in which form."""

    width: int
    height: int
    pixel_format: str = "bgr24"
    frame_bytes: int = 0
    """Of one picture; 0: three a pixel."""
    every_ms: float | None = None
    """At least so far apart; ``None``: every frame. Infinite: the first one, and what else is asked for."""
    at_changes: bool = False
    """Also each frame that differs much from the one before it: a cut, or fast motion."""
    at_ticks: tuple[int, ...] = ()
    """Also the frames of these presentation times (the first 300 of them)."""
    spans: tuple[tuple[int, int], ...] = ()
    """Also all frames from the one time to the other, both included (the first 300 spans)."""
    as_seen: bool = True
    """Fields are joined, and HDR is mapped to an ordinary screen; otherwise both are left as they are."""
    within_ms: Span = (None, None)
    """Only the frames of a stretch, half open; ``None``: from the first one, to the last. Where
    ``can_begin_at`` says so, what lies before is not decoded."""
    near_ms: float | None = None
    """Pictures before the one that is on display at this time may be left out, but need not be: where
    ``can_begin_at`` says so, decoding begins at a key frame before it."""
    scaler: str = "area"
    """ffmpeg's name of the way to make pictures smaller."""

    @property
    def size_bytes(self) -> int:
        """Of one picture."""
        return self.frame_bytes or 3 * self.width * self.height


class VideoFrames:
    """The wanted pictures of the first video stream, in order of presentation. Iterate once.

    Leaving early (``close()`` or the end of a ``with`` block) stops ffmpeg.
    """

    def __init__(self, path: Path, media: MediaInfo, wanted: Wanted) -> None:
        self.format = picture_format(path, media)
        self.wanted = wanted
        self.ticks: list[int] = []
        """The presentation time of every frame so far; of all of them after the last picture."""
        self.damage: str | None = None
        """ffmpeg's last words, where it could not decode all; known after the last picture."""
        self._path, self._media = path, media
        late_s = Fraction(first_video(media).start_ms, 1000) * (media.container in RESTARTED)
        self._late_ticks = round(late_s / self.format.time_base)
        self._frames = self._decode()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop ffmpeg, if it still runs."""
        self._frames.close()

    def tick_at(self, time_ms: float) -> int:
        """The first tick that is not before a time in milliseconds."""
        return math.ceil(Fraction(time_ms) / 1000 / self.format.time_base)

    def ms(self, ticks: int) -> float:
        """A presentation time in milliseconds, to the microsecond."""
        return round(float(ticks * self.format.time_base * 1000), 3)

    def _decode(self) -> Generator[Frame, None, None]:
        late = self._late_ticks
        with TimePipe(late) as every, TimePipe(late) as chosen:
            args = self._arguments(every.fd, chosen.fd)
            timeout_s = timeout_for(self._media.duration_ms, realtime_factor=_SLOW)
            descriptors = (every.fd, chosen.fd)
            with started(args, timeout_s=timeout_s, pass_fds=descriptors) as child:
                every.begin()
                chosen.begin()
                while (data := _picture(child, self.wanted.size_bytes)) is not None:
                    yield Frame(self._index_of(chosen, every, child), self.ticks[-1], data)
                self.ticks += every.rest()
                self._judge(child)

    def _index_of(self, chosen: TimePipe, every: TimePipe, child: Child) -> int:
        """Read times up to the next picture's; its place among them is its number."""
        ticks = chosen.next_ticks()
        while ticks is not None and (at := every.next_ticks()) is not None:
            self.ticks.append(at)
            if at == ticks:
                return len(self.ticks) - 1
        child.wait()
        child.check()  # it may have been ended from outside
        raise BackendFailed("ffmpeg", "it gave a picture without a time")

    def _judge(self, child: Child) -> None:
        try:
            child.check()
        except BackendFailed as error:
            if not self.ticks:
                raise UnsupportedMedia(f"its picture cannot be decoded ({error.message})") from None
        self.damage = child.last_words or None

    def _arguments(self, every_fd: int, chosen_fd: int) -> list[str]:
        clock = ["-copyts"] if self._media.container in TIMED_FROM_ZERO else []
        picture = ["-c:v", "rawvideo", "-fps_mode", "passthrough"]
        picture += ["-pix_fmt", self.wanted.pixel_format, "-f", "rawvideo"]
        return [
            # Orientation is the stream's as probed: ffmpeg would turn the first picture alone where an
            # SEI says it, and none by EXIF before its version 8.
            *("-v", "error", *clock, *self._seeking(), "-noautorotate"),
            *input_args(self._path, self._media.container),
            *("-filter_complex", self._graph(every_fd, chosen_fd)),
            *("-map", "[picture]", *picture, "pipe:1"),
        ]

    def _seeking(self) -> list[str]:
        """To a key frame before what is wanted: what comes before that is cut off by the filters."""
        begin_ms = self.wanted.within_ms[0] if self.wanted.near_ms is None else self.wanted.near_ms
        from_s = 0.0 if begin_ms is None else begin_ms / 1000 - _LEAD_S
        if from_s <= 0 or not can_begin_at(self._media):
            return []
        return ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{from_s:.3f}"]

    def _within(self) -> list[str]:
        """The filter that leaves the stretch alone, and ends with it."""
        edges = zip(("start_pts", "end_pts"), self.wanted.within_ms, strict=True)
        late = self._late_ticks
        cut = [f"{name}={self.tick_at(at) - late}" for name, at in edges if at is not None]
        return [f"trim={':'.join(cut)}"] if cut else []

    def _graph(self, every_fd: int, chosen_fd: int) -> str:
        stream = first_video(self._media)
        base = f"{self.format.time_base.numerator}/{self.format.time_base.denominator}"
        filters = [
            f"settb={base}",
            *self._within(),
            *_printing(every_fd),
            *_selection(self.wanted, self._late_ticks),
        ]
        filters += [*_printing(chosen_fd), *self._shaping()]
        if stream.undated:
            since_first = "N/(FR*TB)" if self._media.container in COUNTED else "PTS-STARTPTS"
            filters.insert(0, f"setpts={since_first}+{stream.start_ms / 1000:g}/TB")
        return f"[0:{stream.index}]{','.join(filters)}[picture]"

    def _shaping(self) -> list[str]:
        """The filters that give each picture its orientation, size, range and pixel format."""
        wanted, form = self.wanted, self.format
        filters = ["yadif=deint=interlaced"] if wanted.as_seen and form.field_order else []
        filters += _turning(first_video(self._media))
        # Each picture is fitted by its own shape; one that is right already passes through. ffmpeg
        # makes the filters anew where a size changes in the stream, but not for the pixels' shape.
        filters += [_fitted(first_video(self._media), wanted)]
        if wanted.as_seen and form.hdr:
            tags = f"colorspace={form.color_space}:color_primaries={form.color_primaries}"
            filters.append(f"setparams={tags}:range={form.color_range}")
            filters += ["zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709"]
            filters += ["tonemap=hable:desat=0", "zscale=t=bt709:m=bt709:r=tv"]
        return [*filters, *_padded(first_video(self._media), wanted)]


def _turning(stream: VideoStream) -> list[str]:
    turns = {90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}
    return [*turns.get(stream.rotation_deg, []), *(["hflip"] if stream.mirrored else [])]


def _fitted(stream: VideoStream, wanted: Wanted) -> str:
    """As large as the wanted size and the picture's own shape allow, seen in the stream's shape."""
    shape = f"{float(Fraction(stream.width, stream.height) * stream.pixel_shape):.9f}"
    own = "(iw/ih*if(between(sar,0.063,15.9),sar,1))"  # as ``pixel_aspect`` reads it
    wide = f"max(1,round({wanted.width}*min(1,{own}/{shape})))"
    high = f"max(1,round({wanted.height}*min(1,{shape}/{own})))"
    return f"scale=w='{wide}':h='{high}':eval=frame:flags={wanted.scaler}"


def _padded(stream: VideoStream, wanted: Wanted) -> list[str]:
    """In the wanted pixel format, black where a fitted picture leaves something of the size free."""
    final = f"format={wanted.pixel_format}"
    pad = f"pad={wanted.width}:{wanted.height}:-1:-1:eval=frame"
    odd = (wanted.width % 2 or wanted.height % 2) and "444" not in wanted.pixel_format
    if not odd or wanted.pixel_format == "bgr24":
        return [final, pad]
    if not stream.other_sizes:
        return [final]
    # ffmpeg pads by whole samples of chroma.
    deep = "10le" if wanted.pixel_format.endswith("10le") else ""
    return [f"format=yuv444p{deep}", pad, final]


def _printing(fd: int) -> list[str]:
    """Filters that print each frame's time, and nothing that a file could say in its tags."""
    tag = f"key={_TAG}"
    fresh = [f"metadata=mode=delete:{tag}", f"metadata=mode=add:{tag}:value=1"]
    return [*fresh, f"metadata=mode=print:{tag}:file=pipe\\\\:{fd}:direct=1"]


def _selection(wanted: Wanted, late_ticks: int) -> list[str]:
    if wanted.every_ms is None:
        return []
    due = []
    if math.isfinite(wanted.every_ms):
        # Half a microsecond for times that are rounded.
        due.append(f"gte(t-prev_selected_t,{wanted.every_ms / 1000 - 5e-7:.7f})")
    more = [f"gt(scene,{CHANGED_SCORE})"] if wanted.at_changes else []
    more += [f"eq(pts,{ticks - late_ticks})" for ticks in wanted.at_ticks[:_MOST_NUMBERS]]
    more += [
        f"between(pts,{first - late_ticks},{last - late_ticks})"
        for first, last in wanted.spans[:_MOST_NUMBERS]
    ]
    return [f"select='{'+'.join(['isnan(prev_selected_t)', *due, *more])}'"]


def _picture(child: Child, size_bytes: int) -> Bytes | None:
    """The next whole picture out of the tool's standard output."""
    import numpy as np

    picture = np.empty(size_bytes, np.uint8)
    return picture if child.read_into(picture.data) == size_bytes else None
