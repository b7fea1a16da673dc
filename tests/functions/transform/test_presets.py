"""Each preset does to a sound what its row says: spectra and dynamics, measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from functions.transform.fx import ENGINE
from functions.transform.fx_chain import Scene
from functions.transform.presets import PRESETS
from shared import processes
from shared.media.ffmpeg_filters import check_filters
from tests.functions.detect.synth import drums
from tests.functions.transform.support import (
    RATE,
    Sound,
    click,
    heard,
    level_db,
    loud_and_quiet,
    noise,
    part,
    run,
    stereo,
    tone,
    write,
)


def change_db(before: Sound, after: Sound, low_hz: float = 0, high_hz: float = 1e6) -> float:
    return level_db(after, low_hz, high_hz) - level_db(before, low_hz, high_hz)


def halves_db(sound: Sound) -> float:
    """How far the loud halves of ``loud_and_quiet`` stand above the quiet ones, once settled."""
    loud = np.concatenate([part(sound, s + 0.2, s + 0.45) for s in range(1, 4)])
    quiet = np.concatenate([part(sound, s + 0.75, s + 0.98) for s in range(1, 4)])
    return level_db(loud) - level_db(quiet)


def speech_and_hiss() -> Sound:
    """Bursts of a low tone between steady hiss, and sharp noise in every second burst."""
    hiss, burst = noise(6, 0.003, seed=1), tone(6, 300, 0.3)
    seconds = np.arange(len(burst)) / RATE
    burst[seconds % 1 >= 0.5] = 0
    return hiss + burst


def low_tone_and_s() -> Sound:
    sharp = np.diff(noise(4, 0.1, seed=2), axis=0, prepend=0)
    sharp[(np.arange(len(sharp)) / RATE) % 1 < 0.5] = 0
    return tone(4, 300, 0.2) + sharp


def side_db(sound: Sound, low_hz: float, high_hz: float) -> float:
    return level_db((sound[:, :1] - sound[:, 1:]) / 2, low_hz, high_hz)


def clean_up(before: Sound, after: Sound) -> None:
    gaps = [
        np.concatenate([part(x, s + 0.7, s + 0.95) for s in (2, 3, 4)]) for x in (before, after)
    ]
    assert change_db(*gaps) < -8
    bursts = [part(x, 3.1, 3.4) for x in (before, after)]
    assert abs(change_db(*bursts, 200, 400)) < 1


def broadcast(before: Sound, after: Sound) -> None:
    assert 4 < change_db(before, after, 130, 200) < 7
    assert 4 < change_db(before, after, 3500, 5000) < 7
    assert abs(change_db(before, after, 700, 1200)) < 1.5
    assert change_db(before, after, 0, 30) < -8


def telephone(before: Sound, after: Sound) -> None:
    assert change_db(before, after, 0, 120) < -30
    assert change_db(before, after, 7000, 20_000) < -30
    assert change_db(before, after, 600, 2500) > -6


def radio(before: Sound, after: Sound) -> None:
    assert halves_db(after) < halves_db(before) - 5
    assert change_db(before, after, 12_000, 20_000) < -20
    assert change_db(before, after, 0, 60) < -25


def de_ess(before: Sound, after: Sound) -> None:
    sharp = [part(x, 2.6, 2.95) for x in (before, after)]
    assert change_db(*sharp, 7000, 20_000) < -5
    soft = [part(x, 2.1, 2.4) for x in (before, after)]
    assert abs(change_db(*soft, 200, 400)) < 0.5
    assert abs(change_db(*sharp, 200, 400)) < 0.5


def reverberates(decay_s: float) -> Callable[[Sound, Sound], None]:
    def check(before: Sound, after: Sound) -> None:
        assert np.abs(part(after, 0, 0.249)).max() < 1e-6
        assert level_db(part(after, 0.35, 0.45)) > -80
        fall_db = level_db(part(after, 0.35, 0.45)) - level_db(part(after, 0.65, 0.75))
        assert fall_db == pytest.approx(60 * 0.3 / decay_s, rel=0.25)

    return check


def glue(before: Sound, after: Sound) -> None:
    assert 3 < halves_db(before) - halves_db(after) < 15


def tape(before: Sound, after: Sound) -> None:
    assert level_db(before, 2900, 3100) < -90
    assert level_db(after, 900, 1100) - level_db(after, 2900, 3100) < 35


def lo_fi(before: Sound, after: Sound) -> None:
    assert level_db(before) - level_db(before, 1100, 20_000) > 60
    assert level_db(after) - level_db(after, 1100, 20_000) < 30
    assert change_db(part(before, 0, 4), part(after, 0, 4), 900, 1100) == pytest.approx(0, abs=3)


def wide(before: Sound, after: Sound) -> None:
    assert side_db(after, 1000, 8000) - side_db(before, 1000, 8000) == pytest.approx(6, abs=0.3)
    assert side_db(after, 20, 50) - side_db(before, 20, 50) < -8
    middle = [x.mean(axis=1, keepdims=True) for x in (before, after)]
    assert abs(change_db(*middle)) < 0.01


def parallel_drums(before: Sound, after: Sound) -> None:
    rise_db = {
        share: 20 * np.log10(np.divide(*(np.percentile(np.abs(x), share) for x in (after, before))))
        for share in (60, 100)
    }
    assert rise_db[60] > 8
    assert -0.1 < rise_db[100] < 4


def low_end(before: Sound, after: Sound) -> None:
    assert change_db(before, after, 40, 80) > 4
    assert abs(change_db(before, after, 1000, 20_000)) < 0.5


def air(before: Sound, after: Sound) -> None:
    assert level_db(before, 17_900, 18_100) < -90
    assert level_db(after, 17_900, 18_100) > -60
    assert abs(change_db(before, after, 0, 4000)) < 0.5 or level_db(before, 0, 4000) < -90


def pump(before: Sound, after: Sound) -> None:
    for beat_s in (1.0, 1.5, 2.0):
        ahead = change_db(*(part(x, beat_s - 0.05, beat_s) for x in (before, after)))
        behind = change_db(*(part(x, beat_s, beat_s + 0.02) for x in (before, after)))
        assert ahead > -0.5
        assert behind == pytest.approx(20 * np.log10(0.3), abs=1)


def riser(before: Sound, after: Sound) -> None:
    begin, later = (
        change_db(part(before, s, s + 0.2), part(after, s, s + 0.2), 4000, 12_000) for s in (0.0, 3)
    )
    assert begin < -18 and abs(later) < 1
    assert change_db(part(before, 3, 4), part(after, 3, 4), 100, 400) < -20
    levels = [level_db(part(after, s, s + 0.1), 4000, 12_000) for s in np.arange(0, 2, 0.4)]
    assert levels == sorted(levels)


def underwater(before: Sound, after: Sound) -> None:
    assert change_db(before, after, 3000, 20_000) < -50
    assert abs(change_db(before, after, 50, 250)) < 2


def stutter(before: Sound, after: Sound) -> None:
    grain = round(0.1 * RATE)
    inner = slice(RATE // 100, grain - RATE // 100)
    first = after[4 * grain :][inner]
    assert_allclose(first, before[4 * grain :][inner], atol=1e-4)
    for repeat in (5, 6, 7):
        assert_allclose(after[repeat * grain :][inner], first, atol=1e-4)


def swell(before: Sound, after: Sound) -> None:
    before_click = [level_db(part(after, s, s + 0.1)) for s in (1.2, 1.5, 1.8)]
    assert before_click == sorted(before_click) and before_click[-1] > before_click[0] + 10
    assert level_db(part(after, 2.1, 2.9)) < -100


def robot(before: Sound, after: Sound) -> None:
    for side_hz in (340, 540):
        assert change_db(before, after, 435, 445) < -40
        assert level_db(after, side_hz - 5, side_hz + 5) > level_db(before) - 7


def echoes(before: Sound, after: Sound) -> None:
    levels = [
        level_db(part(after, 0.25 + n * 0.3 - 0.01, 0.25 + n * 0.3 + 0.05)) for n in (1, 2, 3)
    ]
    assert np.diff(levels) == pytest.approx(20 * np.log10(0.5), abs=0.5)
    assert level_db(part(after, 0.4, 0.5)) < levels[0] - 60


Check = Callable[[Sound, Sound], None]
Row = tuple[Callable[[], Sound], Mapping[str, float], Check]

TABLE: Mapping[str, Row] = {
    "voice_clean_up": (speech_and_hiss, {"evenness": 0, "reduction_db": 20}, clean_up),
    "voice_broadcast": (
        lambda: noise(3, 0.002),
        {"warmth_db": 6, "presence_db": 6, "evenness": 0},
        broadcast,
    ),
    "telephone": (lambda: noise(3), {}, telephone),
    "radio": (loud_and_quiet, {}, radio),
    "de_ess": (low_tone_and_s, {"amount": 1}, de_ess),
    "room": (lambda: click(2, 0.25), {"decay_s": 0.9, "amount": 1}, reverberates(0.9)),
    "bus_glue": (loud_and_quiet, {"threshold_db": -30, "ratio": 4}, glue),
    "tape": (lambda: tone(3, 1000), {"drive_db": 12, "wow": 0}, tape),
    "lo_fi": (lambda: tone(4, 1000), {"bits": 4, "tone_hz": 16_000}, lo_fi),
    "wide": (lambda: noise(3), {"width": 2, "mono_below_hz": 150}, wide),
    "parallel_drums": (
        lambda: stereo(0.5 * drums(rate_hz=RATE).samples),
        {"amount": 1},
        parallel_drums,
    ),
    "low_end": (lambda: noise(4), {"weight_db": 8}, low_end),
    "air": (lambda: tone(3, 6000, 0.2), {"amount": 1}, air),
    "pump": (lambda: noise(4), {"tempo_bpm": 120, "depth": 0.7}, pump),
    "riser": (lambda: noise(4.2), {"build_s": 2, "lift_db": 24}, riser),
    "underwater": (lambda: noise(4), {}, underwater),
    "stutter": (lambda: noise(2), {"grain_ms": 100, "repeats": 4}, stutter),
    "reverse_swell": (lambda: click(3, 2.0), {"swell_s": 1.5, "amount": 1}, swell),
    "robot": (lambda: tone(3, 440), {"carrier_hz": 100, "grit": 0}, robot),
    "tape_echo": (lambda: click(2, 0.25), {"time_ms": 300, "feedback": 0.5, "amount": 1}, echoes),
    "cathedral": (
        lambda: click(2, 0.25),
        {"decay_s": 2, "amount": 1, "pre_delay_ms": 0},
        reverberates(2),
    ),
}


QUICK = ("telephone", "air", "tape_echo")
"""Presets of three kinds that ``make test-fast`` measures, too."""


def test_every_preset_has_a_measurement() -> None:
    assert set(TABLE) == set(PRESETS)


@pytest.mark.real_case("transform.fx")
@pytest.mark.parametrize(
    "preset_id",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.heavy) for name in TABLE],
)
def test_preset_does_what_it_says(preset_id: str, tmp_path: Path) -> None:
    source, knobs, check = TABLE[preset_id]
    before = source()
    result = run(
        ENGINE, write(tmp_path, before, "FLOAT"), tmp_path, preset_id=preset_id, knobs=knobs
    )
    after = heard(result)
    assert after.shape == before.shape
    check(before, after)


@pytest.mark.parametrize("preset_id", PRESETS)
@pytest.mark.parametrize("rate", [8_000, 96_000])
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_filters_hold_at_both_ends_of_every_knob(preset_id: str, rate: int, end: str) -> None:
    preset = PRESETS[preset_id]
    knobs = {spec.name: getattr(spec, end) for spec in preset.knobs}
    check_filters(preset.build(knobs, Scene(rate, 2)))


@pytest.mark.heavy
@pytest.mark.parametrize("preset_id", PRESETS)
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_extremes_stay_finite_at_a_telephones_sample_rate(
    preset_id: str, end: str, tmp_path: Path
) -> None:
    sound = noise(0.5)[: 8_000 * 2]
    preset = PRESETS[preset_id]
    knobs = {spec.name: getattr(spec, end) for spec in preset.knobs}
    path = write(tmp_path, sound, rate=8_000)
    after = heard(run(ENGINE, path, tmp_path, preset_id=preset_id, knobs=knobs))
    assert after.shape == sound.shape
    assert np.isfinite(after).all()


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("preset_id", "knobs", "rate"),
    [
        ("voice_clean_up", {"evenness": 0, "reduction_db": 6, "low_cut_hz": 20}, 22_050),
        ("voice_clean_up", {"evenness": 0, "reduction_db": 6, "low_cut_hz": 20}, 48_000),
        ("tape", {"wow": 1, "age": 0, "drive_db": 0}, 44_100),
        ("tape", {"wow": 0, "age": 0, "drive_db": 0}, 22_050),
        ("underwater", {"sway": 1, "surface_hz": 2500}, 48_000),
        ("de_ess", {"amount": 0}, 44_100),
    ],
)
def test_the_wet_sound_is_in_time(
    preset_id: str, knobs: Mapping[str, float], rate: int, tmp_path: Path
) -> None:
    before = noise(6, 0.05, channels=1)
    path = write(tmp_path, before, "FLOAT", rate)
    after = heard(run(ENGINE, path, tmp_path, preset_id=preset_id, knobs=knobs))
    size = rate // 4
    lags = [
        lag(before[at : at + size, 0], after[at : at + size, 0])
        for at in range(rate, len(before) - size, size)
    ]
    # A filter's own delay (0.3 ms for the lowpass of `underwater`) is part of the effect.
    assert abs(np.mean(lags)) / rate < 0.0004


def lag(before: Sound, after: Sound) -> int:
    size = 2 * len(before)
    cross = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    place = int(np.argmax(np.abs(cross)))
    return place if place < size // 2 else place - size


@pytest.mark.heavy
@pytest.mark.parametrize("preset_id", PRESETS)
def test_what_lies_in_fresh_memory_is_not_heard(
    preset_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of ffmpeg's filters give out memory that they never wrote to, unless they are led."""
    path = write(tmp_path, noise(0.3), rate=22_050)
    monkeypatch.setattr(processes, "_ENVIRONMENT", (*processes._ENVIRONMENT, "MALLOC_PERTURB_"))
    made = set()
    for fill in ("1", "165"):
        monkeypatch.setenv("MALLOC_PERTURB_", fill)
        result = run(ENGINE, path, tmp_path, preset_id=preset_id)
        made.add(result.outputs[0].path.read_bytes())
    assert len(made) == 1
