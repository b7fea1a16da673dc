"""The asset: a recording, known by its bytes; and what probing found in it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from pydantic import ConfigDict

from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.errors import ValidationError

PATTERN_CONTAINERS = ("pattern", "midi")


class AudioStream(Model):
    """One sound stream. Times are of presentation."""

    model_config = ConfigDict(frozen=True)

    index: int
    """The stream's number in its container, as ffmpeg counts."""
    codec: str
    sample_rate_hz: int
    channels: int
    channel_layout: str | None = None
    """ffmpeg's name of it; ``None``: the file names none, and the channels are equals."""
    bit_depth: int | None = None
    decoder: str | None = None
    """What must decode it where its header misleads ffmpeg (see ``shared.media.wav_headers``)."""
    language: str | None = None
    """As the file says it: ``eng``."""
    title: str | None = None
    default: bool = False
    """The file's author marked it as the one to play."""
    aside: bool = False
    """It is marked as a comment, or made for people who hear or see badly: not the programme."""
    frames: int | None = None
    """How many samples of each channel are played, where the file says so exactly."""
    lead_samples: int = 0
    """So many samples come before the first that is meant, though its time stamps count them (iTunSMPB)."""
    clock_ms: int = 0
    """What its file's clock says where the recording begins, if time stamps count from there (FLV, ASF)."""
    junk_bytes: int = 0
    """So many bytes lie before its first header, which ffmpeg then does not find."""
    start_ms: int = 0
    duration_ms: int | None = None
    peak_dbfs: float | None = None
    """The highest sample of the part that probing decoded; ``None`` for digital silence."""
    silent: bool = False
    """Nothing in the part that probing decoded rises above -60 dBFS, a constant offset aside."""
    channel_peaks_dbfs: tuple[float | None, ...] = ()
    """Each channel's, in the part that probing decoded, a constant offset aside."""
    offsets: tuple[float, ...] = ()
    """What each channel's samples stand on from end to end (DC), full scale 1: decoding takes it away.
    Empty: on nothing."""

    @property
    def offset_notices(self) -> tuple[str, ...]:
        """What is taken away, in words."""
        told = [f"{offset:+.4f} (channel {place})" for place, offset in enumerate(self.offsets, 1)]
        if not told:
            return ()
        return (f"taken away: a constant offset (DC) of {', '.join(told)} of full scale",)


class HeardSound(Model):
    """What of a recording's sound every step works on, and why; see ``shared.media.streams``."""

    model_config = ConfigDict(frozen=True)

    streams: tuple[int, ...]
    """Places in ``MediaInfo.audio``. Several: mono tracks of one camera, mixed to one channel."""
    sample_rate_hz: int
    channels: int
    channel_layout: str | None = None
    mono_channels: tuple[int, ...] = ()
    """Which channels are mixed, evenly, where one is wanted: those that sound and do not cancel
    each other. Empty: all but what the layout names as LFE."""
    notices: tuple[str, ...] = ()
    """What was taken and what was left out, in words, where there was a choice."""

    def to_meta(self) -> dict[str, Any]:
        """For an artifact's meta."""
        return {
            "streams": list(self.streams),
            "channels": self.channels,
            "channel_layout": self.channel_layout,
            "mono_channels": list(self.mono_channels),
            "notices": list(self.notices),
        }


class VideoStream(Model):
    """One moving picture, upright: ``width`` and ``height`` after rotation."""

    model_config = ConfigDict(frozen=True)

    index: int
    codec: str
    width: int
    height: int
    rotation_deg: int = 0
    """Clockwise, 0, 90, 180 or 270: what a player does to show it upright."""
    mirrored: bool = False
    """The display matrix also flips left and right."""
    frame_rate: float | None = None
    """Frames a second, on average."""
    frame_rate_kind: Literal["constant", "variable", "unknown"] = "unknown"
    start_ms: int = 0
    duration_ms: int | None = None
    undated: bool = False
    """Its pictures are stored in another order than they are shown in, and the file gives decoding times
    alone (AVI, MXF): the first picture that is shown belongs to the first of these."""
    pixel_format: str | None = None
    color_transfer: str | None = None
    interlaced: bool = False
    pixel_aspect: str = "1:1"
    """Width by height of one pixel of the upright picture."""
    other_sizes: tuple[tuple[int, int], ...] = ()
    """Upright sizes that parts of it have; their pictures are fitted into ``width`` by ``height``."""
    orientation_changes: bool = False
    """Parts of it say another orientation than its beginning, which all of it is shown in."""
    notices: tuple[str, ...] = ()
    """What is odd about it, and what was made of that, in words."""

    @property
    def pixel_shape(self) -> Fraction:
        """Width by height of one pixel."""
        return Fraction(*map(int, self.pixel_aspect.split(":")))

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in square pixels, none of them fewer than are stored.

        Pixels that are square but for a percent are taken for it: scaling would only blur.
        """
        shape = float(self.pixel_shape)
        shape = 1.0 if abs(shape - 1) < 0.01 else shape
        return round(self.width * max(shape, 1.0)), round(self.height / min(shape, 1.0))


class MediaInfo(Model):
    """What probing read from a file's header and its first decoded blocks."""

    model_config = ConfigDict(frozen=True)

    container: str
    """The demuxer's name: ``wav``, ``flac``, ``mov,mp4,m4a,3gp,3g2,mj2``; or one of
    ``PATTERN_CONTAINERS``."""
    duration_ms: int | None
    audio: tuple[AudioStream, ...] = ()
    video: tuple[VideoStream, ...] = ()
    cover_art: bool = False
    """A picture is attached that is not moving video."""
    subtitles: int = 0
    """How many subtitle streams there are."""
    timecode: str | None = None
    """Of the first picture, as the camera wrote it: ``10:00:00:00``, with ``;`` for drop frame."""
    time_reference: int | None = None
    """How many samples after midnight the first one is, as the recorder wrote it (EBU Tech 3285)."""
    tags: tuple[tuple[str, str], ...] = ()
    """What the file says of itself, by ffmpeg's names: ``title``, ``artist``, ``comment`` (a Broadcast Wave's
    description), ``encoded_by`` (its originator), ..."""
    notices: tuple[str, ...] = ()
    """What is wrong with the file as a whole, in words: that it is cut off."""
    sound: HeardSound | None = None
    """The sound that is worked on; ``None`` where nobody chose: see ``heard``."""

    @property
    def is_pattern(self) -> bool:
        """Is it no recording, but a tracker pattern or MIDI file to be performed?"""
        return self.container in PATTERN_CONTAINERS

    @property
    def has_audio(self) -> bool:
        """Is there sound?"""
        return bool(self.audio)

    @property
    def every_notice(self) -> tuple[str, ...]:
        """What there is to tell of the file as a whole and of its sound."""
        return (*self.notices, *(self.sound.notices if self.sound else ()))

    @property
    def heard(self) -> HeardSound:
        """The sound that is worked on; there must be some. Where nobody chose, the first stream."""
        return self.sound or self._alone(0)

    def with_stream(self, stream: int) -> MediaInfo:
        """The same, with the ``stream``-th sound stream (from 0) worked on, whatever was chosen.

        Raises ``ValidationError`` where there is no such stream.
        """
        if not 0 <= stream < len(self.audio):
            raise ValidationError(
                "stream", f"no sound stream {stream}: there are {len(self.audio)}, from 0 on"
            )
        if self.sound is not None and self.sound.streams == (stream,):
            return self
        return self.model_copy(update={"sound": self._alone(stream)})

    def _alone(self, stream: int) -> HeardSound:
        chosen = self.audio[stream]
        said = (f"sound stream {stream} was asked for",) if self.sound is not None else ()
        return HeardSound(
            streams=(stream,),
            sample_rate_hz=chosen.sample_rate_hz,
            channels=chosen.channels,
            channel_layout=chosen.channel_layout,
            notices=(*said, *chosen.offset_notices),
        )

    @property
    def has_video(self) -> bool:
        """Is there a moving picture (cover art is none)?"""
        return bool(self.video)


class Probed(Model):
    """What probing says of a file."""

    model_config = ConfigDict(frozen=True)

    media: MediaInfo
    content_type: str
    extension: str


MOST_SOURCES = 20
"""So many uploads of the same bytes stand in the asset itself: a document has its limits."""


class Source(Model):
    """Where an asset's bytes were uploaded."""

    model_config = ConfigDict(frozen=True)

    key: str
    generation: int
    name: str
    """The file's name as people know it."""


class Asset(Model):
    """A recording of one tenant and env. Its id derives from its bytes."""

    model_config = ConfigDict(frozen=True)

    asset_id: Name
    tenant_id: Name
    env: Name
    sha256: str
    bytes: int
    content_type: str
    key: str
    """The asset's own copy in the bucket, which outlives the uploads."""
    media: MediaInfo
    sources: tuple[Source, ...] = ()
    """The first ``MOST_SOURCES`` uploads of these bytes. All have documents below the asset's."""
    erasing: bool = False
    """It is being erased: nobody begins on it any more."""
    erased_by: Name | None = None
    """The run of its erasure."""

    @property
    def file_name(self) -> str | None:
        """Its file's name as first uploaded; ``None`` where no upload of it is told."""
        return next((source.name for source in self.sources), None)
