"""Pictures into a recording: one by one, each with its presentation time, beside copied sound.

ffmpeg reads the pictures from a pipe, wrapped in the least Matroska there can be (RFC 9559): one
cluster a picture, its time in nanoseconds. So variable frame rates and late starts come through as
they are. The encoder runs with a fixed number of threads and without anything of its surroundings
in the file: the same pictures and times give the same bytes, on machines with the same ffmpeg.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.media.ffmpeg import Completed, run
from shared.media.frames import PictureFormat
from shared.processes import widen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THREADS, FEW_THREADS = 4, 2
"""Of the encoder. x264 gives other bytes with another number, so it is no machine's own."""
LARGE_PIXELS = 1 << 21
"""From here on, a little above 1080p, pictures are encoded by few threads that look less far ahead: of each
that waits x264 holds three times as much as it has, which made 930 MiB at 4K and makes 560."""

_IN_STEP = "sync-lookahead=0:lookahead-threads=1:cpu-independent=1"
"""x264's lookahead on a thread of its own decided otherwise now and then on a crowded machine; and its
AVX2 and AVX-512 routines round otherwise than each other where it may choose."""
_NEAR = ":rc-lookahead=3"

PLANAR: Mapping[str, tuple[bytes, int, int, int]] = {
    # pixel format: fourcc, bytes a sample, and by how many bits its chroma is narrower and lower
    "yuv420p": (b"I420", 1, 1, 1),
    "yuv422p": (b"Y42B", 1, 1, 0),
    "yuv444p": (b"444P", 1, 0, 0),
    "yuv420p10le": (b"Y3\x0b\x0a", 2, 1, 1),
    "yuv422p10le": (b"Y3\x0a\x0a", 2, 1, 0),
    "yuv444p10le": (b"Y3\x00\x0a", 2, 0, 0),
}
"""The pixel formats that pictures pass through, none of which loses anything."""


_DEEP = re.compile(r"(p0?|gray|x2rgb|xyz)(9|10|12|14|16)|(rgb|bgr)a?(48|64)|nv20")
"""Names of pixel formats with more than 8 bits a sample."""


def passing_format(pixel_format: str, width: int = 2, height: int = 2) -> str:
    """The one of ``PLANAR`` that keeps the most of a stream's own.

    H.264 halves only what is even: pictures of odd sizes keep all their chroma.
    """
    kept = _kept_format(pixel_format)
    _, _, narrow, low = PLANAR[kept]
    if (narrow and width % 2) or (low and height % 2):
        return kept.replace("420", "444").replace("422", "444")
    return kept


PLAYABLE = "yuv420p"
"""The one pixel format that every player of H.264 shows."""


def for_everyone(form: PictureFormat) -> PictureFormat:
    """The tags of pictures that every screen shows right: HDR is mapped to an ordinary one."""
    if not form.hdr:
        return form
    return replace(
        form,
        color_range="tv",
        color_space="bt709",
        color_primaries="bt709",
        color_transfer="bt709",
        field_order=None,
    )


def evened(width: int, height: int) -> list[str]:
    """The filters that make odd sides of 4:2:0 even, for H.264 holds no others: the edge is repeated."""
    wide, high = width + width % 2, height + height % 2
    if (wide, high) == (width, height):
        return []
    smeared = f"fillborders=right={wide - width}:bottom={high - height}:mode=smear"
    return [f"pad={wide}:{high}:0:0", smeared]


def _kept_format(pixel_format: str) -> str:
    name = pixel_format.replace("yuvj", "yuv")
    if name in PLANAR:
        return name
    deep = "10le" if _DEEP.search(name) else ""
    full = "444" in name or name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "pal", "nv24"))
    half = "422" in name or name.startswith(("nv16", "nv20", "p21"))
    chroma = "444" if full else "422" if half else "420"
    return f"yuv{chroma}p{deep}"


@dataclass(frozen=True)
class Planes:
    """Where the planes of a picture lie in its bytes."""

    width: int
    height: int
    pixel_format: str

    @property
    def chroma(self) -> tuple[int, int]:
        """Width and height of the two chroma planes."""
        _, _, narrow, low = PLANAR[self.pixel_format]
        return -(-self.width >> narrow), -(-self.height >> low)

    @property
    def size_bytes(self) -> int:
        """Of one picture."""
        wide, high = self.chroma
        return PLANAR[self.pixel_format][1] * (self.width * self.height + 2 * wide * high)

    def split(self, data: NDArray[np.uint8]) -> list[NDArray[np.generic]]:
        """Luma and two chroma planes, ``(height, width)`` each, as views of ``data``."""
        import numpy as np

        samples = data.view(np.uint8 if PLANAR[self.pixel_format][1] == 1 else np.dtype("<u2"))
        wide, high = self.chroma
        luma = self.width * self.height
        edges = (0, luma, luma + wide * high, luma + 2 * wide * high)
        shapes = ((self.height, self.width), (high, wide), (high, wide))
        return [
            samples[start:stop].reshape(shape)
            for start, stop, shape in zip(edges, edges[1:], shapes, strict=False)
        ]


@dataclass(frozen=True)
class Written:
    """What a written recording is to be."""

    path: Path
    planes: Planes
    format: PictureFormat
    """Its clock, tags and sample aspect."""
    inputs: Sequence[str] = ()
    """ffmpeg's words that open further inputs, numbered from 1."""
    streams: Sequence[str] = ()
    """ffmpeg's words that map and code what comes from those."""
    clock: Sequence[str] = ("-copyts",)
    filters: Sequence[str] = ()
    """On the pictures, before they are encoded."""
    end_s: Fraction | None = None
    """When the last picture is no longer shown; ``None``: as ffmpeg guesses."""
    count: int | None = None
    """How many pictures there will be. Matroska needs to know to keep to ``end_s``; MP4 does not."""
    quality: int = 18
    preset: str = "veryfast"
    timeout_s: float = 3600.0
    beginnings: Sequence[Fraction] = ()
    """Times (seconds) of pictures that need nothing before them, besides those that the encoder chooses."""
    set_number: int = 0
    """Of the encoder's parameter sets, 0 to 31: others' pictures may stand beside these by another one."""


class PictureWriter:
    """Writes pictures to a recording::

        with PictureWriter(written) as writer:
            writer.write(time, data)

    Leaving the block without an error waits for ffmpeg and raises what it has to say.
    """

    def __init__(self, written: Written) -> None:
        self._written = written
        self._pool = ThreadPoolExecutor(1)
        self._read_fd, self._write_fd = os.pipe()
        widen(self._write_fd)
        self._future: Future[Completed] | None = None

    def __enter__(self) -> Self:
        args = arguments(self._written, self._read_fd)
        self._future = self._pool.submit(copy_context().run, self._encode, args)
        self._send(_header(self._written.planes))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._write_fd)
        assert self._future is not None
        try:
            if error is None or isinstance(error, BrokenPipeError):
                self._future.result()
            else:
                self._future.exception()
        finally:
            self._pool.shutdown()

    def write(self, time: Fraction, data: NDArray[np.uint8]) -> None:
        """One picture, shown from ``time`` (seconds) on. Raises ``BrokenPipeError`` to leave with."""
        self._send(_cluster_head(time, data.nbytes))
        self._send(data.data)

    def _encode(self, args: list[str | Path]) -> Completed:
        try:
            return run(args, timeout_s=self._written.timeout_s, pass_fds=(self._read_fd,))
        finally:
            os.close(self._read_fd)  # whoever still writes is told so

    def _send(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._write_fd, left) :]


def arguments(written: Written, fd: int) -> list[str | Path]:
    """ffmpeg's words for all of it, but for the tool's own."""
    form = written.format
    base = form.time_base
    scale = ["-video_track_timescale", f"{base.denominator}"] if base.numerator == 1 else []
    fields = "+ilme+ildct" if form.field_order else ""
    return [
        *("-v", "error", *written.clock),
        # Eight pictures would wait between reading and encoding.
        *("-thread_queue_size", "1", "-protocol_whitelist", "pipe"),
        *("-f", "matroska", "-i", f"pipe:{fd}"),
        *written.inputs,
        *("-map", "0:v:0", "-vf", ",".join([*written.filters, *_tagging(form)])),
        *("-fps_mode", "passthrough", "-enc_time_base", f"{base.numerator}:{base.denominator}"),
        *("-c:v", "libx264", "-preset", written.preset, "-crf", f"{written.quality}"),
        *(
            "-threads",
            f"{FEW_THREADS if _large(written) else THREADS}",
            "-x264-params",
            _x264(written),
            *_begun(written),
            *_color_tags(form),
        ),
        *written.streams,
        *("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"),
        *last_duration(written),
        *("-flags:v", f"+bitexact{fields}", *scale, "-movflags", "+faststart", "-y"),
        written.path,
    ]


def _x264(written: Written) -> str:
    params = _IN_STEP + (_NEAR if _large(written) else "")
    return f"{params}:sps-id={written.set_number}" if written.set_number else params


def _large(written: Written) -> bool:
    return written.planes.width * written.planes.height > LARGE_PIXELS


def _begun(written: Written) -> list[str]:
    if not written.beginnings:
        return []
    times = ",".join(f"{float(time):.6f}" for time in written.beginnings)
    return ["-force_key_frames", times, "-forced-idr", "1"]


def last_duration(written: Written) -> list[str]:
    """The words that let the last picture be shown until ``end_s``."""
    base, in_matroska = written.format.time_base, written.path.suffix == ".mkv"
    kept = base.numerator == 1 and (not in_matroska or (written.count and base.denominator == 1000))
    # ffmpeg 5.1 reckons in the encoder's time base here, with times in the container's.
    if written.end_s is None or not kept:
        return []
    lasting = f"{float(written.end_s):.6f}/TB-PTS"
    # MP4 takes from it when the track ends, and how long the packet lasts that is stored last.
    if in_matroska:
        lasting = f"if(eq(N\\,{(written.count or 0) - 1})\\,{lasting}\\,DURATION)"
    return ["-bsf:v", f"setts=pts=PTS:dts=DTS:duration={lasting}"]


def _tagging(form: PictureFormat) -> list[str]:
    """The filters that say what a raw picture cannot say of itself."""
    aspect = f"setsar={form.sample_aspect.numerator}/{form.sample_aspect.denominator}"
    first = {"tt": "tff", "tb": "tff", "bb": "bff", "bt": "bff"}.get(form.field_order or "")
    ranged = [f"setparams=range={form.color_range}"] if form.color_range in ("tv", "pc") else []
    return [aspect, *ranged, *([f"setfield={first}"] if first else [])]


def _color_tags(form: PictureFormat) -> list[str]:
    named = {
        "-color_range": form.color_range,
        "-colorspace": form.color_space,
        "-color_primaries": form.color_primaries,
        "-color_trc": form.color_transfer,
    }
    return [word for name, value in named.items() if value for word in (name, value)]


# -- the least Matroska -------------------------------------------------------------------------

_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


def _element(identifier: int, body: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + _size(len(body)) + body


def _size(count: int) -> bytes:
    """A length in eight bytes, which are always enough."""
    return struct.pack(">Q", count | 1 << 56)


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, struct.pack(">Q", value))


def _header(planes: Planes) -> bytes:
    """All that comes before the pictures: one uncompressed video track, times in nanoseconds."""
    fourcc = PLANAR[planes.pixel_format][0]
    video = _number(0xB0, planes.width) + _number(0xBA, planes.height) + _element(0x2EB524, fourcc)
    track = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 1)
    track += _element(0x86, b"V_UNCOMPRESSED") + _element(0xE0, video)
    ebml = _element(0x1A45DFA3, _element(0x4282, b"matroska"))
    segment = b"\x18\x53\x80\x67" + _UNKNOWN_SIZE
    return (
        ebml
        + segment
        + _element(0x1549A966, _number(0x2AD7B1, 1))
        + _element(0x1654AE6B, _element(0xAE, track))
    )


def _cluster_head(time: Fraction, picture_bytes: int) -> bytes:
    """A cluster of one picture, up to the picture itself."""
    at = _number(0xE7, round(time * 1_000_000_000))
    block = b"\xa3" + _size(picture_bytes + 4) + b"\x81\x00\x00\x80"
    return b"\x1f\x43\xb6\x75" + _size(len(at) + len(block) + picture_bytes) + at + block
