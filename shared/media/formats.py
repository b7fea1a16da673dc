"""The one table of file formats that ffmpeg may open, and what each is called.

None of these demuxers opens another file or address because of what a file says; playlists,
concat scripts, SDP, subtitles, vector graphics and numbered picture sequences are missing for that
reason. (``mov`` can follow external references, but only with an option that nobody sets.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.asset import MediaInfo
from shared.errors import UnsupportedMedia

MOV = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA = "matroska,webm"


@dataclass(frozen=True)
class FileType:
    """How a file is called outside."""

    content_type: str
    extension: str


@dataclass(frozen=True)
class Format:
    """One demuxer: what its files are called with sound alone, and with pictures."""

    sound: FileType
    pictures: FileType


def _sound(content_type: str, extension: str) -> Format:
    return Format(FileType(content_type, extension), FileType(content_type, extension))


def _both(name: str, sound_extension: str, extension: str) -> Format:
    return Format(FileType(f"audio/{name}", sound_extension), FileType(f"video/{name}", extension))


ALLOWED_FORMATS: Mapping[str, Format] = {
    "wav": _sound("audio/wav", "wav"),
    "w64": _sound("audio/x-w64", "w64"),
    "aiff": _sound("audio/aiff", "aiff"),
    "caf": _sound("audio/x-caf", "caf"),
    "au": _sound("audio/basic", "au"),
    "flac": _sound("audio/flac", "flac"),
    "mp3": _sound("audio/mpeg", "mp3"),
    "aac": _sound("audio/aac", "aac"),
    "ac3": _sound("audio/ac3", "ac3"),
    "eac3": _sound("audio/eac3", "eac3"),
    "amr": _sound("audio/amr", "amr"),
    "wv": _sound("audio/x-wavpack", "wv"),
    "tta": _sound("audio/x-tta", "tta"),
    "ape": _sound("audio/x-ape", "ape"),
    "ogg": _both("ogg", "ogg", "ogv"),
    MOV: _both("mp4", "m4a", "mp4"),
    MATROSKA: _both("x-matroska", "mka", "mkv"),
    "asf": Format(FileType("audio/x-ms-wma", "wma"), FileType("video/x-ms-wmv", "wmv")),
    "avi": _both("x-msvideo", "avi", "avi"),
    "flv": _both("x-flv", "flv", "flv"),
    "mpegts": _both("mp2t", "ts", "ts"),
    "mpeg": _both("mpeg", "mpg", "mpg"),
    "mxf": _sound("application/mxf", "mxf"),
    "dv": _sound("video/x-dv", "dv"),
    "gif": _sound("image/gif", "gif"),
    "apng": _sound("image/apng", "png"),
    "png_pipe": _sound("image/png", "png"),
    "jpeg_pipe": _sound("image/jpeg", "jpg"),
    "webp_pipe": _sound("image/webp", "webp"),
    "bmp_pipe": _sound("image/bmp", "bmp"),
    "tiff_pipe": _sound("image/tiff", "tif"),
}
"""Demuxer, as ffprobe names it -> what its files are called."""

PICTURES = frozenset(name for name in ALLOWED_FORMATS if name.endswith("_pipe"))
"""Demuxers of a single still picture."""

TIMED_FROM_ZERO = frozenset({MOV, MATROSKA})
"""Whose time 0 means something: a clip may be made to start at 0.8 s. Elsewhere the first time
stamp is an accident of encoding or broadcasting, and the recording starts with it."""

STAMPED = TIMED_FROM_ZERO | {"ogg", "asf", "avi", "flv", "mpegts", "mpeg", "mxf", "dv"}
"""Whose packets carry time stamps. Elsewhere ffmpeg counts them itself, by the first packet's sample
rate: where that changes, the stamps are wrong and the samples alone count."""

RESTARTED = frozenset({"mpegts", "mpeg", "ogg"})
"""Whose clock ffmpeg sets to 0 at the first packet of those streams alone that are decoded: how much
later than the recording these begin must be added again."""

FROM_FIRST = STAMPED - TIMED_FROM_ZERO - RESTARTED
"""Whose recordings begin with their first time stamp, whatever that is: of a stream that somebody joined
late, or of pictures that were stored in another order."""

GAPLESS = frozenset({"avi"})
"""Whose sound cannot pause: its stamps are counted from bytes, by a header that is wrong at times (DTS)."""

UNDATED = frozenset({"avi", "mxf"})
"""Where the packets of reordered pictures (B-frames) may have decoding times alone. What ffmpeg decodes is
then stamped late by as many frames as the decoder keeps back (AVI), or with another picture's time."""

COUNTED = frozenset({"mxf"})
"""Whose pictures all last one edit unit: where they are undated, their order tells their times."""

_BRANDS: tuple[tuple[str, bytes, FileType], ...] = (
    (MOV, b"ftypqt", FileType("video/quicktime", "mov")),
    (MATROSKA, b"webm", FileType("video/webm", "webm")),
)
BRAND_BYTES = 64
"""So much of a file's beginning tells its brand."""

MACBINARY_BYTES = 128
"""The head that old Macintoshes put before a file."""


def format_of(demuxer: str) -> Format:
    """The row; raises ``UnsupportedMedia`` for a demuxer that is not in the table."""
    if demuxer not in ALLOWED_FORMATS:
        raise UnsupportedMedia(f"files of the format {demuxer!r} are not accepted")
    return ALLOWED_FORMATS[demuxer]


def file_type(media: MediaInfo, head: bytes) -> FileType:
    """Content type and extension by what is in the file; ``head``: its first ``BRAND_BYTES``."""
    known = format_of(media.container)
    if not media.has_video:
        return known.sound
    for demuxer, brand, branded in _BRANDS:
        if media.container == demuxer and brand in head:
            return branded
    return known.pictures


def holds_midi(head: bytes) -> bool:
    """Is it a MIDI file: bare, in RIFF (RMID), or behind a MacBinary head? ``head``: 132 bytes or more."""
    if head.startswith(b"RIFF"):
        return head[8:12] == b"RMID"
    behind = head[MACBINARY_BYTES : MACBINARY_BYTES + 4]
    return head.startswith(b"MThd") or (head[:1] == b"\0" and behind == b"MThd")
