"""Tempo, beats and metre of recordings whose truth is exact, because they are made here."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from shared.sound.beats import Section, hear_beats, pulse_clarity
from tests.functions.detect import synth
from tests.models.groove_synth import DRUMMED, NO_DRUMS, RATE_HZ, Bar, played
from tests.onset_tracks import analyse

FRAMES_PER_S = 43.0


def heard(truth: synth.Truth) -> list[Section]:
    return hear_beats(analyse([truth.samples[:, None]], truth.rate_hz))


def beat_f(truth: synth.Truth, sections: list[Section]) -> float:
    found_s = np.concatenate([np.zeros(0), *(section.beats_s for section in sections)])
    trim = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trim(truth.beats_s), trim(found_s)))


GROOVES = [
    *[("rock", synth.ROCK, 2, bpm) for bpm in (60, 80, 105, 140, 200)],
    *[("busy kick", synth.BUSY, 2, bpm) for bpm in (60, 90, 120)],
    *[("sixteenths", synth.SIXTEENTHS, 4, bpm) for bpm in (60, 90, 120)],
    *[("house", synth.HOUSE, 2, bpm) for bpm in (70, 120, 200)],
    *[("waltz", synth.WALTZ, 2, bpm) for bpm in (70, 105, 160)],
    *[("six eight", synth.SIX_EIGHT, 3, bpm) for bpm in (80, 105, 120)],
]


@pytest.mark.parametrize(
    ("pattern", "steps", "bpm"),
    [row[1:] for row in GROOVES],
    ids=[f"{row[0]} {row[3]}" for row in GROOVES],
)
def test_grooves(pattern: Mapping[str, str], steps: int, bpm: float) -> None:
    """The tempo within 1 %, neither an octave nor 4/3 off, and every beat."""
    truth = synth.groove(pattern, bpm, steps_per_beat=steps)
    (section,) = sections = heard(truth)
    assert section.bpm == pytest.approx(bpm, rel=0.01)
    assert section.beats_per_bar == len(pattern["kick"]) // steps
    assert section.steady and section.phase == 0
    assert downbeat_f(truth, sections, section.beats_per_bar) > 0.95
    assert beat_f(truth, sections) > 0.95


SLOW_BLUES = Bar(
    *("slow blues", 3, 4),
    rows={"kick": "x.......xx..", "snare": "...x.....x.x", "hat": "xooxooxooxoo"},
    bpms=(56.0, 70.0, 84.0),
)
"""Twelve eight: a bar of four, whose halves differ."""
AS_SIX_EIGHT = ("twelve-eight",)
"""Its half bars are alike but for one soft stroke: drums alone don't say which of the two it is."""
FOURS = [bar for bar in (*DRUMMED, *NO_DRUMS, SLOW_BLUES) if bar.beats == 4]


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    "bar", [bar for bar in FOURS if bar.name not in AS_SIX_EIGHT], ids=lambda bar: bar.name
)
def test_bars_of_four_are_not_taken_for_six_eight(bar: Bar) -> None:
    """A shuffle, whose first third is a rest, is none, nor is a bar whose second half is another."""
    for bpm in bar.bpms:
        piece = played(bar, bpm, np.random.default_rng(11))
        sections = hear_beats(analyse([piece.samples[:, None]], RATE_HZ))
        assert {section.beats_per_bar for section in sections} <= {3, 4, 5, 6, 7}


@pytest.mark.first_is_quick
@pytest.mark.parametrize("bpm", [58, 70, 90, 116])
def test_six_eight_is_counted_in_two(bpm: float) -> None:
    (bar,) = (bar for bar in DRUMMED if bar.name == "six-eight")
    piece = played(bar, bpm, np.random.default_rng(11))
    (section,) = hear_beats(analyse([piece.samples[:, None]], RATE_HZ))
    found_s = section.beats_s[section.phase :: section.beats_per_bar]
    assert (section.bpm, section.beats_per_bar) == (pytest.approx(bpm, rel=0.01), 2)
    assert mir_eval.beat.f_measure(piece.bars_s, found_s) > 0.95


_FIVE = {"kick": "x..x......", "snare": "....x...x.", "hat": "x" * 10}
_SEVEN = {"kick": "x..x..x.......", "snare": "....x...x...x.", "hat": "x" * 14}
ODD = (Bar("five", 2, 5, _FIVE, (100.0, 140.0)), Bar("seven", 2, 7, _SEVEN, (100.0,)))


@pytest.mark.first_is_quick
@pytest.mark.parametrize(("bar", "bpm"), [(bar, bpm) for bar in ODD for bpm in bar.bpms])
def test_bars_of_five_and_seven(bar: Bar, bpm: float) -> None:
    piece = played(bar, bpm, np.random.default_rng(11), seconds=16.0)
    (section,) = hear_beats(analyse([piece.samples[:, None]], RATE_HZ))
    assert (section.bpm, section.beats_per_bar) == (pytest.approx(bpm, rel=0.01), bar.beats)


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("name", "bpm"), [("alberti", 66), ("arpeggio", 132), ("arpeggio-six", 64)]
)
def test_chords_that_come_again_after_ten_beats_are_no_bars_of_five(name: str, bpm: float) -> None:
    (bar,) = (bar for bar in NO_DRUMS if bar.name == name)
    piece = played(bar, bpm, np.random.default_rng(11), seconds=16.0)
    (section,) = hear_beats(analyse([piece.samples[:, None]], RATE_HZ))
    assert section.beats_per_bar not in (5, 7)


def downbeat_f(truth: synth.Truth, sections: list[Section], per_bar: int = 4) -> float:
    """Of where bars begin, within 70 ms. ``truth`` begins on a bar's first beat."""
    bars_s = [section.beats_s[section.phase :: section.beats_per_bar] for section in sections]
    found_s = np.concatenate([np.zeros(0), *bars_s])
    return float(mir_eval.beat.f_measure(truth.beats_s[::per_bar], found_s))


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("pattern", "steps", "per_bar", "beat"),
    [*[(synth.SIXTEENTHS, 4, 4, beat) for beat in (1, 2, 3)], (synth.WALTZ, 2, 3, 2)],
)
def test_bars_begin_where_they_do_whatever_beat_comes_first(
    pattern: Mapping[str, str], steps: int, per_bar: int, beat: int
) -> None:
    """Cut off before a later beat of its first bar."""
    whole = synth.groove(pattern, 90, steps_per_beat=steps)
    cut = round((whole.beats_s[beat] - 0.1) * whole.rate_hz)
    bars_s = whole.beats_s[per_bar:] - cut / whole.rate_hz
    truth = synth.Truth(whole.samples[cut:], whole.rate_hz, np.zeros(0), bars_s)
    assert downbeat_f(truth, heard(truth), per_bar) > 0.9


@pytest.mark.parametrize("bpm", [60, 100])
@pytest.mark.parametrize("tail_s", [0.0, 3.0])
def test_a_recording_that_begins_on_a_beat_has_that_beat(bpm: float, tail_s: float) -> None:
    """Nothing rises there, for nothing lies before; without it bars began on the three."""
    whole = synth.groove(synth.ROCK, bpm)
    first = round(whole.beats_s[0] * whole.rate_hz)
    samples = np.append(whole.samples[first:], np.zeros(round(tail_s * whole.rate_hz)))
    truth = synth.Truth(samples.astype(np.float32), whole.rate_hz, np.zeros(0), whole.beats_s)
    (section,) = heard(truth)
    assert section.beats_s[:4] == pytest.approx(np.arange(4) * 60 / bpm, abs=0.03)
    assert section.phase == 0


def test_a_recording_that_begins_between_beats_has_none_there() -> None:
    whole = synth.groove(synth.ROCK, 100)
    first = round((whole.beats_s[0] + 0.35) * whole.rate_hz)
    beats_s = whole.beats_s[1:] - first / whole.rate_hz
    truth = synth.Truth(whole.samples[first:], whole.rate_hz, np.zeros(0), beats_s)
    (section,) = heard(truth)
    assert section.beats_s[0] == pytest.approx(beats_s[0], abs=0.03)


@pytest.mark.parametrize("bpm", [80, 100, 120])
def test_swing_is_no_waltz(bpm: float) -> None:
    truth = synth.groove(synth.ROCK, bpm, swing=0.64)
    (section,) = sections = heard(truth)
    assert (section.bpm, section.beats_per_bar) == (pytest.approx(bpm, rel=0.01), 4)
    assert beat_f(truth, sections) > 0.95


@pytest.mark.parametrize("bpm", [85.0, 97.3, 120.0, 133.0, 170.0])
def test_tempo_is_within_a_quarter_of_a_percent(bpm: float) -> None:
    (section,) = heard(synth.drums(bpm=bpm, bars=12, noise_dbfs=-45))
    assert section.bpm == pytest.approx(bpm, rel=0.0025)


def test_a_tempo_that_drifts() -> None:
    truth = synth.drums(bars=16, bpm=100, bpm_end=125, noise_dbfs=-50)
    (section,) = heard(truth)
    assert beat_f(truth, [section]) > 0.95


def test_each_side_of_a_rest_has_its_own_tempo() -> None:
    one, other = synth.groove(synth.ROCK, 126), synth.groove(synth.BUSY, 92)
    rest = 1e-4 * np.random.default_rng(0).standard_normal(3 * one.rate_hz).astype(np.float32)
    samples = np.concatenate([one.samples, rest, other.samples])
    sections = heard(synth.Truth(samples, one.rate_hz, np.zeros(0), np.zeros(0)))
    assert [section.bpm for section in sections] == [
        pytest.approx(126, rel=0.01),
        pytest.approx(92, rel=0.01),
    ]


@pytest.mark.first_is_quick
@pytest.mark.parametrize(("bpm", "other_bpm"), [(126.0, 158.0), (92.0, 74.0), (104.0, 145.0)])
def test_a_tempo_that_changes_at_once_has_two_sections(bpm: float, other_bpm: float) -> None:
    """On the beat, without a rest: neither one tempo that suits both a little nor an octave between them."""
    one, other = synth.groove(synth.ROCK, bpm), synth.groove(synth.BUSY, other_bpm)
    end, first = (
        round(at_s * one.rate_hz) for at_s in (one.beats_s[-1] + 60 / bpm, other.beats_s[0])
    )
    beats_s = np.append(one.beats_s, other.beats_s + (end - first) / one.rate_hz)
    samples = np.concatenate([one.samples[:end], other.samples[first:]])
    truth = synth.Truth(samples, one.rate_hz, np.zeros(0), beats_s)
    sections = heard(truth)
    assert [section.bpm for section in sections] == [
        pytest.approx(bpm, rel=0.01),
        pytest.approx(other_bpm, rel=0.01),
    ]
    assert beat_f(truth, sections) > 0.95


@pytest.mark.parametrize("vibrato_hz", [4.0, 5.0, 6.5])
def test_a_vibrato_is_no_beat(vibrato_hz: float) -> None:
    assert heard(synth.pad(15, vibrato_hz=vibrato_hz)) == []


def test_noise_has_no_steady_beat() -> None:
    samples = synth.noise_floor(np.zeros(44_100 * 15, np.float32), -20)
    sections = heard(synth.Truth(samples, 44_100, np.zeros(0), np.zeros(0)))
    assert not any(section.steady for section in sections)


@pytest.mark.heavy
def test_speech_has_no_steady_beat(tmp_path: Path) -> None:
    text = "The garden gate was left open all night, and nobody knew who had been there before us."
    subprocess.run(["espeak-ng", "-w", str(tmp_path / "said.wav"), text], check=True)
    samples, rate_hz = soundfile.read(tmp_path / "said.wav", dtype="float32")
    sections = heard(synth.Truth(samples, rate_hz, np.zeros(0), np.zeros(0)))
    assert not any(section.steady for section in sections)


def test_silence_and_moments_have_no_beats() -> None:
    for count in (0, 1, 500, 44_100):
        nothing = synth.Truth(np.zeros(count, np.float32), 44_100, np.zeros(0), np.zeros(0))
        assert heard(nothing) == []


def test_clarity_tells_a_beat_from_noise() -> None:
    noise = np.abs(np.random.default_rng(2).standard_normal(860))
    beat = 0.05 * noise
    beat[::21] += 1.0
    assert np.median(pulse_clarity(beat, FRAMES_PER_S)) > 0.7
    assert np.median(pulse_clarity(noise, FRAMES_PER_S)) < 0.25
