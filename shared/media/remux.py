"""What goes on beside rewritten pictures: the sound, copied; the container; the check afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.asset import MediaInfo
from shared.errors import BackendFailed
from shared.media.ffmpeg import input_args
from shared.media.formats import MATROSKA, MOV, RESTARTED, TIMED_FROM_ZERO, FileType
from shared.media.frames import PictureFormat, first_video
from shared.media.packets import walk_packets

_IN_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
_IN_MOV = _IN_MP4 | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le", "pcm_s32le"}


def place_for(media: MediaInfo) -> FileType:
    """The container that takes H.264 beside the recording's own sound, as it is."""
    codecs = {stream.codec for stream in media.audio}
    if codecs <= _IN_MP4 and media.container != MATROSKA:
        return FileType("video/mp4", "mp4")
    if codecs <= _IN_MOV and media.container == MOV:
        return FileType("video/quicktime", "mov")
    return FileType("video/x-matroska", "mkv")


@dataclass(frozen=True)
class KeptSound:
    """ffmpeg's words for copying the sound, at its own times."""

    inputs: Sequence[str]
    streams: Sequence[str]
    clock: Sequence[str]


def kept_sound(source: Path, media: MediaInfo) -> KeptSound:
    """All sound streams of the recording, copied, as input number 1."""
    timed = media.container in TIMED_FROM_ZERO
    # Elsewhere ffmpeg takes each input's first time for 0. The pictures', whose times say how much
    # later than the recording they begin, must not be moved by that.
    late_s = 0.0 if timed else first_video(media).start_ms / 1000
    clock = ["-copyts"] if timed else ["-itsoffset", f"{late_s:.3f}"]
    if not media.audio:
        return KeptSound((), (), clock)
    maps = [word for stream in media.audio for word in ("-map", f"1:{stream.index}")]
    late = []
    if media.container in RESTARTED:
        late = ["-itsoffset", f"{min(stream.start_ms for stream in media.audio) / 1000:.3f}"]
    inputs = [*late, *input_args(source, media.container)]
    return KeptSound(inputs, [*maps, "-c:a", "copy"], clock)


def check_written(path: Path, ticks: Sequence[int], form: PictureFormat, media: MediaInfo) -> None:
    """Raise ``BackendFailed`` unless the file has every frame, and begins and ends when it should.

    ``ticks``: the time of each frame, in ``form``'s time base. Half a frame's length is tolerated
    (containers round), but 1 ms at least.
    """
    demuxer = MATROSKA if path.suffix == ".mkv" else MOV
    found = walk_packets(path, demuxer).get(0)
    if found is None or found.packets != len(ticks):
        count = found.packets if found else 0
        raise BackendFailed("ffmpeg", f"it wrote {count} of {len(ticks)} frames")
    first_s, last_s = (float(at * form.time_base) for at in (min(ticks), max(ticks)))
    allowed_s = max(0.001, (last_s - first_s) / max(1, len(ticks) - 1) / 2)
    if abs(found.start_s - first_s) > allowed_s:
        raise BackendFailed("ffmpeg", f"it begins at {found.start_s:.3f} s, not {first_s:.3f} s")
    if not last_s - allowed_s <= found.end_s:
        raise BackendFailed("ffmpeg", f"it ends at {found.end_s:.3f} s, before {last_s:.3f} s")
