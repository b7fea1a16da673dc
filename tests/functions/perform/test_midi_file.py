"""Odd MIDI files that players play, each made here byte by byte."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.perform.midi import read_midi
from functions.perform.midi_file import MAX_MESSAGES, parse_midi
from functions.probe.recording import probe_recording
from shared.audio.score import Score
from shared.errors import Permanent, UnsupportedMedia, ValidationError

BEAT = b"\x83\x60"
"""480 ticks as a variable-length number."""
NOTE = b"\0\x90\x3c\x64" + BEAT + b"\x80\x3c\x40"
"""C4, a beat long."""
END = b"\0\xff\x2f\0"
WHOLE = NOTE + END


def chunk(events: bytes, name: bytes = b"MTrk", size: int | None = None) -> bytes:
    return name + struct.pack(">L", len(events) if size is None else size) + events


def head(tracks: int = 1, kind: int = 1, division: int = 480, more: bytes = b"") -> bytes:
    return chunk(struct.pack(">HHH", kind, tracks, division) + more, b"MThd")


def smf(events: bytes) -> bytes:
    return head() + chunk(events)


def heard(score: Score) -> list[tuple[Fraction, Fraction, float | None, float]]:
    return [(n.beats, n.length_beats, n.pitch, n.velocity) for n in score.notes]


ONE_BEAT = [(Fraction(0), Fraction(1), 60.0, 100.0)]
MIDDLE = smf(WHOLE)
ODD = {
    "plain": (MIDDLE, ()),
    "strange key": (
        smf(b"\0\xff\x59\x02\x09\x07" + WHOLE),
        ("left out: 1 x key signature that makes no sense",),
    ),
    "empty key": (
        smf(b"\0\xff\x59\0" + WHOLE),
        ("left out: 1 x key signature that makes no sense",),
    ),
    "short tempo": (
        smf(b"\0\xff\x51\x01\x07" + WHOLE),
        ("left out: 1 x tempo that makes no sense",),
    ),
    "tempo of nothing": (
        smf(b"\0\xff\x51\x03\0\0\0" + WHOLE),
        ("left out: 1 x tempo of no length",),
    ),
    "long tempo": (smf(b"\0\xff\x51\x04\x07\xa1\x20\0" + WHOLE), ()),
    "time signature of nothing": (
        smf(b"\0\xff\x58\x04\0\x02\x18\x08" + WHOLE),
        ("left out: 1 x time signature 0/4",),
    ),
    "time signature in 64ths": (
        smf(b"\0\xff\x58\x04\x07\x06\x18\x08" + WHOLE),
        ("left out: 1 x time signature 7/64",),
    ),
    "empty sequence number, port and channel": (
        smf(b"\0\xff\0\0\0\xff\x21\0\0\xff\x20\0" + WHOLE),
        (),
    ),
    "name in no encoding": (smf(b"\0\xff\x03\x02\xff\xfe" + WHOLE), ()),
    "offset in strange frames": (smf(b"\0\xff\x54\x05\xff\xff\xff\xff\xff" + WHOLE), ()),
    "unknown chunk": (
        head(2) + chunk(b"\0\xff\x51\x03\x07\xa1\x20" + END) + chunk(b"abc", b"XFIH") + chunk(WHOLE),
        ("left out: a chunk 'XFIH'",),
    ),
    "fewer tracks": (head(5) + chunk(WHOLE), ("the header says 5 tracks, the file holds 1",)),
    "more tracks": (head(1) + chunk(END) + chunk(WHOLE), ("the header says 1 track, the file holds 2",)),
    "long header": (head(more=b"more") + chunk(WHOLE), ()),
    "track without events": (head(2) + chunk(b"") + chunk(WHOLE), ("track 1 has no end mark",)),
    "no end": (smf(NOTE), ("track 1 has no end mark",)),
    "half an end": (
        smf(NOTE + b"\0\xff\x2f"),
        ("track 1 is cut off at byte 34; what comes before is played",),
    ),
    "stray byte at the end": (MIDDLE + b"\x0a", ("1 x byte between or behind the tracks",)),
    "stray bytes between": (
        head(2) + chunk(END) + b"\xb0\0\x01" + chunk(WHOLE),
        ("3 x byte between or behind the tracks",),
    ),
    "events behind the end": (
        smf(WHOLE + b"\0\x90\x48\x64"),
        ("4 x byte between or behind the tracks",),
    ),
    "length too short": (head() + chunk(WHOLE, size=5), ("track 1 is not as long as it says",)),
    "length too long": (
        head(2) + chunk(END, size=9) + chunk(WHOLE),
        ("track 1 is not as long as it says",),
    ),
    "length of a writer that never came back": (
        head() + chunk(WHOLE, size=0xFFFFFFFF),
        ("track 1 is not as long as it says",),
    ),
    "length of nothing": (head() + chunk(WHOLE, size=0), ("track 1 is not as long as it says",)),
    "General MIDI on": (smf(b"\0\xf0\x05\x7e\x7f\x09\x01\xf7" + WHOLE), ()),
    "system exclusive": (
        smf(b"\0\xf0\x04\x43\x12\x99\xf7\0\xf7\x01\xf8" + WHOLE),
        ("left out: 2 x system exclusive",),
    ),
    "clock and position": (
        smf(b"\0\xf8\0\xf2\x01\x02" + WHOLE),
        ("left out: 2 x system message, which have no place in a file",),
    ),
    "running status over a name": (
        smf(b"\0\x90\x3c\x64" + b"\0\xff\x01\x02hi" + BEAT + b"\x3c\0" + END),
        (),
    ),
    "running status over system exclusive": (
        smf(b"\0\x90\x3c\x64" + b"\0\xf0\x01\xf7" + BEAT + b"\x3c\0" + END),
        ("left out: 1 x system exclusive",),
    ),
    "type 0 of two tracks": (head(2, kind=0) + chunk(END) + chunk(WHOLE), ()),
    "type 2 of one pattern": (head(1, kind=2) + chunk(WHOLE), ()),
    "25 frames of 40 ticks": (
        head(division=0xE728) + chunk(b"\0\x90\x3c\x64\x83\x74\x80\x3c\x40" + END),
        ("timed in film frames: tempo changes do not count",),
    ),
    "RMID": (
        b"RIFF" + struct.pack("<L", 22 + len(MIDDLE)) + b"RMIDINFO\x01\0\0\0x\0"
        b"data" + struct.pack("<L", len(MIDDLE)) + MIDDLE,
        (),
    ),
    "MacBinary": (b"\0\x05a.mid".ljust(128, b"\0") + MIDDLE, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_played_and_told(name: str) -> None:
    data, notices = ODD[name]
    score = read_midi(data)
    assert heard(score) == ONE_BEAT
    assert score.notices == notices
    assert score.tempo_map.bpm_at(0) == 120


@pytest.mark.parametrize("name", ["plain", "RMID", "MacBinary", "fewer tracks"])
def test_what_is_played_is_also_taken_for_midi_when_it_comes_in(name: str, tmp_path) -> None:
    path = tmp_path / "upload.bin"
    path.write_bytes(ODD[name][0])
    assert probe_recording(path).media.container == "midi"


def test_values_over_127_are_127() -> None:
    score = read_midi(smf(b"\0\x90\x3c\xc8" + BEAT + b"\x80\x3c\x40" + END))
    assert heard(score) == [(0, 1, 60.0, 127.0)]
    assert score.notices == ("1 x value over 127, taken as 127",)


def test_time_goes_by_in_events_that_nobody_knows() -> None:
    score = read_midi(smf(BEAT + b"\xff\x60\x01x" + BEAT + b"\xf0\x01\xf7" + WHOLE))
    assert score.notes[0].beats == 2


def test_silence_at_the_end_counts() -> None:
    assert read_midi(smf(NOTE + b"\x87\x40\xff\x2f\0")).length_beats == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MThd", "ends within its header"),
        (b"nothing", "does not begin with MThd"),
        (b"RIFF\0\0\0\0RMID", "without a MIDI file in it"),
        (head(2, kind=2) + chunk(WHOLE) * 2, "type 2 holds separate patterns"),
        (head(kind=3) + chunk(WHOLE), "type 3, which does not exist"),
        (head(division=0) + chunk(WHOLE), "no ticks"),
        (head(division=0xE700) + chunk(WHOLE), "25 film frames a second, of 0 ticks"),
        (head(division=0x9C28) + chunk(WHOLE), "100 film frames"),
        (head(0), "plays no note"),
        (smf(END), "plays no note"),
        (smf(b"\0\x3c\x40" + WHOLE), "plays no note"),
    ],
)
def test_refusals_carry_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Permanent, match=reason):
        read_midi(data)


def test_what_is_unreadable_ends_its_own_track_alone() -> None:
    broken = NOTE + b"\0\x90\x40\x64" + b"\xff\xff\xff\xff\xff\xff"
    score = read_midi(
        head(2) + chunk(broken) + chunk(b"\0\x91\x43\x64" + BEAT + b"\x81\x43\0" + END)
    )
    assert [note.pitch for note in score.notes] == [60.0, 67.0, 64.0]
    assert "track 1 has a number of more than 4 bytes at byte 39" in score.notices[0]


def test_film_time_is_exact_at_thirty_drop_frames() -> None:
    data = head(division=0xE350) + chunk(b"\0\x90\x3c\x64\x92\x60\x80\x3c\x40" + END)
    assert read_midi(data).notes[0].length_beats == 2 * Fraction(2_400 * 1_001, 80 * 30_000)


def test_a_file_has_so_many_messages_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_MESSAGES == 200_000
    monkeypatch.setattr("functions.perform.midi_file.MAX_MESSAGES", 50)
    most = b"\0\xb0\x01\x02" + b"\0\x01\x02" * 49
    assert len(parse_midi(smf(most)).messages) == 50
    with pytest.raises(ValidationError, match="more than 50 messages"):
        parse_midi(smf(most + b"\0\x01\x02"))


events = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 15), st.integers(0, 127), st.integers(0, 127)),
    max_size=30,
)


@given(st.lists(events, max_size=4))
def test_well_made_files_are_read_as_mido_reads_them(tracks: list[list[tuple[int, ...]]]) -> None:
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    for track in tracks:
        file.tracks.append(
            mido.MidiTrack(
                mido.Message("note_on", time=time, channel=channel, note=note, velocity=velocity)
                for time, channel, note, velocity in track
            )
        )
    saved = io.BytesIO()
    file.save(file=saved)
    expected, ticks = [], 0
    for message in mido.merge_tracks(mido.MidiFile(file=io.BytesIO(saved.getvalue())).tracks):
        ticks += message.time
        if message.type == "note_on":
            expected.append((Fraction(ticks, 480), message.bytes()))
    read = parse_midi(saved.getvalue())
    assert [(one.beat, one.message.bytes()) for one in read.messages] == expected
    assert read.length_beats == Fraction(ticks, 480) and not read.notices


@given(st.data())
def test_no_change_of_a_byte_is_an_internal_error(data: st.DataObject) -> None:
    whole = bytearray(ODD[data.draw(st.sampled_from(sorted(ODD)))][0])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_midi(bytes(whole))
    except (UnsupportedMedia, ValidationError) as error:
        assert error.message
