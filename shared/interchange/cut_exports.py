"""An edit list for other programs: what it leaves of a recording, as clips of it.

OpenTimelineIO   Resolve, Kdenlive (25.04 and later) and others read it; sound alone exact to the sample
FCP7 XML         Premiere, Resolve; see ``fcp7``
FCPXML 1.11      Final Cut Pro, Resolve
EDL              nearly all
labels           Audacity: what was found, in the recording's own time

Programs that show pictures count in frames: there the joins lie on the nearest ones, counted from the
beginning, so that they never drift. Source times are those of the media's own clock, where a camera or
a recorder has written one: programs find media by it, and refuse what lies outside of it. Bleeps and
mutes are not in these lists, nor are crossfades.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any
from xml.etree import ElementTree

from shared.contracts.asset import MediaInfo
from shared.contracts.edit_list import EditList, sample_at
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_parts import AudioClip, Marker, Track
from shared.editing.time_map import time_map
from shared.interchange.edl import to_edl
from shared.interchange.media_clock import begins_at
from shared.interchange.otio_clips import otio_library
from shared.interchange.timecode import DROPPED_IN, FRAME_RATES, Frames

_SOUND_ALONE_FPS = 25
_ID = "recording"


@dataclass(frozen=True)
class CutMedia:
    """The recording that is cut."""

    name: str
    """Its file's name."""
    url: str
    """``file:///...``"""
    media: MediaInfo

    @property
    def frames(self) -> Frames:
        """Of its picture, the nearest rate that has a timecode; 25 a second for sound alone."""
        if not self.media.video:
            return Frames(_SOUND_ALONE_FPS)
        rate = self.media.video[0].frame_rate or _SOUND_ALONE_FPS
        name = min(FRAME_RATES, key=lambda name: abs(name - float(rate)))
        return Frames(name, drop=name in DROPPED_IN and ";" in (self.media.timecode or ""))

    def begins(self, rate: Fraction) -> int:
        """Where its own clock stands at its beginning, in units of ``rate`` a second; without one, 0."""
        return begins_at(self.media, self.frames, rate)


@dataclass(frozen=True)
class Event:
    """A clip, in units of one rate: ``length`` of them from ``start`` on, played at ``speed``."""

    source: int
    start: int
    length: int
    """As it is played."""
    speed: float


def events_of(edits: EditList, rate: Fraction) -> Iterator[Event]:
    """The keeps in whole units of ``rate`` a second; those shorter than half a unit are left out.

    Where rounding would put one's end behind the recording's, it is moved by a unit: programs refuse, or
    show as missing, what its media does not hold.
    """
    both = time_map(edits)
    scale = rate / edits.sample_rate_hz
    whole = round(edits.samples * scale)
    for piece in both.pieces:
        start, end = round(piece.new_start * scale), round(piece.new_end * scale)
        if start < end:
            last = whole - ceil((end - start) * Fraction(piece.speed))
            yield Event(
                max(0, min(round(piece.start * scale), last)), start, end - start, piece.speed
            )


def cut_to_otio(edits: EditList, media: CutMedia) -> str:
    """As ``.otio`` JSON. Sound alone is exact to the sample; raises ``MissingDependency``."""
    otio = otio_library()
    if media.media.has_video:
        return str(otio.adapters.write_to_string(_framed(otio, edits, media), "otio_json"))
    timeline = otio.schema.Timeline(media.name)
    rate = Fraction(edits.sample_rate_hz)
    timeline.tracks.append(_track(otio, "Audio", edits, media, rate))
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def _framed(otio: Any, edits: EditList, media: CutMedia) -> Any:
    rate = media.frames.rate
    start = otio.opentime.RationalTime(0, float(rate))
    timeline = otio.schema.Timeline(media.name, global_start_time=start)
    kinds = [
        kind
        for kind, there in (("Video", media.media.has_video), ("Audio", media.media.has_audio))
        if there
    ]
    for kind in kinds:
        timeline.tracks.append(_track(otio, kind, edits, media, rate))
    return timeline


def _track(otio: Any, kind: str, edits: EditList, media: CutMedia, rate: Fraction) -> Any:
    def window(start: int, length: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, float(rate)), time(length, float(rate)))

    whole, begins = round(edits.samples * rate / edits.sample_rate_hz), media.begins(rate)
    track = otio.schema.Track(kind, kind=kind)
    for event in events_of(edits, rate):
        available = window(begins, max(whole, event.source + round(event.length * event.speed)))
        reference = otio.schema.ExternalReference(media.url, available)
        reference.name = media.name
        clip = otio.schema.Clip(media.name, reference, window(begins + event.source, event.length))
        if event.speed != 1:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=event.speed))
        track.append(clip)
    return track


def cut_to_edl(edits: EditList, media: CutMedia, chapters: Sequence[Marker] = ()) -> str:
    """As an EDL; ``chapters`` are of the cut's own time."""
    clips = tuple(
        AudioClip(
            name=media.name,
            asset_id=_ID,
            source_start_ms=keep.start_ms,
            source_end_ms=keep.end_ms,
            start_ms=keep.new_start_ms,
            speed=keep.speed,
        )
        for keep in edits.keeps
    )
    timeline = Timeline(
        name=media.name, tracks=(Track(track_id="cut", clips=clips),), markers=tuple(chapters)
    )
    frames = media.frames
    text = to_edl(
        timeline,
        {_ID: edits.duration_ms},
        f"{frames.name:g}{'df' if frames.drop else ''}",
        pictures=media.media.has_video,
        begins={_ID: media.begins(frames.rate)},
    )
    return text.replace(f"* SOURCE FILE: {_ID}\n", f"* SOURCE FILE: {media.name}\n")


def cut_to_fcpxml(edits: EditList, media: CutMedia, chapters: Sequence[Marker] = ()) -> str:
    """As FCPXML 1.11: developer.apple.com/documentation/professional-video-applications/fcpxml-reference.

    ``chapters`` are of the cut's own time.
    """
    rate = media.frames.rate
    found = media.media
    root = ElementTree.Element("fcpxml", version="1.11")
    resources = ElementTree.SubElement(root, "resources")
    shape = {"frameDuration": _time(1 / rate)}
    if found.video:
        seen = found.video[0]
        shape |= {"width": str(seen.width), "height": str(seen.height)}
        pixel = seen.pixel_shape
        if pixel != 1:
            shape |= {"paspH": str(pixel.numerator), "paspV": str(pixel.denominator)}
    ElementTree.SubElement(resources, "format", {"id": "r1", **shape})
    whole = round(edits.samples * rate / edits.sample_rate_hz)
    begins = _time(media.begins(rate) / rate)
    asset = {"id": "r2", "name": media.name, "start": begins, "duration": _time(whole / rate)}
    if found.has_video:
        asset |= {"hasVideo": "1", "format": "r1"}
    if found.has_audio:
        channels, hz = found.heard.channels, found.heard.sample_rate_hz
        sound = {"audioSources": "1", "audioChannels": str(channels), "audioRate": str(hz)}
        asset |= {"hasAudio": "1", **sound}
    told = ElementTree.SubElement(resources, "asset", asset)
    ElementTree.SubElement(told, "media-rep", kind="original-media", src=media.url)
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="Rushes")
    project = ElementTree.SubElement(event, "project", name=media.name)
    events = list(events_of(edits, rate))
    length = events[-1].start + events[-1].length if events else 0
    about = {"format": "r1", "duration": _time(length / rate), "tcStart": "0s", "tcFormat": "NDF"}
    spine = ElementTree.SubElement(ElementTree.SubElement(project, "sequence", about), "spine")
    for one in events:
        _add_clip(spine, one, media, rate, [at for at in chapters if _lies_in(at, one, rate)])
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{text}\n'


def _add_clip(
    spine: Any, event: Event, media: CutMedia, rate: Fraction, chapters: Sequence[Marker]
) -> None:
    speed = Fraction(event.speed).limit_denominator(10_000)
    # A clip's own time is the media's, divided by its speed.
    source = media.begins(rate) + event.source
    start = source / speed
    about = {"ref": "r2", "name": media.name, "offset": _time(event.start / rate)}
    about |= {"start": _time(start / rate), "duration": _time(event.length / rate)}
    clip = ElementTree.SubElement(spine, "asset-clip", about)
    if speed != 1:
        shown = ElementTree.SubElement(clip, "timeMap")
        last = source + event.length * speed
        for time, value in ((Fraction(0), Fraction(0)), (last / speed, Fraction(last))):
            point = {"time": _time(time / rate), "value": _time(value / rate), "interp": "linear"}
            ElementTree.SubElement(shown, "timept", point)
    for marker in chapters:
        at = start + Fraction(round(Fraction(marker.time_ms) * rate / 1000) - event.start)
        about = {"start": _time(at / rate), "duration": _time(1 / rate), "value": marker.name}
        ElementTree.SubElement(clip, "chapter-marker", about)


def _lies_in(marker: Marker, event: Event, rate: Fraction) -> bool:
    frame = round(Fraction(marker.time_ms) * rate / 1000)
    return event.start <= frame < event.start + event.length


def _time(seconds: Fraction) -> str:
    """As FCPXML spells it: ``1001/30000s``."""
    whole = Fraction(seconds)
    if whole.denominator == 1:
        return f"{whole.numerator}s"
    return f"{whole.numerator}/{whole.denominator}s"


def edit_labels(edits: EditList) -> str:
    """The edits as Audacity's label track: start, end, what is done and why; proposals with a mark."""
    rate = edits.sample_rate_hz
    lines = []
    for edit in edits.edits:
        times = (sample_at(ms, rate) / rate for ms in (edit.start_ms, edit.end_ms))
        said = f" {edit.text}" if edit.text else ""
        mark = "(not done) " if edit.taken_back else ""
        label = f"{mark}{edit.action} {edit.reason}{said}"
        lines.append("\t".join([*(f"{at:.6f}" for at in times), " ".join(label.split())]))
    return "".join(f"{line}\n" for line in lines)


def chapter_lines(chapters: Sequence[Marker]) -> str:
    """``00:01:30 Title``, a line each, as players' descriptions take them."""
    lines = []
    for marker in chapters:
        seconds = int(marker.time_ms // 1000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        lines.append(f"{clock} {' '.join(marker.name.split())}\n")
    return "".join(lines)
