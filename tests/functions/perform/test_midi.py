import io
from fractions import Fraction

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.perform.midi import MAX_VOICES, read_midi
from shared.errors import Permanent, UnsupportedMedia, ValidationError
from tests.functions.perform.rig import MIDI_FILES

BEAT = 480


def midi(*messages, kind: int = 0) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=BEAT)
    file.tracks.append(mido.MidiTrack(messages))
    saved = io.BytesIO()
    file.save(file=saved)
    return saved.getvalue()


def on(note: int, at: int = 0, velocity: int = 90, channel: int = 0):
    return mido.Message("note_on", note=note, velocity=velocity, time=at, channel=channel)


def off(note: int, at: int = BEAT, channel: int = 0):
    return mido.Message("note_off", note=note, time=at, channel=channel)


def test_notes_keep_their_time_pitch_and_velocity():
    score = read_midi(midi(on(60), off(60), on(64, BEAT // 3, 40), off(64, BEAT // 2)))
    assert [(n.beats, n.length_beats, n.pitch, n.velocity) for n in score.notes] == [
        (0, 1, 60.0, 90.0),
        (Fraction(4, 3), Fraction(1, 2), 64.0, 40.0),
    ]
    assert score.length_beats == 2


def test_tempo_and_meter_changes_are_exact():
    score = read_midi(
        midi(
            mido.MetaMessage("set_tempo", tempo=500_000),
            mido.MetaMessage("time_signature", numerator=3, denominator=4),
            on(60),
            mido.MetaMessage("set_tempo", tempo=333_333, time=3 * BEAT),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
            off(60),
        )
    )
    assert score.tempo_map.seconds_at(3) == Fraction(3, 2)
    assert score.tempo_map.seconds_at(4) - score.tempo_map.seconds_at(3) == Fraction(333_333, 10**6)
    assert score.tempo_map.bar_at(7).bar == 2


def test_channel_ten_is_drums_and_programs_choose_sounds():
    score = read_midi(
        midi(
            mido.Message("program_change", program=33, channel=1),
            on(36, channel=9),
            off(36, channel=9),
            on(40, channel=1),
            off(40, channel=1),
        )
    )
    assert {setup.name: setup.sound for setup in score.instruments} == {
        "bass 2": "bass",
        "kick 10": "kick",
    }


def test_the_damper_pedal_holds_notes():
    pedal = [
        mido.Message("control_change", control=64, value=value, time=at)
        for value, at in ((127, 0), (0, BEAT))
    ]
    score = read_midi(midi(pedal[0], on(60), off(60), pedal[1]))
    assert score.notes[0].length_beats == 2


def test_chords_spread_over_lanes_and_too_many_are_counted():
    keys = range(30, 30 + MAX_VOICES + 2)
    score = read_midi(
        midi(*(on(key) for key in keys), *(off(key, BEAT if key == 30 else 0) for key in keys))
    )
    assert len({note.lane for note in score.notes}) == MAX_VOICES
    assert score.notices == (f"left out: 2 x notes beyond {MAX_VOICES} at once, cut short",)


def test_what_is_left_out_is_said():
    bend = mido.Message("pitchwheel", pitch=100)
    assert read_midi(midi(on(60), bend, bend, off(60))).notices == ("left out: 2 x pitchwheel",)


def test_volume_and_pan_become_automation_of_the_fader():
    volume = mido.Message("control_change", control=7, value=127)
    pan = mido.Message("control_change", control=10, value=64)
    points = read_midi(midi(volume, pan, on(60), off(60))).points
    assert [(point.control, point.position) for point in points] == [("gain_db", 0.8), ("pan", 0.5)]


def test_other_kinds_of_file_are_refused():
    with pytest.raises(UnsupportedMedia, match="type 2"):
        read_midi(midi(on(60), off(60), kind=2))
    with pytest.raises(ValidationError, match="plays no note"):
        read_midi(midi())


@given(st.binary(max_size=200), st.integers(0, 80))
def test_damaged_files_are_refused_and_nothing_else(garbage, cut):
    whole = midi(on(60), off(60), on(62), off(62))
    try:
        read_midi(whole[:cut] + garbage)
    except Permanent as error:
        assert error.message


@pytest.mark.skipif(not MIDI_FILES.exists(), reason="the test recordings are not on this machine")
def test_real_files_are_read_or_refused_in_words():
    scale = read_midi((MIDI_FILES / "test-c-major-scale.mid").read_bytes())
    assert [note.pitch for note in scale.notes][:8] == [60, 62, 64, 65, 67, 69, 71, 72]
    paths = sorted(MIDI_FILES.glob("*.mid"))
    assert paths
    for path in paths:
        try:
            assert read_midi(path.read_bytes()).notes
        except (UnsupportedMedia, ValidationError) as error:
            assert "MIDI" in error.message
