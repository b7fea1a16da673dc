"""EDLs (CMX 3600) that other programs wrote, as timelines; ``edl`` has the format.

Sound events are read; of a list that has none, the picture's. An event on two channels (``AA``) is one
clip, for a clip plays all channels of its recording. An EDL says neither its frame rate nor where its
media's timecode begins: the rate is given, and source times before the recording's own clock begins, or of
one without a clock, count from its start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.model import refusal_of
from shared.contracts.plurals import many
from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.errors import ValidationError
from shared.interchange.otio import Imported, Resolve
from shared.interchange.timecode import Frames

MAX_EDL_BYTES = 4_000_000
# Of lines without spaces at their ends. What is possessive is not tried again shorter: a line of a few
# thousand spaces took seconds.
_TIME = r"\s++(\d++:\d\d[:;.,]\d\d[:;.,]\d++)"
_EVENT = re.compile(
    rf"(\d++)\s++(\S(?:.*?\S)?)\s++(\S++)\s++(C|D|W\d*+|K[BO]?)(?:\s++(\d++))?{_TIME * 4}"
)
_SPEED = re.compile(r"M2\s(?:.*\s)?(-?\d++(?:\.\d++)?)\s++\d++[:;.,]\S++")
_REMARK = re.compile(r"\*?\s*+(FROM CLIP NAME|TO CLIP NAME|SOURCE FILE|FROM FILE):\s*+(.*)")
_BLACK = ("BL", "BLACK")


@dataclass
class _Event:
    number: str
    reel: str
    channel: str
    kind: str
    dissolve: int
    source: tuple[int, int]
    record: tuple[int, int]
    hour: int
    """The frame at which the hour of the record's beginning begins."""
    rate: float | None = None
    """Frames a second at which it plays, where that is said."""
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def track(self) -> str:
        """``A1``, ``A2``... or ``V``."""
        sound = [part for part in self.channel.split("/") if part.startswith("A")]
        if self.channel == "B" or "AA" in sound:
            return "A1"
        return (sound[0] + "1" if sound[0] == "A" else sound[0]) if sound else "V"

    @property
    def is_black(self) -> bool:
        return self.reel in _BLACK


Begins = Callable[[SourceRef, Frames], int]
"""The frame at which a recording's own clock begins."""


def from_edl(
    text: str,
    frame_rate: float | str = 25,
    resolve: Resolve = lambda file, name: None,
    begins: Begins = lambda ref, frames: 0,
) -> Imported:
    """Read an EDL of that frame rate. ``resolve``: source file and clip's name -> what it is here.

    Raises ``ValidationError`` naming the event for what cannot be read right: keys, frozen and
    reversed clips, lengths that do not agree, timecodes beyond the rate, media that nobody knows.
    """
    if len(text) > MAX_EDL_BYTES:
        raise ValidationError(
            "edl", f"is longer than {MAX_EDL_BYTES:,} characters: export it in parts"
        )
    reader = _Reader(Frames.called(frame_rate), resolve, begins)
    try:
        timeline = Timeline.model_validate(reader.content(text))
    except PydanticError as error:
        raise refusal_of(error, "edl") from None
    return Imported(timeline, tuple(dict.fromkeys(reader.notices)))


class _Reader:
    def __init__(self, frames: Frames, resolve: Resolve, begins: Begins) -> None:
        self._frames = frames
        self._resolve = resolve
        self._begins = begins
        self._first: dict[str, int] = {}
        """What is placed -> the frame that its source times count from."""
        self._tracks: dict[str, list[dict[str, Any]]] = {}
        self._leaving: dict[str, _Event] = {}
        """Per track the line without length that says what a dissolve comes from."""
        self.notices: list[str] = []

    def content(self, text: str) -> dict[str, Any]:
        title, events = self._parse(text)
        heard = [event for event in events if event.track != "V"] or events
        if len(heard) < len(events):
            self.notices.append("video events are left out")
        if not heard:
            raise ValidationError("edl", "holds no event")
        zero = min(heard, key=lambda event: event.record[0]).hour
        seen: set[tuple[Any, ...]] = set()
        for event in heard:
            same = (
                event.reel,
                event.kind,
                event.source,
                event.record,
                event.remarks.get("FROM CLIP NAME"),
            )
            if event.source[0] < event.source[1] and same in seen:
                self.notices.append("events that other channels have, too, are left out")
                continue
            seen.add(same)
            self._place(event, zero)
        self.notices.append(f"times are read at {self._frames.name:g} frames a second, from 0")
        tracks = [{"track_id": name, "clips": clips} for name, clips in self._tracks.items()]
        return {"name": title, "tracks": tracks}

    def _parse(self, text: str) -> tuple[str, list[_Event]]:
        title, events, frames = "", list[_Event](), self._frames
        for line in map(str.strip, text.lstrip("\ufeff").splitlines()):
            if found := _EVENT.fullmatch(line):
                number, reel, channel, kind, dissolve, *times = found.groups()
                at = [frames.frame(time) for time in times]
                source, record = (at[0], at[1]), (at[2], at[3])
                length, hour = int(dissolve or 0), frames.hour(times[2])
                events.append(_Event(number, reel, channel, kind, length, source, record, hour))
            elif line[:1].isdigit():
                raise ValidationError("edl", f"an event that cannot be read: {line[:80]}")
            elif line.startswith("TITLE:"):
                title = line[6:].strip()
            elif line.startswith("FCM:") and self._frames.name in (29.97, 59.94):
                frames = Frames(self._frames.name, "NON" not in line)
            elif events and (speed := _SPEED.fullmatch(line)):
                events[-1].rate = float(speed[1])
            elif events and (remark := _REMARK.fullmatch(line)):
                events[-1].remarks[remark[1]] = remark[2]
        return title, events

    def _place(self, event: _Event, zero: int) -> None:
        where = f"event {event.number}"
        clips = self._tracks.setdefault(event.track, [])
        if event.kind.startswith("K"):
            raise ValidationError(where, "a key is no cut, dissolve or wipe")
        if event.kind.startswith("W"):
            self.notices.append("wipes are heard as crossfades")
        if event.kind == "C" and event.record[0] == event.record[1]:
            self._leaving[event.track] = event
            return
        start_ms = self._frames.ms(event.record[0] - zero)
        fade_ms = self._frames.ms(event.dissolve) if event.kind != "C" else 0.0
        joined = bool(fade_ms) and self._leave(event, clips, start_ms, fade_ms)
        self._leaving.pop(event.track, None)
        if event.is_black:
            return
        name = event.remarks.get("TO CLIP NAME" if event.kind != "C" else "FROM CLIP NAME")
        clip = self._clip(event, where, name, self._source_frames(event, where))
        fade = "crossfade_in_ms" if joined else "fade_in_ms"
        clips.append({**clip, "start_ms": start_ms, **({fade: fade_ms} if fade_ms else {})})

    def _leave(
        self, event: _Event, clips: list[dict[str, Any]], start_ms: float, fade_ms: float
    ) -> bool:
        """Let go on what a dissolve comes from; is there such a thing?"""
        leaving = self._leaving.get(event.track)
        if leaving and leaving.is_black:
            return False
        before = clips[-1] if clips else None
        from_ms = self._from_ms(leaving, before)
        end_ms = before["start_ms"] + _length_ms(before) if before else -1.0
        frame_ms = self._frames.ms(1)
        same = from_ms is None or (before and abs(before["source_end_ms"] - from_ms) < frame_ms)
        if not before or abs(end_ms - start_ms) > frame_ms / 2 or not same:
            if leaving is None:
                return False
            name = event.remarks.get("FROM CLIP NAME")
            window = leaving.source[0], float(event.dissolve)
            before = {**self._clip(leaving, f"event {event.number}", name, window)}
            clips.append({**before, "start_ms": start_ms})
        else:
            before["source_end_ms"] += fade_ms * before["speed"]
        if event.is_black:
            clips[-1]["fade_out_ms"] = fade_ms
        return True

    def _from_ms(self, leaving: _Event | None, before: dict[str, Any] | None) -> float | None:
        """Where a dissolve leaves its source, should that be what plays before it."""
        if leaving is None:
            return None
        known = (before or {}).get("asset_id") or (before or {}).get("artifact_id") or ""
        return self._frames.ms(leaving.source[0] - self._first.get(known, 0))

    def _source_frames(self, event: _Event, where: str) -> tuple[int, float]:
        """First frame of the source, and how many of them are played."""
        source, record = event.source[1] - event.source[0], event.record[1] - event.record[0]
        if record <= 0:
            raise ValidationError(where, "ends before it begins")
        if event.rate is not None:
            if event.rate <= 0:
                raise ValidationError(where, f"plays at {event.rate:g} frames a second")
            return event.source[0], record * self._pace(event)
        if abs(source - record) > 1:
            raise ValidationError(where, f"plays {many(source, 'frame')} of source in {record}")
        if source != record:
            self.notices.append("source and record differ by a frame: the record counts")
        return event.source[0], float(record)

    def _clip(
        self, event: _Event, where: str, name: str | None, window: tuple[int, float]
    ) -> dict[str, Any]:
        file = event.remarks.get("SOURCE FILE") or event.remarks.get("FROM FILE") or ""
        ref = self._resolve(file, name or event.reel)
        if ref is None:
            raise ValidationError(
                where, f"{file or name or event.reel} is not known here: process it first"
            )
        begins = self._begins(ref, self._frames)
        self._first[ref.identifier] = begins = begins if window[0] >= begins else 0
        start_ms = self._frames.ms(window[0] - begins)
        kind = "artifact_id" if ref.artifact_id else "asset_id"
        return {
            kind: ref.identifier,
            "name": name,
            "source_start_ms": start_ms,
            "source_end_ms": start_ms + window[1] * self._frames.ms(1),
            "speed": self._pace(event),
        }

    def _pace(self, event: _Event) -> float:
        """The speed: by the event's lengths where its M2, which has one decimal, agrees with them."""
        if event.rate is None:
            return 1.0
        rate = float(self._frames.rate)
        record = max(1, event.record[1] - event.record[0])
        measured = (event.source[1] - event.source[0]) / record
        agrees = abs(measured * rate - event.rate) <= 0.06 + rate / record
        return measured if agrees and measured > 0 else event.rate / rate


def _length_ms(clip: dict[str, Any]) -> float:
    return float((clip["source_end_ms"] - clip["source_start_ms"]) / clip["speed"])
