"""What goes on beside rewritten pictures: the sound, kept; the container; the check afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.asset import AudioStream, MediaInfo
from shared.errors import BackendFailed
from shared.media.ffmpeg import input_args
from shared.media.formats import MATROSKA, MOV, RESTARTED, TIMED_FROM_ZERO, FileType
from shared.media.frames import PictureFormat
from shared.media.packets import walk_packets

_IN_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le"})
_IN_MATROSKA = (
    _IN_MP4 | _PCM | {"mp2", "vorbis", "dts", "truehd", "wavpack", "tta", "wmav1", "wmav2"}
)
_SHORT = frozenset(
    {"pcm_u8", "pcm_s8", "pcm_alaw", "pcm_mulaw", "pcm_s16le_planar", "pcm_s16be_planar"}
)


def kept_codec(stream: AudioStream) -> str:
    """The codec that the stream has afterwards: its own, or PCM where no container here holds that."""
    if stream.codec in _IN_MATROSKA:
        return stream.codec
    if stream.codec.startswith(("pcm_f", "dsd")):
        return "pcm_f32le"
    whole = stream.codec.startswith("pcm_") and stream.codec not in _SHORT
    deep = (stream.bit_depth or (24 if whole else 16)) > 16
    return "pcm_s24le" if deep else "pcm_s16le"


def place_for(media: MediaInfo) -> FileType:
    """The container that takes H.264 beside the recording's own sound: the one that most players open."""
    codecs = {kept_codec(stream) for stream in media.audio}
    if codecs <= _IN_MP4:
        return FileType("video/mp4", "mp4")
    if codecs <= _IN_MP4 | _PCM:
        return FileType("video/quicktime", "mov")
    return FileType("video/x-matroska", "mkv")


@dataclass(frozen=True)
class KeptSound:
    """ffmpeg's words for keeping the sound, at its own times."""

    inputs: Sequence[str]
    streams: Sequence[str]
    clock: Sequence[str]


def kept_sound(source: Path, media: MediaInfo, first_ms: float) -> KeptSound:
    """All sound streams of the recording, copied where they can be, as input number 1.

    ``first_ms``: when the first picture is shown. That is later than the stream begins where it begins with
    pictures that nothing decodes, as a broadcast does that is cut out of the middle.
    """
    # Elsewhere ffmpeg takes each input's first time for 0, which must not move the pictures.
    timed = media.container in TIMED_FROM_ZERO
    clock = ["-copyts"] if timed else ["-itsoffset", f"{first_ms / 1000:.6f}"]
    if not media.audio:
        return KeptSound((), (), clock)
    maps = [word for stream in media.audio for word in ("-map", f"1:{stream.index}")]
    late = []
    if media.container in RESTARTED:
        late = ["-itsoffset", f"{min(stream.start_ms for stream in media.audio) / 1000:.3f}"]
    inputs = [*late, *input_args(source, media.container)]
    coded = [
        word
        for number, stream in enumerate(media.audio)
        for word in (f"-c:a:{number}", _how(stream), *_unheaded(number, stream, media))
    ]
    # ffmpeg 5 and 6 call FLAC in MP4 experimental; players have read it for years.
    return KeptSound(inputs, [*maps, *coded, "-strict", "-2"], clock)


def _how(stream: AudioStream) -> str:
    kept = kept_codec(stream)
    return "copy" if kept == stream.codec else kept


def _unheaded(number: int, stream: AudioStream, media: MediaInfo) -> list[str]:
    """The filter that takes AAC's headers (ADTS) off.

    Named here it leaves a packet out whose header reception has damaged; the one that ffmpeg puts in by
    itself ends it all.
    """
    adts = media.container == "mpegts" and stream.codec == kept_codec(stream) == "aac"
    return [f"-bsf:a:{number}", "aac_adtstoasc"] if adts else []


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
