"""Standard MIDI files as scores.

Read: notes, tempo, time signatures, programs, channel 10 as drums, the damper pedal, volume, expression
and pan, all notes and all sound off. Drums ring out, whenever their keys come up: programs write them a
tick long. What else a file asks for (pitch bend, aftertouch, other controllers) is left out and
counted in the score's notices, and so is what was odd about the file (``midi_file``).

Messages are taken in order of time, with a table of what sounds on each channel; a note is kept
when it ends. Then the notes of each sound and channel are spread over lanes, since a lane plays one
note at a time. Sources: MIDI 1.0 (channel mode messages), General MIDI 1 and 2 (programs,
percussion keys).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from functions.perform.bank import sounds_for_s
from functions.perform.midi_file import parse_midi
from functions.perform.midi_levels import ChannelLevels
from shared.audio.score import InstrumentSetup, Note, Score
from shared.audio.tempo import (
    DENOMINATORS,
    MAX_TEMPO_BPM,
    MIN_TEMPO_BPM,
    TempoChange,
    TempoMap,
    TimeSignature,
)
from shared.errors import ValidationError

MAX_NOTES, MAX_VOICES = 20_000, 12
"""Notes of a piece, and how many of one instrument sound at once: each voice is a lane with its
own sampler."""
DRUM_CHANNEL = 9
"""Channel 10 as musicians count, from 1."""
_VOLUME, _PAN, _EXPRESSION, _DAMPER = 7, 10, 11, 64
"""Controllers, by number."""
_DAMPER_DOWN = 64
"""The pedal is down from this value on."""
_SOUND_OFF, _RESET = 120, 121
"""Channel mode: all sound off, reset all controllers."""
_NOTES_OFF = range(123, 128)
"""All notes off; the modes omni, mono and poly behind it say so, too."""
_AGES = Fraction(10**9)
"""Beats behind the end of any piece: a drum that nothing ends rings out."""
_HI_HATS = frozenset({42, 44, 46})
"""Closed, pedal and open: one pair of cymbals, so each ends what the others sound."""
_HELD = Fraction(1)
"""Beats that a note sounds at least which nothing ends: the last ones of files without ends of notes."""
_EMPTY_END = 32
"""More beats than these, eight bars of four, behind whatever is played are no pause but a stray event."""
_FREE_FOR = Fraction(1, 2)
"""Beats for which a voice should have been free before it plays again, so that its tail rings."""

_PROGRAMS: tuple[tuple[range, str], ...] = (
    (range(0, 16), "keys"),
    (range(16, 24), "organ"),
    (range(24, 32), "pluck"),
    (range(32, 40), "bass"),
    (range(40, 52), "strings"),
    (range(52, 55), "choir"),
    (range(55, 56), "strings"),
    (range(56, 88), "lead"),
    (range(88, 104), "pad"),
    (range(104, 112), "pluck"),
    (range(112, 120), "tom"),
    (range(120, 128), "noise"),
)
"""General MIDI programs (from 0) and the bank's nearest sound."""

_DRUMS: Mapping[int, str] = {
    35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 42: "hat", 44: "hat",
    46: "open_hat", 49: "open_hat", 51: "open_hat", 52: "open_hat", 55: "open_hat", 57: "open_hat",
    59: "open_hat", 41: "tom", 43: "tom", 45: "tom", 47: "tom", 48: "tom", 50: "tom", 54: "shaker",
    69: "shaker", 70: "shaker", 82: "shaker", 76: "rim", 77: "rim", 31: "rim",
}  # fmt: skip
"""General MIDI percussion keys and the bank's drums; other keys play the rim.

31 and 82 are of General MIDI 2."""


@dataclass
class _Key:
    """A note that sounds."""

    start: Fraction
    """In beats."""
    velocity: float
    """1 to 127."""
    sound: str
    """The program's when it was struck: a later change leaves it as it is."""
    let_go: bool = False
    """The key is up, and the pedal alone holds the note."""
    struck_again: bool = False
    """The same key sounded when it was struck, so the former note's end may be told behind it."""


@dataclass
class _Channel:
    """What one channel sounds like while its messages go by."""

    program: int = 0
    """From 0; the piano until a program is chosen."""
    pedal: bool = False
    sounding: dict[int, _Key] = field(default_factory=dict)
    """By key: one note of a key at a time."""


@dataclass(frozen=True)
class _Played:
    """A note before it has a lane."""

    instrument: str
    """Sound and channel (from 1), as ``bass 2``."""
    sound: str
    start: Fraction
    """Beats, as ``end``."""
    end: Fraction
    pitch: float | None
    """``None`` for drums."""
    velocity: float


def read_midi(data: bytes, name: str = "midi") -> Score:
    """The piece in a MIDI file, its notices saying what was odd and what was left out.

    A piece is as long as its longest track, in whole beats. Raises ``UnsupportedMedia`` or
    ``ValidationError``, which say why it can't be played: one without a note among them.
    """
    file = parse_midi(data)
    reader = _Reader()
    for timed in file.messages:
        reader.take(timed.message, timed.beat)
    score = reader.score(name, file.length_beats)
    return replace(score, notices=(*file.notices, *score.notices))


class _Reader:
    """Takes messages in order and keeps what a score needs."""

    def __init__(self) -> None:
        self._channels: dict[int, _Channel] = {}
        self._played: list[_Played] = []
        self._levels = ChannelLevels()
        self._last_played = Fraction(0)
        self._tempos: dict[Fraction, Fraction] = {}
        self._meters: list[tuple[Fraction, int, int]] = []
        self._sounds: dict[str, str] = {}
        self._left_out: Counter[str] = Counter()
        self._odd: Counter[str] = Counter()

    def take(self, message: Any, beat: Fraction) -> None:
        """One message at its beat."""
        if message.type == "set_tempo":
            self._take_tempo(message.tempo, beat)
        elif message.type == "time_signature":
            self._take_meter(message, beat)
        elif not message.is_meta:
            self._take_channel(message, beat)

    def _take_tempo(self, beat_us: int, beat: Fraction) -> None:
        """A tempo, by the length of a beat; one that nobody plays is taken as the nearest that is."""
        if not beat_us:
            self._left_out["tempo of no length"] += 1
            return
        bpm = Fraction(60_000_000, beat_us)
        self._tempos[beat] = min(max(bpm, Fraction(MIN_TEMPO_BPM)), Fraction(MAX_TEMPO_BPM))
        if bpm != self._tempos[beat]:
            self._odd[f"tempo of {float(bpm):.4g} BPM, taken as {self._tempos[beat]}"] += 1

    def _take_meter(self, message: Any, beat: Fraction) -> None:
        """A time signature, unless it has no beats, or a denominator unknown to the tempo map."""
        if message.numerator and message.denominator in DENOMINATORS:
            self._meters.append((beat, message.numerator, message.denominator))
        else:
            self._left_out[f"time signature {message.numerator}/{message.denominator}"] += 1

    def _take_channel(self, message: Any, beat: Fraction) -> None:
        """A channel's message. A key that is struck again ends its former note."""
        channel = self._channels.setdefault(message.channel, _Channel())
        if message.type in ("note_on", "note_off"):
            self._last_played = beat
        if message.type == "note_on" and message.velocity:
            again = message.note in channel.sounding
            for key in _ended_by(message.channel, message.note) & channel.sounding.keys():
                self._end(message.channel, key, beat)
            sound = _sound_of(message.channel, message.note, channel.program)
            channel.sounding[message.note] = _Key(
                beat, float(message.velocity), sound, struck_again=again
            )
        elif message.type in ("note_on", "note_off"):
            self._let_go(message.channel, message.note, beat)
        elif message.type == "program_change":
            channel.program = message.program
        elif message.type == "control_change":
            self._take_control(message, channel, beat)
        else:
            self._left_out[message.type.replace("_", " ")] += 1

    def _take_control(self, message: Any, channel: _Channel, beat: Fraction) -> None:
        number = message.channel
        if message.control == _DAMPER:
            channel.pedal = message.value >= _DAMPER_DOWN
            self._lift_pedal(number, channel, beat)
        elif message.control == _RESET:
            channel.pedal = False
            self._lift_pedal(number, channel, beat)
            self._levels.reset(number, beat)
        elif message.control == _SOUND_OFF:
            for key in list(channel.sounding):
                self._end(number, key, beat)
        elif message.control in _NOTES_OFF:
            for key in list(channel.sounding):
                self._let_go(number, key, beat)
        elif message.control == _VOLUME:
            self._levels.volume(number, beat, message.value)
        elif message.control == _EXPRESSION:
            self._levels.expression(number, beat, message.value)
        elif message.control == _PAN:
            self._levels.pan(number, beat, message.value)
        else:
            self._left_out[f"controller {message.control}"] += 1

    def _lift_pedal(self, number: int, channel: _Channel, beat: Fraction) -> None:
        """With the pedal up, notes end whose keys are up, and no others."""
        if not channel.pedal:
            for key in [key for key, held in channel.sounding.items() if held.let_go]:
                self._end(number, key, beat)

    def _let_go(self, number: int, key: int, beat: Fraction) -> None:
        """A key comes up: its note ends, unless the pedal holds it or it is a drum."""
        channel = self._channels[number]
        struck = channel.sounding.get(key)
        if number == DRUM_CHANNEL:
            return
        if struck and struck.struck_again and struck.start == beat:
            # Of a note that goes over into the next one, some programs write the end last.
            struck.struck_again = False
        elif not channel.pedal:
            self._end(number, key, beat)
        elif struck:
            struck.let_go = True

    def _end(self, number: int, key: int, beat: Fraction) -> None:
        """A note ends, and is kept; raises ``ValidationError`` beyond ``MAX_NOTES``."""
        struck = self._channels[number].sounding.pop(key, None)
        if struck is None:
            return
        instrument = f"{struck.sound} {number + 1}"
        self._sounds[instrument] = struck.sound
        pitch = None if number == DRUM_CHANNEL else float(key)
        self._played.append(
            _Played(instrument, struck.sound, struck.start, beat, pitch, struck.velocity)
        )
        if len(self._played) > MAX_NOTES:
            raise ValidationError(
                "MIDI file", f"holds more than {MAX_NOTES:,} notes: save it in parts"
            )

    def score(self, name: str, length: Fraction) -> Score:
        """All that was taken, up to ``length`` beats, without an empty end of more than ``_EMPTY_END``.

        What still sounds ends there, drums when they have rung out. Raises ``ValidationError``
        where there is no note.
        """
        if length - self._last_played > _EMPTY_END:
            empty = float(length - self._last_played)
            self._odd[f"end of {empty:g} beats in which nothing is played, left out"] += 1
            length = self._last_played + _HELD
        self._end_all(length)
        if not self._played:
            raise ValidationError("MIDI file", "plays no note")
        tempo_map = self._tempo_map()
        notes, stolen = _in_lanes([_rung_out(one, tempo_map) for one in self._played])
        if stolen:
            self._left_out[f"notes beyond {MAX_VOICES} at once, cut short"] = stolen
        whole_beats = Fraction(max(1, -(-length // 1)))
        setups = [
            InstrumentSetup(label, sound, gain_db=self._levels.first_gain_db())
            for label, sound in sorted(self._sounds.items())
        ]
        points = [
            point
            for setup in setups
            for point in self._levels.points(int(setup.name.rsplit(" ", 1)[1]) - 1, setup.name)
        ]
        left_out = [f"left out: {count} x {what}" for what, count in sorted(self._left_out.items())]
        odd = [f"{count} x {what}" for what, count in sorted(self._odd.items())]
        return Score(
            name[:80] or "midi",
            tempo_map,
            whole_beats,
            tuple(setups),
            tuple(notes),
            tuple(points),
            notices=(*odd, *left_out),
        )

    def _end_all(self, length: Fraction) -> None:
        """End whatever sounds: at the piece's end, or a beat after it was struck; drums ring out."""
        for number, channel in self._channels.items():
            for key, struck in list(channel.sounding.items()):
                end = _AGES if number == DRUM_CHANNEL else max(length, struck.start + _HELD)
                self._end(number, key, end)

    def _tempo_map(self) -> TempoMap:
        """Tempos and bars; 120 BPM and 4/4 until the file says otherwise, as RP-001 has it.

        A time signature in the middle of a bar is taken for the bar's that it stands in: bars here
        are whole. Of two in one bar the later counts.
        """
        first = self._tempos.pop(Fraction(0), Fraction(120))
        changes = [TempoChange(beat, bpm) for beat, bpm in sorted(self._tempos.items())]
        signatures = [TimeSignature()]
        start = Fraction(0)
        for beat, numerator, denominator in self._meters:
            last = signatures[-1]
            bars = (beat - start) // last.beats_per_bar
            start += bars * last.beats_per_bar
            if not bars:
                signatures.pop()
            signatures.append(TimeSignature(last.bar + bars, numerator, denominator))
        return TempoMap(first, changes, signatures)


def _sound_of(channel: int, key: int, program: int) -> str:
    """The bank's sound for a key of a channel with a program (0 to 127)."""
    if channel == DRUM_CHANNEL:
        return _DRUMS.get(key, "rim")
    return next(sound for programs, sound in _PROGRAMS if program in programs)


def _ended_by(channel: int, key: int) -> frozenset[int]:
    """The keys whose notes end where this one is struck."""
    return _HI_HATS if channel == DRUM_CHANNEL and key in _HI_HATS else frozenset({key})


def _rung_out(note: _Played, tempo_map: TempoMap) -> _Played:
    """A drum as long as its sound is, if nothing ended it sooner; other notes as they are."""
    if note.pitch is not None:
        return note
    silent_s = tempo_map.seconds_at(note.start) + Fraction(str(sounds_for_s(note.sound)))
    return replace(note, end=min(note.end, tempo_map.beats_at(silent_s)))


def _in_lanes(played: list[_Played]) -> tuple[list[Note], int]:
    """Notes spread over as many lanes of their instrument as sound at once, and how many were cut.

    In order of time each note gets the voice that has been free for longest; a further one, up to
    ``MAX_VOICES``, where that has not been free for ``_FREE_FOR``. At the most voices the note that
    ends first is cut short by the new one.
    """
    free_at: dict[str, list[Fraction]] = {}
    notes, stolen = [], 0
    for note in sorted(played, key=lambda one: (one.start, one.instrument, one.pitch or 0.0)):
        voices = free_at.setdefault(note.instrument, [])
        free = min(range(len(voices)), key=voices.__getitem__, default=None)
        if free is None or (voices[free] > note.start - _FREE_FOR and len(voices) < MAX_VOICES):
            voices.append(note.end)
            free = len(voices) - 1
        else:
            stolen += voices[free] > note.start
            voices[free] = note.end
        lane = f"{note.instrument} voice {free + 1}"
        length = note.end - note.start
        notes.append(Note(lane, note.instrument, note.start, length, note.pitch, note.velocity))
    return notes, stolen
