"""An edit list as Final Cut Pro 7's XML, which Premiere and Resolve read.

    sequence   media   video   format, one track                     clipitem: in, out, file, links
                       audio   a track for each channel it works on  clipitem: ..., sourcetrack

Elements are those of Apple's "Final Cut Pro XML Interchange Format". A clip item plays one channel of its
file, the ``sourcetrack``, so stereo is two tracks; Premiere takes them for one where their attributes say so.
The items of one cut name each other in ``link``: what is not linked drifts apart when it is moved. Of a clip
that is played at another speed ``in`` and ``out`` count its own frames, as Premiere writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from shared.contracts.edit_list import EditList
from shared.interchange.cut_exports import CutMedia, Event, events_of
from shared.interchange.timecode import Frames

_STEREO = 2
_SD = ("NTSC-601", "PAL-601")
_PIXELS = {
    **{(1440, 1080): "HD-(1440x1080)", (1280, 1080): "HD-(1280x1080)", (960, 720): "HD-(960x720)"},
    **{(720, 480): "NTSC-601", (720, 486): "NTSC-601", (720, 576): "PAL-601"},
}
"""What pixels that are not square are called, by the picture's stored size."""
_WIDE = Fraction(3, 2)
"""Between 4:3 and 16:9."""
Element = ElementTree.Element


def cut_to_fcp7(edits: EditList, media: CutMedia) -> str:
    """The XML's text."""
    return _Writer(edits, media).text()


class _Writer:
    def __init__(self, edits: EditList, media: CutMedia) -> None:
        self._media = media
        self._rate = media.frames.rate
        self._events = list(events_of(edits, self._rate))
        self._whole = round(edits.samples * self._rate / edits.sample_rate_hz)
        self._channels = _channels(media) if media.media.has_audio else []
        self._stereo = media.media.has_audio and media.media.heard.channels == _STEREO
        self._pictures = media.media.has_video
        self._told = False
        """The file stands in its first clip item; the others name it."""

    def text(self) -> str:
        root = Element("xmeml", version="4")
        stereo = {"explodedTracks": "true"} if self._stereo else {}
        sequence = _add(root, "sequence", id="sequence-1", **stereo)
        length = self._events[-1].start + self._events[-1].length if self._events else 0
        _texts(sequence, name=self._media.name, duration=length)
        self._add_rate(sequence)
        self._add_timecode(sequence, 0, Frames(self._media.frames.name))
        parts = _add(sequence, "media")
        self._add_video(_add(parts, "video"))
        self._add_audio(_add(parts, "audio"))
        ElementTree.indent(root)
        body = ElementTree.tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{body}\n'

    def _add_video(self, video: Element) -> None:
        form = _add(video, "format")  # Resolve wants it even where it is empty
        if not self._pictures:
            return
        self._add_size(form)
        track = _add(video, "track")
        for place in range(len(self._events)):
            self._add_item(track, place, None)

    def _add_audio(self, audio: Element) -> None:
        if not self._channels:
            return
        _texts(audio, numOutputChannels=max(len(self._channels), _STEREO))
        self._add_samples(_add(audio, "format"))
        for number in range(len(self._channels)):
            track = _add(
                audio,
                "track",
                currentExplodedTrackIndex=f"{number if self._stereo else 0}",
                totalExplodedTrackCount="2" if self._stereo else "1",
                premiereTrackType="Stereo" if self._stereo else "Mono",
            )
            for place in range(len(self._events)):
                self._add_item(track, place, number)
            _texts(track, outputchannelindex=number + 1)

    def _add_item(self, track: Element, place: int, channel: int | None) -> None:
        """One clip item: of the picture, or of one of the channels (from 0)."""
        event = self._events[place]
        kind = "stereo" if self._stereo else "mono"
        about = {} if channel is None else {"premiereChannelType": kind}
        item = _add(track, "clipitem", id=self._id(place, channel), **about)
        _texts(item, name=self._media.name, enabled="TRUE", duration=self._whole)
        self._add_rate(item)
        first = round(event.source / Fraction(event.speed))
        times = {"start": event.start, "end": event.start + event.length}
        _texts(item, **times, **{"in": first, "out": first + event.length})
        self._add_file(item)
        if channel is not None:
            of = _add(item, "sourcetrack")
            _texts(of, mediatype="audio", trackindex=self._channels[channel])
        if event.speed != 1:
            _add_speed(item, event)
        self._add_links(item, place)

    def _add_links(self, item: Element, place: int) -> None:
        tracks: list[int | None] = [None] if self._pictures else []
        tracks += range(len(self._channels))
        for channel in tracks if len(tracks) > 1 else ():
            link = _add(item, "link")
            kind, index = ("video", 1) if channel is None else ("audio", channel + 1)
            _texts(link, linkclipref=self._id(place, channel), mediatype=kind)
            _texts(link, trackindex=index, clipindex=place + 1)

    def _id(self, place: int, channel: int | None) -> str:
        before = 0 if channel is None else channel + self._pictures
        return f"clipitem-{before * len(self._events) + place + 1}"

    def _add_file(self, item: Element) -> None:
        file = _add(item, "file", id="file-1")
        if self._told:
            return
        self._told = True
        _texts(file, name=self._media.name, pathurl=self._media.url)
        self._add_rate(file)
        _texts(file, duration=self._whole)
        self._add_timecode(file, self._media.begins(self._rate), self._media.frames)
        parts = _add(file, "media")
        if self._pictures:
            self._add_size(_add(parts, "video"))
        for stream in self._media.media.audio:
            sound = _add(parts, "audio")
            self._add_samples(sound)
            _texts(sound, channelcount=stream.channels)

    def _add_size(self, parent: Element) -> None:
        seen = self._media.media.video[0]
        shape = _add(parent, "samplecharacteristics")
        self._add_rate(shape)
        _texts(shape, width=seen.width, height=seen.height)
        pixels = "square" if seen.pixel_shape == 1 else _PIXELS.get((seen.width, seen.height))
        if pixels:
            wide = pixels in _SD and seen.pixel_shape * seen.width > _WIDE * seen.height
            _texts(shape, anamorphic="TRUE" if wide else "FALSE", pixelaspectratio=pixels)

    def _add_samples(self, parent: Element) -> None:
        heard = self._media.media.heard
        _texts(_add(parent, "samplecharacteristics"), depth=16, samplerate=heard.sample_rate_hz)

    def _add_rate(self, parent: Element) -> None:
        ntsc = "TRUE" if self._rate.denominator == 1001 else "FALSE"
        _texts(_add(parent, "rate"), timebase=self._media.frames.nominal, ntsc=ntsc)

    def _add_timecode(self, parent: Element, frame: int, frames: Frames) -> None:
        told = _add(parent, "timecode")
        self._add_rate(told)
        _texts(told, string=frames.timecode(frame), frame=frame)
        _texts(told, displayformat="DF" if frames.drop else "NDF")


def _channels(media: CutMedia) -> list[int]:
    """Which channels are cut, counted from 1 over all of the file's streams."""
    streams = media.media.audio
    return [
        sum(before.channels for before in streams[:stream]) + channel + 1
        for stream in media.media.heard.streams
        for channel in range(streams[stream].channels)
    ]


def _add_speed(item: Element, event: Event) -> None:
    effect = _add(_add(item, "filter"), "effect")
    _texts(effect, name="Time Remap", effectid="timeremap")
    _texts(effect, effectcategory="motion", effecttype="motion", mediatype="video")
    told: Sequence[tuple[str, str]] = (
        ("variablespeed", "0"),
        ("speed", f"{100 * event.speed:g}"),
        ("reverse", "FALSE"),
        ("frameblending", "FALSE"),
    )
    for name, value in told:
        _texts(_add(effect, "parameter"), parameterid=name, name=name, value=value)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _texts(parent: Element, **texts: str | int) -> None:
    for tag, text in texts.items():
        _add(parent, tag).text = f"{text}"
