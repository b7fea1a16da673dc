from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from shared.audio.bridge import PatternPerformanceBridge
from shared.audio.config import EngineConfig
from shared.audio.families import crossfade_width
from shared.audio.modules import ClipSampleLayer
from shared.audio.score import ControlPoint, InstrumentSetup, LfoSetup, Note, Score, Window
from shared.audio.sounds import Sound
from shared.audio.tempo import TempoChange, TempoMap
from shared.errors import ValidationError
from tests.shared.audio.rig import RATE, noise

CONFIG = EngineConfig(RATE)
HIT = Sound("hit", "drums", layers=(ClipSampleLayer(noise(12_000, 1)),))
WAVE = Sound("wave", "lead", wave="saw", attack_ms=1.0, release_ms=20.0)


def note(beat: float, **changes) -> Note:
    made = Note("lane", "drum", Fraction(str(beat)), Fraction(1, 4), None, 127.0)
    return replace(made, **changes)


def point(beat: float, position: float, **changes) -> ControlPoint:
    made = ControlPoint("fader", 1, "drum", "gain_db", Fraction(str(beat)), position)
    return replace(made, **changes)


def score(**changes) -> Score:
    made = Score(
        "piece",
        TempoMap(120),
        Fraction(4),
        (InstrumentSetup("drum", "hit"),),
        (note(0), note(1.5)),
        tail_beats=Fraction(0),
    )
    return replace(made, **changes)


def bridge(piece: Score, **sounds: Sound) -> PatternPerformanceBridge:
    return PatternPerformanceBridge(CONFIG, piece, sounds or {"drum": HIT})


def test_notes_sound_at_their_beats():
    master = bridge(score()).perform().master[:, 0]
    assert master[0] != 0.0
    assert not master[35_000:36_000].any()
    assert master[36_000] != 0.0


def test_notes_follow_a_tempo_change():
    piece = score(tempo_map=TempoMap(120, [TempoChange(1, 60)]))
    master = bridge(piece).perform().master[:, 0]
    assert np.flatnonzero(master[30_000:])[0] + 30_000 == 48_000


def test_a_note_ends_at_its_length():
    piece = score(
        instruments=(InstrumentSetup("lead", "wave"),),
        notes=(note(1, instrument="lead", pitch=60.0, length_beats=Fraction(1)),),
    )
    loud = np.flatnonzero(np.abs(bridge(piece, lead=WAVE).perform().master[:, 0]) > 1e-9)
    assert loud[0] == pytest.approx(24_000, abs=3)
    assert loud[-1] == pytest.approx(48_000 + 960, abs=30)


def test_stems_add_up_to_the_master():
    wet = InstrumentSetup("lead", "wave", pan=-0.5, sends_db={"reverb": -6.0, "delay": -3.0})
    piece = score(
        instruments=(InstrumentSetup("drum", "hit", gain_db=-6.0, pan=0.3), wet),
        notes=(note(0), note(1, lane="high", instrument="lead", pitch=64.0)),
    )
    performance = bridge(piece, drum=HIT, lead=WAVE).perform()
    assert list(performance.stems) == ["drum", "lead", "delay", "reverb"]
    assert all(np.abs(stem).max() > 1e-3 for stem in performance.stems.values())
    together = sum(performance.stems.values())
    assert_allclose(together, performance.master, rtol=0, atol=1e-6, equal_nan=False)


def test_the_table_has_a_row_for_each_beat_and_the_silent_ones_say_so():
    performance = bridge(score()).perform()
    assert len(performance.loudness) == 4
    assert [np.isfinite(beat.lufs) for beat in performance.loudness] == [True, True, False, False]


def gain_curve(points: tuple[ControlPoint, ...], beats: int = 4) -> np.ndarray:
    """The drum's fader over time in dB, heard through a steady sound."""
    steady = Sound("steady", "other", layers=(ClipSampleLayer(np.full(400_000, 0.01)),))
    piece = score(notes=(note(0, length_beats=Fraction(beats)),), points=points)
    return 20.0 * np.log10(bridge(piece, drum=steady).perform().master[:, 0] / 0.01)


def test_a_value_steps_at_its_row():
    curve = gain_curve((point(0, 0.8), point(2, 0.75)))
    assert curve[47_999] == pytest.approx(0.0, abs=1e-3)
    assert curve[48_000] == pytest.approx(-6.0, abs=1e-3)


def test_smooth_fades_from_the_row_on_and_is_logged():
    points = (point(0, 0.8), point(2, 0.75, row=9, smooth=Window(Fraction(5), "ms")))
    curve = gain_curve(points)
    assert curve[48_000] == pytest.approx(0.0, abs=1e-3)
    assert curve[48_120] == pytest.approx(-3.0, abs=1e-3)
    assert curve[48_240] == pytest.approx(-6.0, abs=1e-3)
    entry = bridge(score(points=points)).automation_log[1]
    assert (entry.row, entry.from_value, entry.value) == (9, 0.0, -6.0)
    assert (entry.curve, entry.asked_ms, entry.applied_ms) == ("linear", 5.0, 5.0)


def test_a_window_in_beats_follows_the_tempo():
    points = (point(0, 0.8), point(2, 0.75, smooth=Window(Fraction("0.02"), "beats")))
    assert bridge(score(points=points)).automation_log[1].applied_ms == 10.0


def test_a_fade_that_the_next_value_cuts_short_says_so():
    late = Window(Fraction(1_000), "ms")
    points = (point(0, 0.8), point(1, 0.7, smooth=late), point(2, 0.8))
    entry = bridge(score(points=points)).automation_log[1]
    assert (entry.asked_ms, entry.applied_ms) == (1_000.0, 500.0)
    curve = gain_curve(points)
    assert curve[47_999] == pytest.approx(-12.0, abs=0.01)
    assert curve[48_000] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("curve", "halfway_db"),
    [("linear", -6.0), ("exponential", -1.43), ("log", -10.57), ("s_curve", -6.0)],
)
def test_a_curve_alone_fades_from_the_value_before(curve, halfway_db):
    heard = gain_curve((point(0, 0.8), point(2, 0.7, curve=curve)))
    assert heard[24_000] == pytest.approx(halfway_db, abs=0.01)
    assert heard[48_000] == pytest.approx(-12.0, abs=1e-3)


def test_looping_repeats_notes_and_automation_and_cuts_at_the_end():
    piece = score(points=(point(0, 0.8),)).lasting(9)
    assert [float(note.beats) for note in piece.notes] == [0.0, 1.5, 4.0, 5.5, 8.0]
    assert len(piece.points) == 3
    assert len(bridge(piece).perform().master) == 9 * RATE // 2


@pytest.mark.parametrize(
    ("family", "width"), [("strings", 12), ("pads", 12), ("keys", 8), ("plucked", 6)]
)
def test_families_melt_their_layers_by_default(family, width):
    assert crossfade_width(family) == width
    layered = replace(HIT, family=family)
    (chain,) = bridge(score(), drum=layered)._strips["drum"].chains.values()
    assert chain.source.value("velocity_crossfade_width") == width


def test_an_instrument_s_own_width_wins():
    setup = InstrumentSetup("drum", "hit", family="strings", velocity_crossfade_width=3.0)
    (chain,) = bridge(score(instruments=(setup,)))._strips["drum"].chains.values()
    assert chain.source.value("velocity_crossfade_width") == 3.0


def test_an_unknown_family_is_refused():
    with pytest.raises(ValidationError, match="families: strings, pads, keys, plucked"):
        crossfade_width("brassy")


@pytest.mark.parametrize(
    "setup",
    [
        InstrumentSetup("drum", "hit", controls={"cutof_hz": 1.0}),
        InstrumentSetup("drum", "hit", lfos=(LfoSetup("cutof_hz", 2.0, 1.0),)),
    ],
)
def test_an_unknown_control_lists_the_instrument_s(setup):
    with pytest.raises(
        ValidationError,
        match="instrument 'drum': has no control 'cutof_hz'; its controls: gain_db, pan",
    ):
        bridge(score(instruments=(setup,)))


def test_a_cutoff_that_is_turned_brings_its_filter():
    dull = InstrumentSetup("drum", "hit", controls={"cutoff_hz": 200.0})
    bright, dark = (
        np.diff(bridge(score(instruments=(setup,))).perform().master[:, 0]).std()
        for setup in (InstrumentSetup("drum", "hit"), dull)
    )
    assert dark < 0.1 * bright
