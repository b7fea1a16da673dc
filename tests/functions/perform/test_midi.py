import io
from fractions import Fraction

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from functions.perform.midi import MAX_NOTES, MAX_VOICES, read_midi
from functions.perform.pattern import PatternParams, perform_file
from shared.errors import Permanent, ValidationError
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


def control(number: int, value: int, at: int = 0):
    return mido.Message("control_change", control=number, value=value, time=at)


@pytest.mark.parametrize(("value", "beats"), [(127, 2), (64, 2), (63, 1), (0, 1)])
def test_the_damper_pedal_holds_notes_from_64_on(value, beats):
    score = read_midi(midi(control(64, value), on(60), off(60), control(64, 0, BEAT)))
    assert score.notes[0].length_beats == beats


def test_a_key_struck_again_under_the_pedal_sounds_until_it_comes_up_itself():
    score = read_midi(
        midi(
            *(control(64, 127), on(60), off(60, BEAT // 2), on(60, BEAT // 2, 50)),
            *(control(64, 0, BEAT // 2), off(60, 5 * BEAT // 2)),
        )
    )
    assert [(n.beats, n.length_beats, n.velocity) for n in score.notes] == [(0, 1, 90), (1, 3, 50)]


def test_the_pedal_lets_go_of_what_no_key_holds_and_of_nothing_else():
    keys = (on(60), on(64), control(64, 127), off(60), control(64, 0, BEAT), off(64))
    score = read_midi(midi(*keys, on(67, BEAT), off(67)))
    assert [n.length_beats for n in score.notes] == [2, 3, 1]


@pytest.mark.parametrize(
    ("message", "beats"),
    [((120, 0), 1), ((123, 0), 2), ((124, 0), 2), ((127, 0), 2), ((121, 0), 3), ((122, 0), 3)],
)
def test_all_notes_off_and_all_sound_off_are_heeded(message, beats):
    """Notes off leaves to the pedal what it holds; reset lifts the pedal; 122 is no such thing."""
    score = read_midi(
        midi(control(64, 127), on(60), control(*message, BEAT), control(64, 0, BEAT), off(60))
    )
    assert score.notes[0].length_beats == beats


def test_a_note_keeps_the_sound_it_began_with():
    change = mido.Message("program_change", program=33, time=BEAT)
    score = read_midi(midi(on(60), change, off(60), on(62), off(62)))
    assert [note.instrument for note in score.notes] == ["keys 1", "bass 1"]


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


@pytest.mark.parametrize(
    ("value", "gain_db"), [(127, 0.0), (64, -11.905), (32, -23.946), (1, -84.152), (0, -96.0)]
)
def test_volume_is_general_midis_gain(value, gain_db):
    """40 log10(value / 127) dB, of a fader that goes from -96 to 24 dB."""
    (point,) = read_midi(midi(control(7, value), on(60), off(60))).points
    assert point.control == "gain_db"
    assert point.position * 120 - 96 == pytest.approx(gain_db, abs=0.001)


def test_expression_counts_beside_volume_until_controllers_are_reset():
    """Most orchestral files swell by expression (controller 11) alone."""
    score = read_midi(
        midi(control(7, 64), on(60), control(11, 64, BEAT), control(121, 0, BEAT), off(60))
    )
    gains = [(point.beats, point.position * 120 - 96) for point in score.points]
    assert [beat for beat, _ in gains] == [0, 1, 2] and not score.notices
    assert [gain for _, gain in gains] == pytest.approx([-11.905, -23.810, -11.905], abs=0.001)


def test_a_channel_without_a_volume_is_as_loud_as_one_that_says_general_midis_own():
    both = [on(60), off(60), on(60, channel=1), off(60, channel=1)]
    said, unsaid = read_midi(midi(control(7, 100), *both)).instruments
    assert said.gain_db == unsaid.gain_db == pytest.approx(-4.152, abs=0.001)
    assert {setup.gain_db for setup in read_midi(midi(*both)).instruments} == {0.0}


def test_a_note_that_nothing_ends_sounds_at_the_end_too():
    """Some programs write no ends of notes at all, and the end of the track with the last one."""
    score = read_midi(midi(on(60), on(62, BEAT)))
    assert [(note.beats, note.length_beats) for note in score.notes] == [(0, 1), (1, 1)]


def test_a_stray_event_long_behind_the_last_note_makes_no_silence():
    tempo = mido.MetaMessage("set_tempo", tempo=400_000, time=3_000 * BEAT)
    score = read_midi(midi(on(60), off(60), tempo))
    assert score.length_beats == 2
    assert score.notices == ("1 x end of 3000 beats in which nothing is played, left out",)


@pytest.mark.parametrize(("beat_us", "bpm"), [(20, 1_000), (16_777_215, 5)])
def test_a_tempo_that_nobody_plays_is_taken_as_the_nearest(beat_us, bpm):
    tempo = mido.MetaMessage("set_tempo", tempo=beat_us)
    score = read_midi(midi(tempo, on(60), off(60)))
    assert score.tempo_map.bpm_at(0) == bpm
    assert f"BPM, taken as {bpm}" in score.notices[0]


@pytest.mark.parametrize(
    ("value", "position"), [(0, 0.0), (1, 0.0), (32, 31 / 126), (64, 0.5), (127, 1.0)]
)
def test_pan_goes_from_hard_left_to_hard_right(value, position):
    """By RP-036: 64 is the middle, and both ends are reached."""
    (point,) = read_midi(midi(control(10, value), on(60), off(60))).points
    assert (point.control, point.position) == ("pan", position)


@pytest.mark.parametrize(("value", "silent"), [(0, 1), (127, 0)])
def test_a_part_on_one_side_is_not_heard_on_the_other(value, silent, tmp_path):
    piece = tmp_path / "piece.mid"
    piece.write_bytes(midi(control(10, value), on(60, 0), off(60)))
    master = perform_file(piece, PatternParams(tail=False), tmp_path).files["master"]
    peaks = np.abs(soundfile.read(master)[0]).max(axis=0)
    assert peaks[1 - silent] > 0.1
    assert peaks[silent] == 0.0


def test_a_piece_has_so_many_notes_and_no_more(monkeypatch):
    def notes(count):
        return [one for _ in range(count) for one in (on(60), off(60, 1))]

    assert MAX_NOTES == 20_000
    monkeypatch.setattr("functions.perform.midi.MAX_NOTES", 50)
    assert len(read_midi(midi(*notes(50))).notes) == 50
    with pytest.raises(ValidationError, match="more than 50 notes"):
        read_midi(midi(*notes(51)))


def test_meters_in_the_middle_of_bars_and_many_of_them_are_laid_out():
    def meter(numerator, at=0):
        return mido.MetaMessage("time_signature", numerator=numerator, denominator=4, time=at)

    score = read_midi(midi(meter(3), meter(4, 4 * BEAT), meter(2, 4 * BEAT), on(60), off(60)))
    bars = [score.tempo_map.bar_at(beat).bar for beat in (0, 3, 6, 7, 8, 9)]
    assert bars == [0, 1, 1, 2, 2, 3]
    many = read_midi(midi(*(meter(2 + n % 2, BEAT) for n in range(5_000)), on(60), off(60)))
    assert many.length_beats == 5_001


@given(st.binary(max_size=200), st.integers(0, 80))
def test_damaged_files_are_refused_and_nothing_else(garbage, cut):
    whole = midi(on(60), off(60), on(62), off(62))
    try:
        read_midi(whole[:cut] + garbage)
    except Permanent as error:
        assert error.message


@pytest.mark.skipif(not MIDI_FILES.exists(), reason="the test recordings are not on this machine")
def test_real_files_are_played_where_they_hold_notes():
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    for name in ("c-major-scale", "corrupt-file-extra-byte", "corrupt-file-missing-byte"):
        played = read_midi((MIDI_FILES / f"test-{name}.mid").read_bytes())
        assert [note.pitch for note in played.notes] == scale, name
        assert bool(played.notices) == ("corrupt" in name)
    paths = sorted(MIDI_FILES.glob("*.mid"))
    assert len(paths) > 8
    for path in paths:
        data = path.read_bytes()
        if b"\x90" in data[14:]:
            assert read_midi(data).notes, path.name
        else:
            with pytest.raises(ValidationError, match="plays no note"):
                read_midi(data)


@pytest.mark.parametrize("ticks", [0, 1, BEAT])
def test_drums_ring_however_short_they_are_written(ticks):
    """Many programs write them a tick long, or none: a crash would be a click."""
    crash = 49
    score = read_midi(midi(on(crash, channel=9), off(crash, ticks, channel=9)))
    assert score.notes[0].length_beats == Fraction("2.8")  # 1.4 s at 120 BPM


def test_a_closed_hat_ends_an_open_one_and_no_crash():
    crash, open_hat, closed = 49, 46, 42
    strokes = (on(crash, channel=9), on(open_hat, channel=9), on(closed, BEAT, channel=9))
    notes = [note for note in read_midi(midi(*strokes)).notes if note.instrument == "open_hat 10"]
    assert sorted(note.length_beats for note in notes) == [1, Fraction("2.8")]


def test_a_notes_end_that_is_written_behind_the_next_ones_beginning_is_the_formers():
    score = read_midi(midi(on(60), on(60, BEAT), off(60, 0), off(60)))
    assert [(note.beats, note.length_beats) for note in score.notes] == [(0, 1), (1, 1)]
