"""Cuts and markers as an EDL (CMX 3600): what nearly every editing program reads.

    001  AX       A     C        source in, out   record in, out      an event of two equal lengths
    002  AX       A     C        where it leaves the clip before      a crossfade: no frame long,
    002  AX       A     D    012 source in, out   record in, out      then the clip that comes in
    M2   AX       026.3          source in                            plays at that many frames a second
    * FROM CLIP NAME: ...                                             remarks follow their event

An EDL holds no gain, no fade and no automation, and its times are whole frames. Each track has its
own channel (``A``, ``A2``...), and one more for clips that overlap without a crossfade; muted tracks
and clips shorter than half a frame are left out with a remark. The clip that a crossfade leaves ends
where it begins, as editing programs expect (https://xmil.biz/EDL-X/CMX3600.pdf).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil

from shared.contracts.timeline import Timeline
from shared.contracts.timeline_checks import Edges
from shared.contracts.timeline_parts import AudioClip, Marker
from shared.interchange.rows import layers_of
from shared.interchange.timecode import Frames

_REEL, _BLACK = "AX", "BL"
_LONGEST_DISSOLVE = 999
"""Frames: three digits are there for it."""


def to_edl(
    timeline: Timeline,
    lengths_ms: Mapping[str, float],
    frame_rate: float | str = 25,
    *,
    pictures: bool = False,
    begins: Mapping[str, int] | None = None,
) -> str:
    """The whole timeline. ``lengths_ms``: source id -> length, for clips that name no end.
    ``begins``: source id -> the frame that its media's own timecode begins at, if not at 0.

    With ``pictures`` the first track's clips are cut with their pictures (channel ``B``).
    ``frame_rate``: one of ``timecode.FRAME_RATES``, or ``29.97df`` and ``59.94df`` for drop frame.
    Raises ``ValidationError`` for others, and as ``Timeline.with_lengths`` does.
    """
    first = "B" if pictures else "A"
    return _Writer(Frames.called(frame_rate), lengths_ms, first, begins or {}).text(timeline)


@dataclass(frozen=True)
class _Event:
    """One clip in frames."""

    clip: AudioClip
    source: tuple[int, int]
    record: tuple[int, int]
    dissolve: int = 0
    before: _Event | None = None
    """Where the dissolve comes from."""


class _Writer:
    def __init__(
        self,
        frames: Frames,
        lengths_ms: Mapping[str, float],
        first: str,
        begins: Mapping[str, int],
    ) -> None:
        self._frames = frames
        self._begins = begins
        self._first = first
        self._lengths_ms = lengths_ms
        self._remarks: list[str] = []
        """What stands at the end: remarks and markers need an event before them."""

    def text(self, timeline: Timeline) -> str:
        whole = timeline.with_lengths(self._lengths_ms)
        kind = "DROP" if self._frames.drop else "NON-DROP"
        lines = [f"TITLE: {_one_line(whole.name) or 'Timeline'}", f"FCM: {kind} FRAME", ""]
        numbers, channels = count(1), count(1)
        for track in whole.tracks:
            if track.muted:
                self._remark("MUTED TRACK LEFT OUT", track.name or str(track.track_id))
                continue
            for layer in layers_of(track):
                number = next(channels)
                channel = f"A{number}" if number > 1 else self._first
                for event in self._events(layer):
                    lines += self._lines(event, f"{next(numbers):03d}", channel)
        if (self._remarks or whole.markers) and len(lines) == 3:
            lines.append(self._black(whole.markers))
        lines += self._remarks
        lines += [self._locator(marker) for marker in whole.markers]
        return "\n".join(lines) + "\n"

    def _events(self, layer: Sequence[Edges]) -> Iterator[_Event]:
        before: _Event | None = None
        for edges, behind in zip(layer, [*layer[1:], None], strict=False):
            event = self._event(edges, behind, before)
            if event is None:
                self._remark("SHORTER THAN A FRAME, LEFT OUT", _name(edges.clip))
            else:
                yield event
            before = event

    def _event(self, edges: Edges, behind: Edges | None, before: _Event | None) -> _Event | None:
        clip, frames = edges.clip, self._frames
        assert clip.duration_ms is not None
        leaves = behind is not None and behind.into.crossfade
        end_ms = behind.clip.start_ms if behind and leaves else clip.start_ms + clip.duration_ms
        record = frames.of(clip.start_ms), frames.of(end_ms)
        length = record[1] - record[0]
        if not length:
            return None
        source = self._source(clip, max(1, round(length * clip.speed)))
        dissolve = 0
        if before and edges.into.crossfade:
            dissolve = min(frames.of(edges.into.length_ms), length, _LONGEST_DISSOLVE)
        return _Event(clip, source, record, dissolve, before if dissolve else None)

    def _source(self, clip: AudioClip, length: int) -> tuple[int, int]:
        """The window, moved by a frame where rounding would put its end behind the source's."""
        last = ceil(self._frames.rate * self._lengths_ms[clip.source.identifier] / 1000 - 1e-6)
        start = self._frames.of(clip.source_start_ms)
        start = max(0, min(start, last - length)) + self._begins.get(clip.source.identifier, 0)
        return start, start + length

    def _lines(self, event: _Event, number: str, channel: str) -> list[str]:
        lines, before = [], event.before
        if before:
            left = before.source[1], before.source[1], event.record[0], event.record[0]
            lines.append(self._line(number, channel, "C       ", left))
        kind = f"D    {event.dissolve:03d}" if before else "C       "
        lines.append(self._line(number, channel, kind, (*event.source, *event.record)))
        if event.clip.speed != 1.0:
            speed = float(self._frames.rate) * event.clip.speed
            # With colons at any rate: other readers know no semicolon here.
            start = self._plain(event.source[0])
            lines.append(f"M2   {_REEL:<8} {speed:05.1f} {start}")
        if before:
            lines.append(f"* FROM CLIP NAME: {_name(before.clip)}")
        lines.append(f"* {'TO' if before else 'FROM'} CLIP NAME: {_name(event.clip)}")
        return [*lines, f"* SOURCE FILE: {event.clip.source.identifier}"]

    def _line(
        self, number: str, channel: str, kind: str, times: tuple[int, ...], reel: str = _REEL
    ) -> str:
        words = " ".join(self._frames.timecode(at) for at in times)
        return f"{number}  {reel:<8} {channel:<5} {kind} {words}"

    def _black(self, markers: Sequence[Marker]) -> str:
        """What remarks of a timeline without clips stand on."""
        last = max((self._frames.of(marker.time_ms) for marker in markers), default=0)
        return self._line("001", "A", "C       ", (0, last + 1, 0, last + 1), _BLACK)

    def _locator(self, marker: Marker) -> str:
        at = self._plain(self._frames.of(marker.time_ms))
        return f"* LOC: {at} RED     {_one_line(marker.name)}"

    def _plain(self, frame: int) -> str:
        return self._frames.timecode(frame).replace(";", ":")

    def _remark(self, what: str, name: str) -> None:
        self._remarks.append(f"* {what}: {_one_line(name)}")


def _name(clip: AudioClip) -> str:
    return _one_line(clip.name or str(clip.clip_id))


def _one_line(text: str) -> str:
    """Without line ends and what else cannot be seen, which readers take for some."""
    shown = "".join(sign if sign.isprintable() or sign.isspace() else " " for sign in text)
    return " ".join(shown.split())
