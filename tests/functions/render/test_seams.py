"""Joins that nobody hears: measured beside places where nothing was cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from functions.render.cut.crossfades import crossfade
from functions.render.cut.cutting_plan import SEAM_MS, cutting
from functions.render.cut.speeding import in_turn
from shared.contracts.edit_list import Edit, ms_at
from shared.editing.time_map import time_map
from tests.functions.render.cutting import (
    RATE,
    Sound,
    cut,
    edit,
    edit_list,
    level_db,
    noise,
    recording,
)

READING = Path(__file__).parents[4] / "shared" / "media" / "transcript" / "LJ001-0001.wav"
SEAM = round(SEAM_MS * RATE / 1000)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "edits",
    [
        (edit("cut", 200, 300), edit("cut", 1000, 1001), edit("cut", 1003, 1900)),
        (edit("cut", 0, 150), edit("shorten", 700, 1500, to_ms=200), edit("cut", 1950, 2000)),
        (edit("mute", 500, 700), edit("bleep", 705, 900), edit("cut", 903, 950)),
        (edit("speed_up", 400, 1400, speed=3), edit("mute", 1000, 1100), edit("cut", 1390, 1500)),
        (edit("mute", 0, 2000),),
        (edit("cut", 0, 2000),),
    ],
)
def test_the_sound_is_as_long_as_the_map_says_and_what_is_kept_is_kept_to_the_bit(
    edits: tuple[Edit, ...], tmp_path: Path
) -> None:
    sound = noise(2 * RATE)
    listed = edit_list(*edits, samples=len(sound))
    heard, made = cut(recording(tmp_path / "noise.wav", sound), listed)
    assert len(heard) == made.plan.frames == round(listed.new_duration_ms * RATE / 1000)
    for number, one in enumerate(made.plan.stretches):
        if one.heard != "kept" or one.sped:
            continue
        first, stop = made.plan.seams[number].stop, made.plan.seams[number + 1].first
        shift = one.source_start - one.start
        assert np.array_equal(heard[first:stop], sound[first + shift : stop + shift].astype("f4"))


@st.composite
def lists(draw: st.DrawFn) -> tuple[Edit, ...]:
    edits = []
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, 1990))
        end = draw(st.integers(start + 1, 2000))
        action = draw(st.sampled_from(["cut", "shorten", "speed_up", "mute", "bleep"]))
        more = {"shorten": {"to_ms": (end - start) // 3}, "speed_up": {"speed": 2.5}}
        edits.append(edit(action, start, end, **more.get(action, {})))
    return tuple({one.edit_id: one for one in edits}.values())


@given(lists(), st.sampled_from([8_000, 44_100, 48_000]))
def test_stretches_and_seams_fill_the_rendering_and_never_overlap(
    edits: tuple[Edit, ...], rate: int
) -> None:
    plan = cutting(edit_list(*edits, samples=2 * RATE), rate)
    at = 0
    for number, one in enumerate(plan.stretches):
        before, behind = plan.seams[number : number + 2]
        assert one.start == at and one.stop > one.start
        assert before.stop <= behind.first and before.frames <= round(SEAM_MS * rate / 1000)
        at = one.stop
    assert at == plan.frames
    if plan.stretches:
        assert plan.seams[0].first == 0 and plan.seams[-1].stop == plan.frames


@pytest.mark.heavy
def test_nothing_of_what_is_silenced_is_heard_whatever_else_is_done_there(tmp_path: Path) -> None:
    silenced = [(300, 500), (700, 800), (1_000, 1_200), (1_195, 1_300)]
    sound = noise(2 * RATE, 0.001)
    for start_ms, end_ms in silenced:
        sound[start_ms * RATE // 1000 : end_ms * RATE // 1000] = 0.5
    edits = [edit("mute", start_ms, end_ms) for start_ms, end_ms in silenced]
    edits += [edit("cut", 300, 600), edit("cut", 650, 900), edit("speed_up", 900, 1_900, speed=4)]
    heard, _ = cut(recording(tmp_path / "loud.wav", sound), edit_list(*edits, samples=len(sound)))
    assert np.abs(heard).max() < 0.01


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_a_crossfade_is_as_loud_as_its_sides_however_alike_they_are(alike: float) -> None:
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((2, 48_000, 1))
    other = alike * one + np.sqrt(1 - alike**2) * other
    mixed = crossfade(one.astype("f4"), other.astype("f4"))
    for part in np.split(mixed, 8):
        assert level_db(part) == pytest.approx(0.0, abs=0.3)


def band_levels(heard: Sound, places: Sequence[int]) -> Sound:
    """Mean level of the 10 ms around places, in 6 bands of an octave from 125 Hz on, in dB."""
    parts = np.array([heard[at - SEAM // 2 : at + SEAM // 2, 0] for at in places])
    powers = np.square(np.abs(np.fft.rfft(parts * np.hanning(SEAM), 8 * SEAM))).mean(axis=0)
    edges = 125 * 2 ** np.arange(7) * 8 * SEAM // RATE
    return np.array([10 * np.log10(powers[a:b].mean()) for a, b in pairwise(edges)])


@pytest.mark.heavy
def test_level_and_spectrum_of_seams_are_those_of_places_that_nobody_cut(tmp_path: Path) -> None:
    sound = np.cumsum(noise(30 * RATE, 0.01), axis=0)
    sound -= np.convolve(sound[:, 0], np.ones(960) / 960, "same")[:, None]  # brown, without rumble
    cuts = [edit("cut", 300 * n + 100, 300 * n + 137) for n in range(99)]
    listed = edit_list(*cuts, samples=len(sound))
    heard, made = cut(recording(tmp_path / "brown.wav", sound), listed)
    seams = band_levels(heard, made.plan.joins)
    others = band_levels(heard, [join + 5_000 for join in made.plan.joins])
    assert np.abs(seams - others).max() < 1.5
    jumps = np.abs(np.diff(heard[:, 0]))
    near = np.concatenate([jumps[join - SEAM : join + SEAM] for join in made.plan.joins])
    assert near.max() <= jumps.max()
    assert np.percentile(near, 99) < 1.1 * np.percentile(jumps, 99)


@pytest.mark.heavy
def test_a_tone_goes_on_over_a_cut_of_whole_periods_as_if_nothing_were_cut(tmp_path: Path) -> None:
    sound = 0.5 * np.sin(2 * np.pi * 100 * np.arange(2 * RATE) / RATE)[:, None]
    heard, _ = cut(
        recording(tmp_path / "tone.wav", sound),
        edit_list(edit("cut", 500, 700), samples=len(sound)),
    )
    assert np.abs(heard - sound[: len(heard)]).max() < 1e-4


@pytest.mark.heavy
def test_what_is_muted_sounds_like_the_room(tmp_path: Path) -> None:
    room = noise(20 * RATE, 0.003, seed=5)
    sound = room.copy()
    voice = noise(len(sound), 0.2, seed=6)
    spoken = (np.arange(len(sound)) // (RATE // 2)) % 3 != 2  # a second of voice, half of pause
    sound[spoken] += voice[spoken]
    listed = edit_list(edit("mute", 9_000, 9_900), samples=len(sound))
    heard, made = cut(recording(tmp_path / "talk.wav", sound), listed)
    assert made.room_heard
    filled = heard[round(9.0 * RATE) : round(9.9 * RATE)]
    assert level_db(filled) == pytest.approx(level_db(room), abs=1.0)
    bands = [np.abs(np.fft.rfft(part.reshape(-1, 480), axis=1)) ** 2 for part in (filled, room)]
    filled_db, room_db = (
        10 * np.log10(band.mean(axis=0)[5:240].reshape(5, -1).mean(axis=1)) for band in bands
    )
    assert np.abs(filled_db - room_db).max() < 2.0


@pytest.mark.heavy
def test_a_bleep_is_a_kilohertz_as_loud_as_the_speech_and_leaves_nothing_of_the_word(
    tmp_path: Path,
) -> None:
    sound = noise(4 * RATE, 0.1)
    listed = edit_list(edit("bleep", 1_000, 1_400), samples=len(sound))
    heard, _ = cut(recording(tmp_path / "word.wav", sound), listed)
    inside = heard[RATE : round(1.4 * RATE), 0]
    spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside))))
    assert np.argmax(spectrum) * RATE / len(inside) == pytest.approx(1000, abs=3)
    assert level_db(inside) == pytest.approx(level_db(sound), abs=1.0)
    wave = np.sin(2 * np.pi * 1000 * np.arange(len(inside)) / RATE)
    other = np.cos(2 * np.pi * 1000 * np.arange(len(inside)) / RATE)
    left = (
        inside - 2 * (inside @ wave) / len(wave) * wave - 2 * (inside @ other) / len(wave) * other
    )
    assert level_db(left) < -80


@pytest.mark.heavy
def test_the_room_of_a_gated_recording_is_digital_silence_and_padding_is_no_room(
    tmp_path: Path,
) -> None:
    sound = noise(24 * RATE, 0.1)
    sound[: 2 * RATE] = 0
    listed = edit_list(edit("mute", 21_000, 21_500), samples=len(sound))
    heard, _ = cut(recording(tmp_path / "padded.wav", sound), listed)
    assert level_db(heard[21 * RATE : round(21.5 * RATE)]) == pytest.approx(-20, abs=1.5)
    sound.reshape(24, RATE)[::2] = 0
    heard, _ = cut(recording(tmp_path / "gated.wav", sound), listed)
    assert not heard[21 * RATE : round(21.5 * RATE)].any()


@pytest.mark.heavy
def test_what_is_sped_up_keeps_its_pitch(tmp_path: Path) -> None:
    seconds = np.arange(4 * RATE) / RATE
    swell = 0.2 + 0.1 * np.sin(2 * np.pi * 4 * seconds)
    sound = (swell * np.sin(2 * np.pi * 440 * seconds))[:, None] + noise(4 * RATE, 0.05)
    listed = edit_list(edit("speed_up", 1_000, 3_000, speed=2), samples=len(sound))
    heard, _ = cut(recording(tmp_path / "tone.wav", sound), listed)
    part = heard[round(1.3 * RATE) : round(1.7 * RATE), 0]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    assert np.argmax(spectrum) * RATE / len(part) == pytest.approx(440, abs=3)


@pytest.mark.heavy
def test_what_is_sped_up_is_heard_where_the_map_says(tmp_path: Path) -> None:
    sound = noise(24 * RATE, 1e-4)
    burst = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2880) / RATE) * np.hanning(2880)
    for second in range(1, 24):
        sound[second * RATE - 1440 : second * RATE + 1440, 0] += burst
    edits = [
        edit("speed_up", 1_000 * n + 500, 1_000 * n + 1_500 + 100 * (n % 3), speed=2.5)
        for n in range(0, 21, 3)
    ]
    listed = edit_list(*edits, samples=len(sound))
    heard, _ = cut(recording(tmp_path / "bursts.wav", sound), listed)
    whole = time_map(listed)
    for second in range(1, 24):
        at = whole.to_new(second * RATE)
        near = np.square(heard[at - 3_000 : at + 3_000, 0])
        centre = float(near @ np.arange(-3_000, 3_000) / near.sum())
        assert abs(centre) < RATE / 1000 * 8, (second, centre)


def quiet_places(sound: Sound, rate: int) -> list[int]:
    """The quietest 20 ms of each half second."""
    step = rate // 50
    powers = np.square(sound[: len(sound) // step * step, 0]).reshape(-1, step).mean(axis=1)
    return [
        (first + int(np.argmin(powers[first : first + 25]))) * step + step // 2
        for first in range(0, len(powers) - 25, 25)
    ]


def evenness_db(sound: Sound, places: Sequence[int], rate: int) -> list[float]:
    """How far the 10 ms at each place stand from the 10 ms on either side, in level."""
    wide = rate // 100
    starts = [at - 3 * wide // 2 for at in places]
    levels = [[level_db(sound[a + n * wide :][:wide]) for n in range(3)] for a in starts]
    return [one[1] - (one[0] + one[2]) / 2 for one in levels]


@pytest.mark.heavy
def test_cuts_in_a_reading_are_as_even_as_its_own_quiet_places(tmp_path: Path) -> None:
    sound, rate = soundfile.read(READING, always_2d=True)
    quiet = quiet_places(sound, rate)[1:-1]
    cuts = [
        edit("cut", ms_at(start, rate), ms_at(stop, rate))
        for start, stop in zip(quiet[::3], quiet[1::3], strict=False)
    ]
    listed = edit_list(*cuts, samples=len(sound), rate=rate)
    heard, made = cut(recording(tmp_path / "reading.wav", sound, rate), listed, rate)
    seams = np.abs(evenness_db(heard, made.plan.joins, rate))
    own = np.abs(evenness_db(sound, quiet, rate))
    assert len(seams) >= 5 and np.mean(seams) <= np.mean(own) + 1.0
    near = np.concatenate([np.diff(heard[at - 100 : at + 100, 0]) for at in made.plan.joins])
    beside = np.concatenate([np.diff(sound[at - 100 : at + 100, 0]) for at in quiet])
    assert np.abs(near).max() <= 1.1 * np.abs(beside).max()


@given(st.floats(1.001, 20))
def test_a_speed_is_reached_in_steps_that_are_no_faster_than_is_exact(speed: float) -> None:
    tempi = in_turn(speed)
    assert max(tempi) <= 4.0 + 1e-6 and np.prod(tempi) == pytest.approx(speed)
    assert len(tempi) <= 3
