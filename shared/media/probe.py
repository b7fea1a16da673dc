"""What a file is, decided by decoding it: headers lie, and so does ffprobe's exit code.

    read the header      ffprobe under a list of demuxers; it sees a name that says nothing
    walk the packets     durations and time stamps that the header claims, and whether they are there
    decode a beginning   30 s of each sound stream, one frame of each picture: is it a recording?

Truncated and damaged recordings are accepted with what is there.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.contracts.asset import AudioStream, MediaInfo, VideoStream
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.ffmpeg import input_args, run, timeout_for
from shared.media.formats import (
    ALLOWED_FORMATS,
    GAPLESS,
    MATROSKA,
    PICTURES,
    TIMED_FROM_ZERO,
    UNDATED,
)
from shared.media.left_behind import left_behind
from shared.media.looks import Candidate, films, key_frames, notices, shown, still_orientation
from shared.media.packets import StreamTimes, walk_packets
from shared.media.refusals import cut_off, explained, falls_short, refuse_unreadable
from shared.media.sound_probe import Listening
from shared.media.timecode_track import numbered_timecode
from shared.media.told_lengths import told_lengths

MAX_STREAMS = 32
MAX_DURATION_S = 48 * 3600
HEADER_TIMEOUT_S = 10.0
_HEADER_TOLERANCE_S, _MOST_TOLERANCE_S = 0.25, 2.0
"""A header's duration is believed, for it is more exact, where packets agree within this, or within one of
them: how long the last one lasts stands in no Matroska file (WavPack's last half, TTA's last second)."""
_LEAST_PACKET, _MOST_PACKET = 1 << 12, 1 << 20
_TIMECODE = re.compile(r"\d\d:\d\d:\d\d[:;.,]\d{2,3}")
_KEPT_TAGS = (
    *("title", "artist", "album", "date", "genre", "track", "copyright", "comment"),
    *("encoded_by", "creation_time"),
)
_MOST_SIGNS = 256
"""Of a tag: a Broadcast Wave's description has no more."""
_SAMPLES = re.compile(r"\d{1,12}")

Header = Mapping[str, Any]


def probe(path: Path) -> MediaInfo:
    """Read, walk and decode; streams that cannot be decoded are not listed.

    Raises ``UnsupportedMedia``, saying why, for what is not a recording or picture, ``TimedOut`` and
    ``MissingDependency``.
    """
    if not path.is_file() or not path.stat().st_size:
        raise UnsupportedMedia("the file is empty" if path.is_file() else "it is not a file")
    refuse_unreadable(path)
    header = _read_header(path)
    demuxer = header["format"]["format_name"]
    told = told_lengths(path, header)
    times = walk_packets(path, demuxer, _packet_bytes(header), told.junk_bytes)
    begins_s = 0.0 if demuxer in TIMED_FROM_ZERO else _number(header["format"].get("start_time"))
    probing = _Probing(path, demuxer, times, begins_s or 0.0)
    streams = header["streams"]
    _correct(times, demuxer, [s for s in streams if s.get("codec_type") == "audio"])
    listening = Listening(path, demuxer, told, times, probing.begins_s, probing.failures)
    audio = [listening.audio(s) for s in streams if s.get("codec_type") == "audio"]
    kept_video, thumbnails = films(probing.candidates(streams))
    if not any([*audio, *kept_video]):
        raise UnsupportedMedia(explained(path) or probing.why_not())
    kept_audio = tuple(stream for stream in audio if stream)
    kept = [stream.index for stream in kept_audio] + [stream.index for stream in kept_video]
    duration_ms = probing.duration_ms(header, kept, counted=listening.counted)
    promised_s = None if listening.joined else _number(header["format"].get("duration"))
    missing = cut_off(path) or falls_short(demuxer, promised_s, duration_ms)
    missing = missing or left_behind(path)
    return MediaInfo(
        container=demuxer,
        duration_ms=duration_ms,
        audio=kept_audio,
        video=kept_video,
        cover_art=thumbnails or any(_is_cover(stream) for stream in streams),
        subtitles=sum(stream.get("codec_type") == "subtitle" for stream in streams),
        timecode=_timecode(header, kept_video, path),
        time_reference=_time_reference(header),
        tags=tuple(_tags(header)),
        notices=(
            *((missing,) if missing else ()),
            *_late([*kept_audio, *kept_video]),
            *(kept_video[0].notices if kept_video else ()),
        ),
        sound=listening.chosen(kept_audio),
    )


def _correct(times: Mapping[int, StreamTimes], demuxer: str, sound: Sequence[Header]) -> None:
    """Where what a sound's packets or the header say of its end is known to be another's."""
    for stream in sound:
        walked = times.get(stream["index"])
        if walked is None:
            continue
        if demuxer in GAPLESS:
            walked.follow_each_other()
        # A header's length of Opus counts what the decoder needs before the sound (RFC 7845, 4.2).
        if stream.get("codec_name") == "opus" and demuxer in (MATROSKA, "ogg"):
            walked.end_exactly(int(stream["sample_rate"]))


_LATE_MS = 5000
"""A clip may be made to begin a moment later; a clock that stands so late ran before the recording did."""


def _late(streams: Sequence[AudioStream | VideoStream]) -> Iterator[str]:
    """What to tell where nothing is heard or seen for long."""
    first_ms = min(stream.start_ms for stream in streams)
    if first_ms >= _LATE_MS:
        yield (
            f"its clock stands at {first_ms / 1000:,.1f} s where it begins, and so long nothing is heard or "
            "seen: if that is a stream's running clock, write the file anew without it"
        )


class _Probing:
    """One file's streams, each judged by decoding."""

    def __init__(
        self, path: Path, demuxer: str, times: Mapping[int, StreamTimes], begins_s: float
    ) -> None:
        self.path = path
        self.demuxer = demuxer
        self.times = times
        self.begins_s = begins_s
        self.failures: list[str] = []

    def candidates(self, streams: Sequence[Header]) -> list[Candidate]:
        """The video streams that can be decoded, covers apart."""
        seen = [(self.video(stream), stream) for stream in streams if _is_moving(stream)]
        return [
            Candidate(video, stream, self.times.get(video.index, StreamTimes()).packets)
            for video, stream in seen
            if video
        ]

    def video(self, stream: Header) -> VideoStream | None:
        """The stream, or ``None`` where no frame of it can be decoded."""
        codec = stream.get("codec_name", "unknown")
        looks = key_frames(self.path, self.demuxer, stream["index"], codec)
        if not looks and not self._shows_a_frame(stream["index"]):
            return None
        still = self.demuxer in PICTURES
        if still and all(look.orientation is None for look in looks):
            said = still_orientation(self.path)
            looks = [replace(look, orientation=said) for look in looks]
        seen = shown(stream, looks)
        times = self.times.get(stream["index"], StreamTimes())
        return VideoStream(
            index=stream["index"],
            codec=codec,
            width=seen.width,
            height=seen.height,
            rotation_deg=seen.orientation[0],
            mirrored=seen.orientation[1],
            frame_rate=None if still else _frame_rate(stream, times),
            frame_rate_kind="unknown" if still else times.frame_rate_kind(),
            start_ms=self._start_ms(stream),
            duration_ms=None if still else self._stream_duration_ms(stream),
            undated=self.demuxer in UNDATED and _reordered(stream) and not times.dated,
            pixel_format=stream.get("pix_fmt"),
            color_transfer=stream.get("color_transfer"),
            interlaced=stream.get("field_order") in ("tt", "bb", "tb", "bt"),
            pixel_aspect=f"{seen.aspect.numerator}:{seen.aspect.denominator}",
            other_sizes=tuple(size[:2] for size in seen.others),
            orientation_changes=seen.orientation_changes,
            notices=notices(seen, stream),
        )

    def duration_ms(self, header: Header, kept: list[int], *, counted: bool) -> int | None:
        """To the end of the last stream; the header's where its packets bear it out.

        ``counted``: sound was listened to from end to end, for its header or time stamps mislead.
        Packets that an edit list hides count for that, sound and picture that nobody can decode, and
        subtitles, don't.
        """
        if self.demuxer in PICTURES:
            return None
        walked = [self.times[index] for index in kept if index in self.times]
        ends_s = max((times.end_s for times in walked), default=0.0) - self.begins_s
        span_s = max((times.end_s - times.hidden_start_s for times in walked), default=0.0)
        if ends_s > MAX_DURATION_S:
            raise UnsupportedMedia(
                f"its time stamps go beyond {MAX_DURATION_S // 3600} hours: cut it into shorter files"
            )
        claimed_s = _number(header["format"].get("duration"))
        exact = bool(walked) and max(walked, key=lambda times: times.end_s).exact
        spacing_s = max((times.spacing_s for times in walked), default=0.0)
        within_s = max(_HEADER_TOLERANCE_S, min(1.01 * spacing_s, _MOST_TOLERANCE_S))
        if (
            claimed_s is not None
            and not counted
            and not exact
            and any(abs(claimed_s - other) <= within_s for other in (ends_s, span_s))
        ):
            return _ms(claimed_s)
        return _ms(ends_s)

    def why_not(self) -> str:
        """Why there is nothing to list."""
        if not self.failures:
            return "there is neither sound nor picture in it"
        return f"nothing in it can be decoded ({self.failures[0]})"

    def _shows_a_frame(self, index: int) -> bool:
        small = ["-frames:v", "1", "-vf", "scale=16:16", "-pix_fmt", "gray", "-f", "rawvideo"]
        args = [*input_args(self.path, self.demuxer), "-map", f"0:{index}", *small, "pipe:1"]
        try:
            if run(args, timeout_s=timeout_for(0)).stdout:
                return True
            self.failures.append("no picture comes out of it")
        except BackendFailed as error:
            self.failures.append(error.message)
        return False

    def _start_ms(self, stream: Header) -> int:
        start_s = _number(stream.get("start_time"))
        return 0 if start_s is None else max(0, _ms(start_s - self.begins_s))

    def _stream_duration_ms(self, stream: Header) -> int | None:
        claimed_s = _number(stream.get("duration"))
        times = self.times.get(stream["index"])
        if times is None:
            return None
        walked_s = times.end_s - max(times.start_s, self.begins_s)
        believed = claimed_s is not None and _agree(claimed_s, walked_s)
        return _ms(claimed_s if believed and claimed_s is not None else walked_s)


def _read_header(path: Path) -> Header:
    # Through a descriptor, so that the name (an extension, %03d) has no say in what the file is.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        printed = run(
            [
                *("-protocol_whitelist", "file"),
                *("-format_whitelist", ",".join(ALLOWED_FORMATS)),
                *("-show_format", "-show_streams", "-of", "json"),
                *("-i", f"file:/dev/fd/{descriptor}"),
            ],
            tool="ffprobe",
            timeout_s=HEADER_TIMEOUT_S,
            pass_fds=(descriptor,),
        )
    except BackendFailed as error:
        last_words = error.fields["details"]["stderr_tail"]
        raise UnsupportedMedia(explained(path) or _refusal(last_words)) from None
    finally:
        os.close(descriptor)
    return _checked_header(printed.stdout)


def _checked_header(printed: bytes) -> Header:
    """ffprobe's JSON, or ``UnsupportedMedia``: it exits with 0 and half an object now and then."""
    try:
        header: Header = json.loads(printed)
        demuxer, streams = header["format"]["format_name"], header["streams"]
    except (ValueError, KeyError, TypeError):
        raise UnsupportedMedia("its header cannot be read") from None
    if demuxer not in ALLOWED_FORMATS:
        raise UnsupportedMedia(f"files of the format {demuxer!r} are not accepted")
    if len(streams) > MAX_STREAMS:
        raise UnsupportedMedia(
            f"it has {len(streams)} streams, more than {MAX_STREAMS}: export it with those that are wanted"
        )
    return header


def _packet_bytes(header: Header) -> int | None:
    """A tenth of a second of a WAV's plain samples: an hour of them in packets of 4096 bytes is 155,000.

    ``None`` leaves it to the demuxer.
    """
    streams = header["streams"]
    if header["format"]["format_name"] != "wav" or len(streams) != 1:
        return None
    told = [streams[0].get(name) for name in ("sample_rate", "channels", "bits_per_sample")]
    if not str(streams[0].get("codec_name")).startswith("pcm_") or not all(told):
        return None
    rate_hz, channels, bits = map(int, told)
    return min(max(rate_hz * channels * bits // 80, _LEAST_PACKET), _MOST_PACKET)


def _refusal(last_words: str) -> str:
    refused = re.search(r"\[(\S+)\] Format not on whitelist", last_words)
    if refused:
        return f"it is no recording but {refused[1]!r}, a format that is not accepted"
    return "it is no recording that ffmpeg knows, or damaged where it begins: export it again"


def _timecode(header: Header, films: Sequence[VideoStream], path: Path) -> str | None:
    """The picture's own one, or else the file's only one (a ``tmcd`` track, an MXF package)."""
    told = {
        source.get("index"): str(value)
        for source in (*header["streams"], header["format"])
        for name, value in source.get("tags", {}).items()
        if name.lower() == "timecode"
    }
    tracks = [one for one in header["streams"] if one.get("codec_tag_string") == "tmcd"]
    if not told and tracks:
        return numbered_timecode(path, header["format"]["format_name"], tracks[0])
    own = told.get(films[0].index) if films else None
    others = set(told.values())
    found = own or (others.pop() if len(others) == 1 else "")
    return found if _TIMECODE.fullmatch(found) else None


def _tags(header: Header) -> Iterator[tuple[str, str]]:
    """The file's own or, in Ogg, its first sound stream's."""
    sounds = [one for one in header["streams"] if one.get("codec_type") == "audio"]
    told = {
        name.lower(): str(value)
        for source in (*sounds[:1], header["format"])
        for name, value in source.get("tags", {}).items()
    }
    for name in _KEPT_TAGS:
        text = " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", told.get(name, "")).split())
        if text:
            yield name, text[:_MOST_SIGNS]


def _time_reference(header: Header) -> int | None:
    found = str(header["format"].get("tags", {}).get("time_reference", ""))
    return int(found) if _SAMPLES.fullmatch(found) and int(found) else None


def _is_cover(stream: Header) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _is_moving(stream: Header) -> bool:
    return stream.get("codec_type") == "video" and not _is_cover(stream)


def _reordered(stream: Header) -> bool:
    return bool(stream.get("has_b_frames"))


def _frame_rate(stream: Header, times: StreamTimes) -> float | None:
    over, _, under = str(stream.get("avg_frame_rate", "0/0")).partition("/")
    if over.isdigit() and under.isdigit() and int(over) and int(under):
        return round(int(over) / int(under), 3)
    return times.frames_per_second()


def _number(value: object) -> float | None:
    """ffprobe's number as text; ``None`` for ``N/A`` and what is missing."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _agree(one_s: float, other_s: float) -> bool:
    return abs(one_s - other_s) <= _HEADER_TOLERANCE_S


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
