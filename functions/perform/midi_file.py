"""Standard MIDI files as players take them: what is odd is told, and what is there is played.

    RIFF "RMID", MacBinary     unwrapped
    chunks                     MThd, MTrk...; others skipped; lengths that are wrong found out
    events                     delta, status (running too), data -> a message of mido, at its tick

mido decodes the messages; the walk is ours, because mido's ends at the first oddity (a strange key
signature, an unknown chunk, fewer tracks than said) and loses the time of meta events that it does
not know. Sources: Standard MIDI Files 1.0 (RP-001), RMID (RP-029).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from shared.contracts.plurals import many
from shared.errors import UnsupportedMedia, ValidationError
from shared.media.formats import MACBINARY_BYTES, holds_midi

MAX_MESSAGES = 200_000
"""It bounds the memory that a file of running status, two or three bytes a message, can ask for."""
_CHUNK_HEAD = 8
"""Bytes before a chunk's contents: four letters, and the length, big-endian."""
_LONGEST_NUMBER = 4
"""Bytes of a variable-length number, by RP-001."""
_END_OF_TRACK = 0x2F
"""The meta event that must end each track."""
_META_BYTES = {0x51: 3, 0x58: 4, 0x59: 2}
"""Meta events that are decoded (tempo, time and key signature) and the data that each needs."""
_META_NAMES = {0x51: "tempo", 0x58: "time signature", 0x59: "key signature"}
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
"""Data bytes of channel messages, by the upper half of the status byte."""
_GENERAL_MIDI_ON = re.compile(rb"\xf0?\x7e.\x09", re.DOTALL)
"""Nearly every file begins with it, and it asks for nothing that isn't done anyway."""
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system common messages; others have none."""
_STRAY = "{} byte between or behind the tracks"
"""The notice about bytes that belong to no chunk; ``{}`` is how many."""
_FILM_BEATS_PER_SECOND = 2
"""Files in film time have no tempo: a beat of theirs is half a second, as at 120 BPM."""


@dataclass(frozen=True, slots=True)
class TimedMessage:
    """A message of mido at its beat (a quarter note) from the start."""

    beat: Fraction
    """From the start of the file, exactly: ticks times the length of one."""
    message: Any


@dataclass(frozen=True)
class MidiFile:
    """What a file holds, all tracks together in order of time."""

    messages: tuple[TimedMessage, ...]
    """Channel messages, tempo, time and key signatures; of one tick in the order of tracks."""
    length_beats: Fraction
    """Until the last event of the longest track, be it only its end mark."""
    notices: tuple[str, ...]
    """What was odd about the file, in words."""


def parse_midi(data: bytes) -> MidiFile:
    """All messages of a MIDI file (types 0 and 1, or one pattern of type 2).

    Of a track that can't be read on, what comes before is kept, and a notice says so. Raises
    ``UnsupportedMedia`` saying why a file can't be played, ``ValidationError`` for one of more than
    200,000 messages.
    """
    return _Walk(_unwrapped(data)).file()


def _unwrapped(data: bytes) -> bytes:
    """The bytes from ``MThd`` on; raises ``UnsupportedMedia`` where there is none."""
    if data.startswith(b"RIFF") and data[8:12] == b"RMID":
        return _riff_data(data)
    if not holds_midi(data):
        raise UnsupportedMedia("not a MIDI file: it does not begin with MThd")
    return data if data.startswith(b"MThd") else data[MACBINARY_BYTES:]


def _riff_data(data: bytes) -> bytes:
    """The MIDI file inside an RMID: the contents of its ``data`` chunk."""
    at = 12
    while at + _CHUNK_HEAD <= len(data):
        name, size = struct.unpack_from("<4sL", data, at)
        inside = data[at + _CHUNK_HEAD : at + _CHUNK_HEAD + size]
        if name == b"data" and inside.startswith(b"MThd"):
            return inside
        at += _CHUNK_HEAD + size + size % 2
    raise UnsupportedMedia("a RIFF file (RMID) without a MIDI file in it")


@dataclass
class _Walk:
    """Goes through a file's chunks and keeps what it met."""

    data: bytes
    _events: list[tuple[int, Any]] = field(default_factory=list)
    """Tick and message; sorted at the end."""
    _last_tick: int = 0
    _tracks: int = 0
    _odd: Counter[str] = field(default_factory=Counter)
    _notices: list[str] = field(default_factory=list)

    def file(self) -> MidiFile:
        """The file's messages in order of time, and what was odd.

        Sorting is stable: of one tick, a track's messages keep their order, and earlier tracks come
        first. In film time tempo changes are dropped, for a tick there is a part of a second, not
        of a beat.
        """
        kind, said, division = self._header()
        beats = _beats_per_tick(division)
        if division >= 0x8000:
            self._notices.append("timed in film frames: tempo changes do not count")
        self._chunks()
        if kind == 2 and self._tracks > 1:
            raise UnsupportedMedia(
                f"a MIDI file of type 2 holds separate patterns ({self._tracks} here), and not one "
                "piece: save it as type 1"
            )
        if self._tracks != said:
            self._notices.append(
                f"the header says {many(said, 'track')}, the file holds {self._tracks}"
            )
        counted = [what.format(f"{count} x") for what, count in sorted(self._odd.items())]
        self._events.sort(key=lambda event: event[0])
        timed = (TimedMessage(tick * beats, message) for tick, message in self._events)
        if division >= 0x8000:
            timed = (one for one in timed if one.message.type != "set_tempo")
        length = self._last_tick * beats
        return MidiFile(tuple(timed), length, (*dict.fromkeys(self._notices), *counted))

    def _header(self) -> tuple[int, int, int]:
        """Type, tracks, division."""
        if len(self.data) < _CHUNK_HEAD + 6:
            raise UnsupportedMedia("a MIDI file that ends within its header")
        kind, said, division = struct.unpack_from(">HHH", self.data, _CHUNK_HEAD)
        if kind > 2:
            raise UnsupportedMedia(f"a MIDI file of type {kind}, which does not exist")
        return kind, said, division

    def _chunks(self) -> None:
        """Walk from chunk to chunk behind the header, which may be longer than six bytes.

        Where no chunk begins, all is stray until the next ``MTrk``.
        """
        (size,) = struct.unpack_from(">L", self.data, 4)
        at = self._end(_CHUNK_HEAD, max(size, 6))
        while at < len(self.data):
            if not _is_chunk(self.data, at):
                begin = self.data.find(b"MTrk", at + 1)
                end = begin if begin >= 0 else len(self.data)
                self._odd[_STRAY] += end - at
                at = end
                continue
            name, size = struct.unpack_from(">4sL", self.data, at)
            at += _CHUNK_HEAD
            end = self._end(at, size)
            if name == b"MTrk":
                end = self._track(at, end, at + size)
            else:
                self._notices.append(f"left out: a chunk {name.decode('ascii')!r}")
            at = end

    def _end(self, at: int, size: int) -> int:
        """Where a chunk's contents end: as it says, if there is a chunk or nothing behind them.

        Otherwise the length is wrong (some writers never fill it in), and they last until the next
        ``MTrk``.
        """
        end = at + size
        if end == len(self.data) or _is_chunk(self.data, end):
            return end
        following = self.data.find(b"MTrk", at)
        return following if following >= 0 else len(self.data)

    def _track(self, at: int, end: int, said_end: int) -> int:
        """Take a track's events; where the next chunk begins.

        ``end`` is where the track's contents are taken to end, ``said_end`` where its head says
        they do. An end mark is believed sooner than the length, if a chunk begins behind it.
        """
        self._tracks += 1
        name = f"track {self._tracks}"
        track = _Track(self.data, at, end, self._odd)
        for tick, message in track.events():
            self._events.append((tick, message))
            if len(self._events) > MAX_MESSAGES:
                raise ValidationError(
                    "MIDI file", f"holds more than {MAX_MESSAGES:,} messages: save it in parts"
                )
        self._last_tick = max(self._last_tick, track.tick)
        if track.fault:
            self._notices.append(f"{name} {track.fault}; what comes before is played")
        elif not track.ended:
            self._notices.append(f"{name} has no end mark")
        stop = track.at if track.ended else end
        if track.ended and (stop == said_end or _is_chunk(self.data, stop)):
            end = stop
        if end != said_end and not track.fault:
            self._notices.append(f"{name} is not as long as it says")
        if stop < end:
            self._odd[_STRAY] += end - stop
        return end


def _beats_per_tick(division: int) -> Fraction:
    """Quarter notes of a tick. Film time (SMPTE) is frames a second and ticks a frame.

    ``division`` is the header's third number, 16 bits: below 0x8000 ticks a quarter note; from
    there on its upper byte is minus the frame rate (29 means 30,000 / 1,001), its lower one ticks a
    frame. Raises ``UnsupportedMedia`` for a tick of no length and for other frame rates.
    """
    if division < 0x8000:
        if not division:
            raise UnsupportedMedia(
                "a MIDI file whose beats have no ticks: nothing says how fast it is"
            )
        return Fraction(1, division)
    frames, ticks = 0x100 - (division >> 8), division & 0xFF
    if frames not in (24, 25, 29, 30) or not ticks:
        raise UnsupportedMedia(
            f"a MIDI file timed in {frames} film frames a second, of {ticks} ticks"
        )
    rate = Fraction(30_000, 1_001) if frames == 29 else Fraction(frames)
    return _FILM_BEATS_PER_SECOND / (rate * ticks)


def _is_chunk(data: bytes, at: int) -> bool:
    """Does something that looks like a chunk begin there?

    Four printable letters and a length that fits, or ``MTrk`` with any length.
    """
    name = data[at : at + 4]
    if len(data) < at + _CHUNK_HEAD or not all(32 <= byte < 127 for byte in name):
        return False
    (size,) = struct.unpack_from(">L", data, at + 4)
    return name == b"MTrk" or at + _CHUNK_HEAD + size <= len(data)


class _Track:
    """One track's events, one after the other."""

    def __init__(self, data: bytes, at: int, end: int, odd: Counter[str]) -> None:
        self._data = data
        self._end = end
        self._odd = odd
        self._status: int | None = None
        self.at = at
        """The byte behind the last event."""
        self.tick = 0
        self.ended = False
        """The end of track was met."""
        self.fault = ""

    def events(self) -> Iterator[tuple[int, Any]]:
        """Tick and message of what a score may need, until the end or until something is unreadable."""
        try:
            while self.at < self._end and not self.ended:
                delta = self._number()
                message = self._event()
                self.tick += delta
                if message is not None:
                    yield self.tick, message
        except _Unreadable as unreadable:
            self.fault = str(unreadable)

    def _event(self) -> Any:
        """The next event's message; ``None`` for one that no score needs.

        Running status outlasts meta events and system exclusive ones, though RP-001 ends it there,
        for some files rely on it. Raises ``_Unreadable`` for data before any status.
        """
        status = self._byte()
        if status == 0xFF:
            return self._meta()
        if status in (0xF0, 0xF7):
            if not _GENERAL_MIDI_ON.match(self._take(self._number())):
                self._odd["left out: {} system exclusive"] += 1
            return None
        if status > 0xF0:
            self._take(_SYSTEM_DATA_BYTES.get(status, 0))
            self._odd["left out: {} system message, which have no place in a file"] += 1
            return None
        if status < 0x80:
            self.at -= 1
            if self._status is None:
                raise _Unreadable(f"has data without a status at byte {self.at}")
            status = self._status
        self._status = status
        return self._channel_message(status)

    def _channel_message(self, status: int) -> Any:
        """A message of a channel, with data above 127 taken as 127 and counted."""
        import mido

        data = self._take(_DATA_BYTES[status >> 4])
        over = sum(byte > 127 for byte in data)
        if over:
            self._odd["{} value over 127, taken as 127"] += over
        return mido.Message.from_bytes([status, *(min(byte, 127) for byte in data)])

    def _meta(self) -> Any:
        """Tempo, time or key signature; ``None`` for others and for what makes no sense."""
        import mido
        from mido import KeySignatureError

        kind, data = self._byte(), self._take(self._number())
        if kind == _END_OF_TRACK:
            self.ended = True
        if kind not in _META_BYTES:
            return None
        size = _META_BYTES[kind]
        try:
            if len(data) < size:
                raise ValueError("too short")
            return mido.MetaMessage.from_bytes([0xFF, kind, size, *data[:size]])
        except (ValueError, KeySignatureError):
            self._odd[f"left out: {{}} {_META_NAMES[kind]} that makes no sense"] += 1
            return None

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        """The next ``count`` bytes; raises ``_Unreadable`` where the track has fewer."""
        if self.at + count > self._end:
            raise _Unreadable(f"is cut off at byte {self._end}")
        taken = self._data[self.at : self.at + count]
        self.at += count
        return taken

    def _number(self) -> int:
        """A variable-length number: seven bits a byte, the highest bit on all but the last.

        0 to 0x0FFFFFFF; raises ``_Unreadable`` where a fifth byte would follow.
        """
        value = 0
        for _ in range(_LONGEST_NUMBER):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise _Unreadable(f"has a number of more than {_LONGEST_NUMBER} bytes at byte {self.at}")


class _Unreadable(Exception):
    """Why a track can't be read on from here."""
